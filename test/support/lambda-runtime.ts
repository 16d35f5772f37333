/** AWS Lambda on the loopback: a runtime API that gives events to a function's process and takes its answers. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ACCOUNT, type BuiltFunction, REGION } from "./built-functions.ts";
import { temporaryFolder } from "./live.ts";

const BOOTSTRAP = fileURLToPath(new URL("./lambda-bootstrap.mjs", import.meta.url));
const PREFIX = "/2018-06-01/runtime/";
/** The longest answer that Lambda hands on. */
const MAX_ANSWER_BYTES = 6_291_556;
/** What the JSON of all variables of a function may be. */
const MAX_VARIABLES_BYTES = 4096;

/** An error as the caller of a function gets it. */
export interface FunctionError {
  readonly errorType: string;
  readonly errorMessage: string;
  readonly trace: readonly string[];
}

export interface Invocation {
  readonly requestId: string;
  /** The handler's result; undefined where the invocation failed. */
  readonly result: unknown;
  readonly error: FunctionError | undefined;
  /** The output of the process since the previous invocation. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface LambdaProcess {
  /** Gives the process an event and waits for its end, at most for the function's time limit. */
  invoke(event: unknown): Promise<Invocation>;
  /** The most memory that the process has held so far (its resident set), in bytes. */
  peakMemoryBytes(): number;
  /** Everything that the process has printed and answered so far. */
  output(): string;
  close(): Promise<void>;
}

type Outcome = { readonly result: unknown } | { readonly error: FunctionError };

const failure = (errorType: string, errorMessage: string): Outcome => ({
  error: { errorType, errorMessage, trace: [] },
});

/** The answer as the caller gets it. */
const answerOf = (body: string): Outcome =>
  Buffer.byteLength(body) <= MAX_ANSWER_BYTES
    ? { result: JSON.parse(body) }
    : failure(
        "Function.ResponseSizeTooLarge",
        `Response payload size exceeded maximum allowed payload size (${MAX_ANSWER_BYTES} bytes).`,
      );

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of incoming.setEncoding("utf8")) body += chunk;
  return body;
}

/** The variables that Lambda adds to a function's own. */
const variablesOfLambda = (built: BuiltFunction, api: string) => ({
  AWS_LAMBDA_RUNTIME_API: api,
  _HANDLER: built.handler,
  LAMBDA_TASK_ROOT: built.asset,
  LAMBDA_RUNTIME_DIR: "/var/runtime",
  AWS_REGION: REGION,
  AWS_DEFAULT_REGION: REGION,
  AWS_EXECUTION_ENV: "AWS_Lambda_nodejs24.x",
  AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
  AWS_LAMBDA_FUNCTION_NAME: built.name,
  AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(built.memoryMb),
  AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${built.name}`,
  AWS_LAMBDA_LOG_STREAM_NAME: "2026/11/23/[$LATEST]0",
  AWS_ACCESS_KEY_ID: "ASIALOCAL",
  AWS_SECRET_ACCESS_KEY: "local",
  AWS_SESSION_TOKEN: "local",
  LANG: "en_US.UTF-8",
  TZ: ":UTC",
});

/**
 * Starts a process of a function as Lambda would: in its asset, and with only its own variables, Lambda's and `more`. It is
 * frozen while it has nothing to do.
 * @param built its asset is outside of the project, so that it finds only the packages in it
 * @param more the addresses of local servers
 * @throws where the function's variables are larger than Lambda takes
 */
export async function startLambda(
  built: BuiltFunction,
  more: Readonly<Record<string, string>>,
): Promise<LambdaProcess> {
  if (Buffer.byteLength(JSON.stringify(built.environment)) > MAX_VARIABLES_BYTES)
    throw new Error(
      "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.",
    );
  const temporary = await temporaryFolder();
  /** Called when the process asks for an event and waits. */
  let asked: ServerResponse | undefined;
  let current: { readonly id: string; readonly event: unknown; settle(outcome: Outcome): void } | undefined;
  /** Called when the process will not ask again, with the reason. */
  let ended: Outcome | undefined;
  const answers: string[] = [];

  const server = createServer(async (incoming, outgoing) => {
    const path = incoming.url?.startsWith(PREFIX) ? incoming.url.slice(PREFIX.length) : "";
    if (path === "invocation/next") {
      asked = outgoing;
      return current ? handOver() : child.kill("SIGSTOP");
    }
    const body = await bodyOf(incoming);
    answers.push(body);
    outgoing.writeHead(202).end('{"status":"OK"}');
    if (path === "init/error") ended = { error: JSON.parse(body) };
    else if (path === `invocation/${current?.id}/error`) current?.settle({ error: JSON.parse(body) });
    else if (path === `invocation/${current?.id}/response`) current?.settle(answerOf(body));
    else throw new Error(`the runtime API was asked for ${incoming.method} ${incoming.url}`);
    return undefined;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const api = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  // Files, not pipes: they hold all output from before an answer once the answer is here.
  const paths = { stdout: join(temporary.path, "stdout"), stderr: join(temporary.path, "stderr") };
  const [stdout, stderr] = [openSync(paths.stdout, "a"), openSync(paths.stderr, "a")];
  const child = spawn(process.execPath, [BOOTSTRAP], {
    cwd: built.asset,
    env: { ...variablesOfLambda(built, api), ...built.environment, ...more },
    stdio: ["ignore", stdout, stderr],
  });
  closeSync(stdout);
  closeSync(stderr);
  const exited = once(child, "exit").then(([code, signal]) => {
    ended ??= failure("Runtime.ExitError", `the process exited with ${code ?? signal}`);
    current?.settle(ended);
  });

  /** Gives the event to the process once there are both. */
  function handOver() {
    if (!asked || !current) return;
    child.kill("SIGCONT");
    asked.writeHead(200, {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": current.id,
      "lambda-runtime-deadline-ms": Date.now() + built.timeoutSeconds * 1000,
      "lambda-runtime-invoked-function-arn": `arn:aws:lambda:${REGION}:${ACCOUNT}:function:${built.name}`,
      "lambda-runtime-trace-id": "Root=1-6563e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
    });
    asked.end(JSON.stringify(current.event));
    asked = undefined;
  }

  const read = { stdout: 0, stderr: 0 };
  const printed = (stream: "stdout" | "stderr") => {
    const bytes = readFileSync(paths[stream]);
    const fresh = bytes.subarray(read[stream]).toString();
    read[stream] = bytes.length;
    return fresh;
  };

  return {
    peakMemoryBytes() {
      const [, kilobytes] =
        /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8")) ?? [];
      return Number(kilobytes) * 1024;
    },

    async invoke(event) {
      const id = randomUUID();
      let limit: NodeJS.Timeout | undefined;
      const outcome = await new Promise<Outcome>((settle) => {
        current = { id, event, settle };
        if (ended) settle(ended);
        limit = setTimeout(() => {
          ended = failure("Sandbox.Timedout", `Task timed out after ${built.timeoutSeconds} seconds`);
          child.kill("SIGKILL");
        }, built.timeoutSeconds * 1000);
        handOver();
      });
      clearTimeout(limit);
      current = undefined;
      return {
        requestId: id,
        result: undefined,
        error: undefined,
        ...outcome,
        stdout: printed("stdout"),
        stderr: printed("stderr"),
      };
    },
    output: () => [readFileSync(paths.stdout), readFileSync(paths.stderr), ...answers].join("\n"),
    async close() {
      child.kill("SIGKILL");
      await exited;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await temporary.remove();
    },
  };
}
