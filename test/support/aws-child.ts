/** A process that sends requests to a stand-in for AWS when it is told to, with the clients' own options. */
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { awsRequests } from "../../shared/aws-requests.ts";

export type Service = "dynamodb" | "secretsmanager" | "sns";
export interface RequestOrder {
  readonly service: Service;
  readonly url: string;
  /** How many requests are sent at once. */
  readonly atOnce: number;
  /** After how many ms an idle socket is ended. */
  readonly idleMs: number;
}

const local = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
const SEND: Record<Service, (endpoint: string, idleMs: number) => () => Promise<unknown>> = {
  dynamodb(endpoint, idleMs) {
    const client = new DynamoDBClient({ ...local, endpoint, ...awsRequests(idleMs) });
    return () => client.send(new ListTablesCommand({}));
  },
  secretsmanager(endpoint, idleMs) {
    const client = new SecretsManagerClient({ ...local, endpoint, ...awsRequests(idleMs) });
    return () => client.send(new GetSecretValueCommand({ SecretId: "s" }));
  },
  sns(endpoint, idleMs) {
    const client = new SNSClient({ ...local, endpoint, ...awsRequests(idleMs) });
    return () =>
      client.send(new PublishCommand({ TopicArn: "arn:aws:sns:local:123456789012:t", Message: "m" }));
  },
};
const senders = new Map<string, () => Promise<unknown>>();

process.on("message", async ({ service, url, atOnce, idleMs }: RequestOrder) => {
  const name = `${service}/${idleMs}`;
  const send = senders.get(name) ?? SEND[service](url, idleMs);
  senders.set(name, send);
  const results = await Promise.allSettled(Array.from({ length: atOnce }, send));
  const failed = results.find((result) => result.status === "rejected");
  process.send?.(failed ? (failed.reason.code ?? failed.reason.name) : "");
});
process.on("disconnect", () => process.exit());
