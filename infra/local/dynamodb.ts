/** DynamoDB in this process: dynalite, on a free port of the loopback, with the canary's table. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import dynalite from "dynalite";
import { TABLE } from "../../shared/store/table.ts";

export interface LocalDynamo {
  readonly endpoint: string;
  readonly table: string;
  close(): Promise<void>;
}

/** Makes the table with the keys that the store expects. */
export async function createTable(client: DynamoDBClient, table: string): Promise<void> {
  const keys = [TABLE.partitionKey, TABLE.sortKey];
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: "S" })),
      KeySchema: keys.map((AttributeName, i) => ({ AttributeName, KeyType: i === 0 ? "HASH" : "RANGE" })),
    }),
  );
}

/** Starts a server that keeps everything in memory until `close`. */
export async function startDynamo(): Promise<LocalDynamo> {
  const server = dynalite({ createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const table = "trinity-canary";
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new DynamoDBClient({ endpoint, region: "local", credentials });
  await createTable(client, table);
  client.destroy();
  return {
    endpoint,
    table,
    close: async () => {
      server.closeAllConnections?.();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
