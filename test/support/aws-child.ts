/** A process that sends requests to a stand-in for AWS when it is told to, by the canary's own clients. */
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { sns } from "../../shared/alerts/channels/sns.ts";
import { awsRequests } from "../../shared/aws-requests.ts";
import { deployedEnvironment } from "../../shared/config/secret.ts";
import { documentClient } from "../../shared/store/client.ts";
import { ANY_ALERT } from "./alert.ts";

export type Service = "dynamodb" | "secretsmanager" | "sns" | "patient";
export interface RequestOrder {
  readonly service: Service;
  readonly url: string;
  /** How many requests are sent at once. */
  readonly atOnce: number;
}

const OPEN: Record<Service, (endpoint: string) => () => Promise<unknown>> = {
  dynamodb(endpoint) {
    const client = documentClient({ endpoint });
    return () => client.send(new GetCommand({ TableName: "t", Key: { pk: "p", sk: "s" } }));
  },
  secretsmanager(endpoint) {
    Object.assign(process.env, { AWS_ENDPOINT_URL_SECRETS_MANAGER: endpoint, CANARY_SECRET_ID: "s" });
    return () => deployedEnvironment(-1, []);
  },
  sns(endpoint) {
    process.env.AWS_ENDPOINT_URL_SNS = endpoint;
    const { send } = sns.configure({
      topicArn: "arn:aws:sns:eu-west-1:123456789012:t",
      format: "text",
    })!;
    return () => send([ANY_ALERT], new AbortController().signal);
  },
  // Not one of the canary's: its sockets are kept for as long as the other side keeps them.
  patient(endpoint) {
    const credentials = { accessKeyId: "local", secretAccessKey: "local" };
    const client = new DynamoDBClient({ region: "local", credentials, endpoint, ...awsRequests(600_000) });
    return () => client.send(new ListTablesCommand({}));
  },
};
const senders = new Map<Service, () => Promise<unknown>>();

process.on("message", async ({ service, url, atOnce }: RequestOrder) => {
  const send = senders.get(service) ?? OPEN[service](url);
  senders.set(service, send);
  const results = await Promise.allSettled(Array.from({ length: atOnce }, send));
  const failed = results.find((result) => result.status === "rejected");
  process.send?.(failed ? String(failed.reason.code ?? failed.reason.message) : "");
});
process.on("disconnect", () => process.exit());
