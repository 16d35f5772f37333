/** Lambda's own API on the loopback: functions are invoked by their names, in processes that a test has started. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Invocation } from "./lambda-runtime.ts";

export type InvokeFault =
  | "none"
  /** As many functions run as the account may have at once. */
  | "throttled"
  | "denied"
  | "http 500"
  /** The function has reached its time limit. */
  | "timed out"
  /** The function's process has ended. */
  | "crashed"
  /** The function's answer is longer than Lambda hands on. */
  | "too large"
  /** The function answers with something else. */
  | "odd"
  /** Takes the request and never answers. */
  | "hangs"
  /** Runs the function, and ends the connection before its answer. */
  | "lost";

export interface LambdaService {
  readonly url: string;
  fault: InvokeFault;
  /** The events of all invocations. */
  readonly events: { readonly name: string; readonly event: unknown }[];
  /** The function of that name from now on. */
  add(name: string, invoke: (event: unknown) => Promise<Invocation>): void;
  close(): Promise<void>;
}

const errorsOfFunctions: Partial<Record<InvokeFault, object>> = {
  "timed out": {
    errorType: "Sandbox.Timedout",
    errorMessage: "RequestId: 8f0b7d0c Error: Task timed out after 90.00 seconds",
  },
  crashed: {
    errorType: "Runtime.ExitError",
    errorMessage: "RequestId: 8f0b7d0c Error: Runtime exited with error: signal: killed",
  },
  "too large": {
    errorType: "Function.ResponseSizeTooLarge",
    errorMessage: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
  },
};

const refusals: Partial<Record<InvokeFault, readonly [number, object, Record<string, string>?]>> = {
  throttled: [
    429,
    {
      Reason: "ConcurrentInvocationLimitExceeded",
      Type: "User",
      message: "Rate Exceeded.",
    },
    { "x-amzn-errortype": "TooManyRequestsException" },
  ],
  denied: [
    403,
    {
      Message:
        "User: arn:aws:sts::123456789012:assumed-role/canary is not authorized to perform: lambda:InvokeFunction",
    },
    { "x-amzn-errortype": "AccessDeniedException" },
  ],
  "http 500": [500, { Type: "Server", message: "Internal error" }],
};

export async function startLambdaService(): Promise<LambdaService> {
  const functions = new Map<string, (event: unknown) => Promise<Invocation>>();
  const events: LambdaService["events"] = [];
  const service = { fault: "none" as InvokeFault };

  const server = createServer(async (incoming, outgoing) => {
    let text = "";
    for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      outgoing
        .writeHead(status, { "content-type": "application/json", ...headers })
        .end(JSON.stringify(body));
    const answerError = (error: object) => answer(200, error, { "x-amz-function-error": "Unhandled" });
    const { authorization = "", "x-amz-invocation-type": type } = incoming.headers;
    const name = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(incoming.url ?? "")?.[1];
    if (!/^AWS4-HMAC-SHA256 Credential=\S+\/lambda\/aws4_request/.test(authorization))
      return answer(403, { message: "Missing Authentication Token" });
    if (incoming.method !== "POST" || name === undefined || type !== "RequestResponse")
      return answer(400, { Type: "User", message: `there is no ${incoming.method} ${incoming.url} here` });

    const { fault } = service;
    const refusal = refusals[fault];
    if (refusal) return answer(...refusal);
    const event: unknown = JSON.parse(text);
    events.push({ name, event });
    const error = errorsOfFunctions[fault];
    if (error) return answerError(error);
    if (fault === "hangs") return undefined;
    if (fault === "odd") return answer(200, { kind: "fine" });
    const invoke = functions.get(name);
    if (!invoke) return answer(404, { Type: "User", Message: `Function not found: ${name}` });
    const { result, error: thrown } = await invoke(event);
    if (fault === "lost") return outgoing.destroy();
    return thrown ? answerError(thrown) : answer(200, result ?? null);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(service, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events,
    add: (name: string, invoke: (event: unknown) => Promise<Invocation>) => void functions.set(name, invoke),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
