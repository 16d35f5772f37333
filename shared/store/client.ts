import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { awsRequests } from "../aws-requests.ts";

/**
 * A DynamoDB client that gives up in seconds: a cycle waits for it, and holds its lease meanwhile.
 * @param local a local server instead of AWS
 */
export function documentClient(local?: { readonly endpoint: string }): DynamoDBDocumentClient {
  const client = new DynamoDBClient({
    ...awsRequests(),
    ...(local && {
      endpoint: local.endpoint,
      region: "local",
      credentials: { accessKeyId: "local", secretAccessKey: "local" },
    }),
  });
  return DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
}
