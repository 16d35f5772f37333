/** The baseline of a start: a handler that does nothing, with the AWS clients of the functions. */
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { SNSClient } from "@aws-sdk/client-sns";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

const clients = [
  DynamoDBDocumentClient.from(new DynamoDBClient({})),
  new SecretsManagerClient({}),
  new SNSClient({}),
];

export async function handler(): Promise<number> {
  return clients.length;
}
