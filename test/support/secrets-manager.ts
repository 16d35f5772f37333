/** AWS Secrets Manager on the loopback. It has one secret, whose value and fault a test can change. */
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

export interface SecretsManager {
  readonly url: string;
  readonly arn: string;
  /** Bytes for a binary secret. */
  value: string | Uint8Array;
  fault: SecretFault;
  close(): Promise<void>;
}

const ERRORS = {
  missing: [400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."],
  denied: [400, "AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue"],
  throttled: [400, "ThrottlingException", "Rate exceeded"],
  "http 500": [500, "InternalServiceError", "An error occurred on the server side."],
} as const;

/** @param arn the one secret */
export async function startSecretsManager(arn: string): Promise<SecretsManager> {
  const manager = { arn, value: "{}" as string | Uint8Array, fault: "none" as SecretFault };
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
    const { fault, value } = manager;
    if (fault === "hangs") return undefined;
    if (fault !== "none") return refuse(ERRORS[fault]);
    if (JSON.parse(text).SecretId !== arn) return refuse(ERRORS.missing);
    const content =
      typeof value === "string"
        ? { SecretString: value }
        : { SecretBinary: Buffer.from(value).toString("base64") };
    return answer(200, { ARN: arn, Name: "canary", VersionStages: ["AWSCURRENT"], ...content });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(manager, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
