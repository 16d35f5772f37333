/** AWS Secrets Manager on the loopback. It has a few secrets, whose values and faults a test can change. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type SecretFault =
  | "none"
  | "missing"
  | "denied"
  | "throttled"
  | "http 500"
  /** Takes the request and never answers. */
  | "hangs";

export interface Secret {
  /** Bytes for a binary secret. */
  value: string | Uint8Array;
  fault: SecretFault;
}

export interface SecretsManager {
  readonly url: string;
  /** The ARNs that were asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

const ERRORS = {
  missing: [400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."],
  denied: [400, "AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue"],
  throttled: [400, "ThrottlingException", "Rate exceeded"],
  "http 500": [500, "InternalServiceError", "An error occurred on the server side."],
} as const;

/** @param secrets by their ARNs */
export async function startSecretsManager(
  secrets: Readonly<Record<string, Secret>>,
): Promise<SecretsManager> {
  const asked: string[] = [];
  const server = createServer(async (incoming, outgoing) => {
    let text = "";
    for await (const chunk of incoming.setEncoding("utf8")) text += chunk;
    const answer = (status: number, body: Record<string, unknown>) =>
      outgoing.writeHead(status, { "content-type": "application/x-amz-json-1.1" }).end(JSON.stringify(body));
    const refuse = ([status, __type, message]: readonly [number, string, string]) =>
      answer(status, { __type, message });
    const { "x-amz-target": target, authorization = "" } = incoming.headers;
    if (target !== "secretsmanager.GetSecretValue")
      return refuse([400, "UnknownOperationException", `there is no ${target} here`]);
    if (!/^AWS4-HMAC-SHA256 Credential=\S+\/secretsmanager\/aws4_request/.test(authorization))
      return refuse([400, "MissingAuthenticationTokenException", "the request is not signed"]);
    const arn: string = JSON.parse(text).SecretId;
    asked.push(arn);
    const secret = secrets[arn];
    if (!secret) return refuse(ERRORS.missing);
    const { fault, value } = secret;
    if (fault === "hangs") return undefined;
    if (fault !== "none") return refuse(ERRORS[fault]);
    const content =
      typeof value === "string"
        ? { SecretString: value }
        : { SecretBinary: Buffer.from(value).toString("base64") };
    return answer(200, { ARN: arn, Name: "canary", VersionStages: ["AWSCURRENT"], ...content });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
