/** Journals: what recollections keep in items of their own, since it is too much for the memory. */
import type { JournalEntry } from "../recall/recollection.ts";
import { formatInstant } from "../time.ts";
import type { Item, Table } from "./requests.ts";
import { expiresAt } from "./table.ts";

/** What one cycle adds to a journal. */
export interface JournalAddition {
  readonly name: string;
  readonly keptSeconds: number;
  /** Each small enough for one item. */
  readonly entries: readonly Uint8Array[];
}

export interface JournalStore {
  /** The entries of that journal that are kept, oldest first. */
  load(name: string, keptSeconds: number, nowMs: number): Promise<JournalEntry[]>;
  /**
   * Writes what a cycle adds to a journal.
   * @param version of the memory that the cycle began with: the clocks of two cycles may show the same instant
   * @param signal ends the tries
   * @throws where some of it could not be written
   */
  append(
    addition: JournalAddition,
    snapshotTime: string,
    version: number,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<void>;
}

/** The length of `2026-11-23T10:30:00.123Z`, which a sort key begins with. */
const INSTANT_LENGTH = 24;

export function journalsOf(table: Table): JournalStore {
  return {
    async load(name, keptSeconds, nowMs) {
      const entries: JournalEntry[] = [];
      const items = table.query({
        KeyConditionExpression: "pk = :pk AND sk >= :since",
        ExpressionAttributeValues: { ":pk": name, ":since": formatInstant(nowMs - keptSeconds * 1000) },
        ConsistentRead: true,
      });
      for await (const { ids, sk } of items)
        entries.push({ bytes: ids as Uint8Array, atMs: Date.parse(String(sk).slice(0, INSTANT_LENGTH)) });
      return entries;
    },

    append: (addition, snapshotTime, version, nowMs, signal) =>
      table.write(itemsOf(addition, `${snapshotTime}#${version}`, nowMs), signal),
  };
}

const itemsOf = ({ name, keptSeconds, entries }: JournalAddition, sortKey: string, nowMs: number): Item[] =>
  entries.map((ids, i) => ({
    pk: name,
    sk: i === 0 ? sortKey : `${sortKey}#${i}`,
    expires_at: expiresAt(nowMs, keptSeconds),
    ids,
  }));
