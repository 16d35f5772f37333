/** Silences: attributes of the `MEMORY` item, one each, so that neither a cycle nor another silence can overwrite one. */
import { setTimeout } from "node:timers/promises";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { isInForce, type Silence } from "../alerts/silence.ts";
import type { Item, Table } from "./requests.ts";
import { TABLE } from "./table.ts";

/** The most silences that the item holds: it also holds the memory, and its size is limited. */
export const MAX_SILENCES = 50;

export interface SilenceStore {
  /**
   * Adds a silence, and removes those that have ended. A cycle that runs meanwhile does not undo it.
   * @returns false, and nothing is written, where `MAX_SILENCES` are in force
   * @throws the error of the last try where other silences are added again and again
   */
  put(silence: Silence, nowMs: number): Promise<boolean>;
  /** Removes a silence. Returns whether there was one with that id. */
  remove(id: string): Promise<boolean>;
}

export const MEMORY_KEY = { [TABLE.partitionKey]: "MEMORY", [TABLE.sortKey]: "MEMORY" };

/** The item as the last write left it, undefined before the first. */
export const readMemoryItem = ({ get }: Pick<Table, "get">): Promise<Item | undefined> =>
  get(MEMORY_KEY.pk, MEMORY_KEY.sk, { isConsistent: true });

const PREFIX = "silence_";
/** Changes with each silence that is added: of those that are added at once, one is written, and the others count again. */
export const SILENCES_VERSION = "silences_version";
/** Each lost try is the success of another call, and these run out of room. Only silences that end meanwhile make more. */
const TRIES = 2 * MAX_SILENCES;
/** The longest wait before another try. */
const WAIT_MS = 50;

/** The attribute that holds the silence with that id. */
export const silenceAttribute = (id: string): string => PREFIX + id;

/** Reads the silences of the `MEMORY` item, oldest first. */
export const readSilences = (item: Item): Silence[] =>
  Object.entries(item)
    .filter(([name]) => name.startsWith(PREFIX))
    .map(([name, silence]) => ({ ...(silence as Omit<Silence, "id">), id: name.slice(PREFIX.length) }))
    .sort((a, b) => a.createdAtMs - b.createdAtMs);

export const silencesOf = (table: Table): SilenceStore => ({
  async put(silence, nowMs) {
    for (let left = TRIES; ; left -= 1) {
      const item = (await readMemoryItem(table)) ?? {};
      const stored = readSilences(item);
      // An update whose answer was lost is sent again by the SDK, and then fails on its own success.
      if (left < TRIES && stored.some(({ id }) => id === silence.id)) return true;
      const ended = stored.filter((other) => !isInForce(other, nowMs));
      if (stored.length - ended.length >= MAX_SILENCES) return false;
      try {
        await add(table, silence, ended, item[SILENCES_VERSION]);
        return true;
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException) || left === 1) throw error;
      }
      await setTimeout(Math.random() * WAIT_MS);
    }
  },
  remove: (id) => remove(table, id),
});

/**
 * Adds the silence if none was added since the item was read. What was removed since does no harm: there is more room.
 * @param version of the silences in that item; undefined where none was added in this way yet
 */
async function add(
  { client, name }: Table,
  { id, ...silence }: Silence,
  ended: readonly Silence[],
  version: number | undefined,
): Promise<void> {
  const removed = ended.map((_, i) => `#ended${i}`);
  await client.send(
    new UpdateCommand({
      TableName: name,
      Key: MEMORY_KEY,
      UpdateExpression: `SET #silence = :silence, ${SILENCES_VERSION} = :next${removed.length > 0 ? ` REMOVE ${removed.join(", ")}` : ""}`,
      ConditionExpression:
        version === undefined
          ? `attribute_not_exists(${SILENCES_VERSION})`
          : `${SILENCES_VERSION} = :version`,
      ExpressionAttributeNames: {
        "#silence": silenceAttribute(id),
        ...Object.fromEntries(ended.map((other, i) => [`#ended${i}`, silenceAttribute(other.id)])),
      },
      ExpressionAttributeValues: {
        ":silence": silence,
        ":next": (version ?? 0) + 1,
        ...(version !== undefined && { ":version": version }),
      },
    }),
  );
}

async function remove({ client, name }: Table, id: string): Promise<boolean> {
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
}
