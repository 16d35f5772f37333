/** Counts what is billed: commands of Redis, rows of SQLite, units of DynamoDB. */
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { Recorded } from "./recorder.ts";

interface Capacity {
  readonly CapacityUnits?: number;
}

export interface Units {
  read: number;
  write: number;
}

/**
 * Makes each request ask for its consumed capacity.
 * @param units the consumed units are added to these
 */
export function countUnits(client: DynamoDBDocumentClient, units: Units): void {
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next({
          ...args,
          input: { ...args.input, ReturnConsumedCapacity: "TOTAL" } as typeof args.input,
        });
        const { ConsumedCapacity } = result.output as { ConsumedCapacity?: Capacity | Capacity[] };
        const isRead = /Get|Query/.test(commandName ?? "");
        for (const { CapacityUnits = 0 } of [ConsumedCapacity ?? []].flat())
          units[isRead ? "read" : "write"] += CapacityUnits;
        return result;
      },
    { step: "initialize" },
  );
}

/** Counts commands as a hosted Redis does: each of a pipeline, and MULTI and EXEC around a transaction. */
export const commandsOf = (requests: readonly Recorded[]): number =>
  requests.reduce((sum, request) => {
    const commands = JSON.parse(Buffer.from(request.body, "base64").toString()) as unknown[];
    return sum + commands.length + (request.path === "/multi-exec" ? 2 : 0);
  }, 0);

/** Adds up the sizes of the requests' bodies, or of the answers'. */
export const bytesOf = (requests: readonly Recorded[], part: "body" | "answer"): number =>
  requests.reduce((sum, request) => sum + Buffer.byteLength(request[part], "base64"), 0);

/** Adds up the rows that sqld reports as read. */
export function rowsReadOf(requests: readonly Recorded[]): number {
  let sum = 0;
  for (const { answer } of requests) {
    JSON.parse(Buffer.from(answer, "base64").toString(), (name, value) => {
      if (name === "rows_read") sum += Number(value);
      return value;
    });
  }
  return sum;
}
