/** Silences: attributes of the `MEMORY` item, one each, so that neither a cycle nor another silence can overwrite one. */
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { Silence } from "../alerts/silence.ts";
import type { Item, Table } from "./requests.ts";
import { TABLE } from "./table.ts";

export interface SilenceStore {
  /** Adds or replaces a silence. A cycle that runs meanwhile does not undo it. */
  put(silence: Silence): Promise<void>;
  /** Removes a silence. Returns whether there was one with that id. */
  remove(id: string): Promise<boolean>;
}

export const MEMORY_KEY = { [TABLE.partitionKey]: "MEMORY", [TABLE.sortKey]: "MEMORY" };
const PREFIX = "silence_";

/** The attribute that holds the silence with that id. */
export const silenceAttribute = (id: string): string => PREFIX + id;

/** Reads the silences of the `MEMORY` item, oldest first. */
export const readSilences = (item: Item): Silence[] =>
  Object.entries(item)
    .filter(([name]) => name.startsWith(PREFIX))
    .map(([name, silence]) => ({ ...(silence as Omit<Silence, "id">), id: name.slice(PREFIX.length) }))
    .sort((a, b) => a.createdAtMs - b.createdAtMs);

export function silencesOf({ client, name }: Table): SilenceStore {
  return {
    async put({ id, ...silence }) {
      await client.send(
        new UpdateCommand({
          TableName: name,
          Key: MEMORY_KEY,
          UpdateExpression: "SET #silence = :silence",
          ExpressionAttributeNames: { "#silence": silenceAttribute(id) },
          ExpressionAttributeValues: { ":silence": silence },
        }),
      );
    },

    async remove(id) {
      try {
        await client.send(
          new UpdateCommand({
            TableName: name,
            Key: MEMORY_KEY,
            UpdateExpression: "REMOVE #silence",
            ConditionExpression: "attribute_exists(#silence)",
            ExpressionAttributeNames: { "#silence": silenceAttribute(id) },
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },
  };
}
