/** What DynamoDB bills, as it says itself. */
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";

interface Capacity {
  readonly CapacityUnits?: number;
}

/**
 * Has each request ask what it is billed.
 * @param units what the answers say is added to these
 */
export function countUnits(client: DynamoDBDocumentClient, units: { read: number; write: number }): void {
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
