/**
 * Journals: what recollections keep in items of their own, since it is too much for the memory. The memory holds the keys of
 * the items: what it does not name was left by no cycle. An item never changes, and so one that a process has read or
 * written once is not read again.
 */
import type { JournalEntry } from "../recall/recollection.ts";
import { formatInstant, MINUTE_MS } from "../time.ts";
import type { Item, Table } from "./requests.ts";
import { expiresAt } from "./table.ts";

/** The name of a journal, and for how long its entries are kept. */
export interface Journal {
  readonly name: string;
  readonly keptSeconds: number;
}

/** What one cycle adds to a journal. */
export interface JournalAddition extends Journal {
  /** Each small enough for one item. */
  readonly entries: readonly Uint8Array[];
}

/** What is kept of a journal. */
export interface Loaded {
  /** Oldest first. */
  readonly entries: readonly JournalEntry[];
  /** Of the items that are there, for the memory: also of some that are over for this process, and not by another's clock. */
  readonly keys: readonly string[];
  /** How many items the memory names that are gone before their time. */
  readonly lost: number;
}

export interface JournalStore {
  /** @param keys of the items that count, as the memory names them; null: of all that there are */
  load(journal: Journal, keys: readonly string[] | null, nowMs: number): Promise<Loaded>;
  /**
   * Writes what a cycle adds to a journal.
   * @param cycle its time, and what tells it from any other cycle: the keys begin with it
   * @param signal ends the tries
   * @returns the keys, for the memory
   * @throws where some of it could not be written
   */
  append(
    addition: JournalAddition,
    cycle: string,
    nowMs: number,
    signal: AbortSignal,
  ): Promise<readonly string[]>;
}

/** The length of `2026-11-23T10:30:00.123Z`, which a sort key begins with. */
const INSTANT_LENGTH = 24;
/** The clocks of two processes are no further apart. */
const CLOCKS_APART_MS = 10 * MINUTE_MS;

const timeOf = (key: string): number => Date.parse(key.slice(0, INSTANT_LENGTH));
const entryOf = ({ ids, sk }: Item) => [String(sk), { bytes: ids as Uint8Array, atMs: timeOf(sk) }] as const;

/** Leaves out the keys whose time is over. A process whose clock is ahead must not make the others forget. */
function stillKept(keys: readonly string[], keptMs: number, nowMs: number): Set<string> {
  const newestMs = keys.reduce((newest, key) => Math.max(newest, timeOf(key)), 0);
  const sinceMs = Math.min(nowMs, newestMs) - keptMs - CLOCKS_APART_MS;
  return new Set(keys.filter((key) => timeOf(key) >= sinceMs));
}

export function journalsOf(table: Table): JournalStore {
  /** What this process has read or written, by the key of the item, for each journal. */
  const known = new Map<string, ReadonlyMap<string, JournalEntry>>();

  async function* read(name: string, from: string): AsyncGenerator<readonly [string, JournalEntry]> {
    const items = table.query({
      KeyConditionExpression: "pk = :pk AND sk >= :from",
      ExpressionAttributeValues: { ":pk": name, ":from": from },
      ConsistentRead: true,
    });
    for await (const item of items) yield entryOf(item);
  }

  return {
    async load({ name, keptSeconds }, keys, nowMs) {
      const fromMs = nowMs - keptSeconds * 1000;
      const wanted = keys && stillKept(keys, keptSeconds * 1000, nowMs);
      const found = new Map([...(known.get(name) ?? [])].filter(([key]) => wanted?.has(key)));
      const missing = wanted
        ? [...wanted].filter((key) => !found.has(key)).sort()[0]
        : formatInstant(fromMs - CLOCKS_APART_MS);
      if (missing !== undefined)
        for await (const [key, entry] of read(name, missing))
          if (wanted?.has(key) ?? true) found.set(key, entry);
      known.set(name, found);
      // By its own clock DynamoDB may have deleted what is about to end by this one.
      const isDue = (key: string) => timeOf(key) >= fromMs + CLOCKS_APART_MS;
      const lost = [...(wanted ?? [])].filter((key) => !found.has(key) && isDue(key)).length;
      const sorted = [...found].sort(([a], [b]) => (a < b ? -1 : 1));
      return {
        entries: sorted.map(([, entry]) => entry).filter(({ atMs }) => atMs >= fromMs),
        keys: sorted.map(([key]) => key),
        lost,
      };
    },

    async append({ name, keptSeconds, entries }, cycle, nowMs, signal) {
      const items = entries.map((ids, i) => ({
        pk: name,
        sk: i === 0 ? cycle : `${cycle}#${i}`,
        expires_at: expiresAt(nowMs, keptSeconds),
        ids,
      }));
      await table.write(items, signal);
      const added = items.map(entryOf);
      known.set(name, new Map([...(known.get(name) ?? []), ...added]));
      return added.map(([key]) => key);
    },
  };
}
