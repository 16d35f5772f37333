/**
 * Journals: what recollections keep in items of their own, since it is too much for the memory. The memory holds the keys of
 * the items: what it does not name was left by no cycle. An item never changes, and so one that a process has read or
 * written once is not read again.
 */
import type { JournalEntry } from "../recall/recollection.ts";
import { formatInstant } from "../time.ts";
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

/** An entry with the key of its item. */
export interface StoredEntry extends JournalEntry {
  readonly key: string;
}

export interface JournalStore {
  /**
   * The entries of that journal that are kept, oldest first.
   * @param keys those that count, as the memory names them; null: all that there are
   */
  load(journal: Journal, keys: readonly string[] | null, nowMs: number): Promise<StoredEntry[]>;
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

const entryOf = ({ ids, sk }: Item): StoredEntry => ({
  key: String(sk),
  bytes: ids as Uint8Array,
  atMs: Date.parse(String(sk).slice(0, INSTANT_LENGTH)),
});

export function journalsOf(table: Table): JournalStore {
  /** What this process has read or written, by the key of the item, for each journal. */
  const known = new Map<string, ReadonlyMap<string, StoredEntry>>();

  async function* read(name: string, from: string): AsyncGenerator<StoredEntry> {
    const items = table.query({
      KeyConditionExpression: "pk = :pk AND sk >= :from",
      ExpressionAttributeValues: { ":pk": name, ":from": from },
      ConsistentRead: true,
    });
    for await (const item of items) yield entryOf(item);
  }

  return {
    async load({ name, keptSeconds }, keys, nowMs) {
      const oldest = formatInstant(nowMs - keptSeconds * 1000);
      const entries = new Map<string, StoredEntry>();
      const own = known.get(name);
      const wanted = keys && new Set(keys.filter((key) => key >= oldest));
      for (const key of wanted ?? []) {
        const entry = own?.get(key);
        if (entry) entries.set(key, entry);
      }
      const missing = wanted ? [...wanted].filter((key) => !entries.has(key)).sort()[0] : oldest;
      if (missing !== undefined)
        for await (const entry of read(name, missing))
          if (wanted?.has(entry.key) ?? true) entries.set(entry.key, entry);
      known.set(name, entries);
      return [...entries.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
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
      known.set(name, new Map([...(known.get(name) ?? []), ...added.map((one) => [one.key, one] as const)]));
      return added.map(({ key }) => key);
    },
  };
}
