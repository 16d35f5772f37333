/** What a process keeps of a journal is what one would read that knows nothing, whatever other processes do meanwhile. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type JournalStore, journalsOf } from "../../shared/store/journals.ts";
import type { Item, Table } from "../../shared/store/requests.ts";
import { formatInstant, HOUR_MS, MINUTE_MS } from "../../shared/time.ts";
import { NO_DEADLINE, START_MS } from "../support/cycle.ts";

const JOURNAL = { name: "TERMINAL", keptSeconds: 2 * 3600 };

/** A table with what the journals need of one. It lists the keys that queries have given. */
function tableOf(items = new Map<string, Item>()) {
  const read: string[] = [];
  const table = {
    async *query({ ExpressionAttributeValues: { ":from": from } }: { ExpressionAttributeValues: Item }) {
      for (const sk of [...items.keys()].filter((key) => key >= from).sort()) {
        read.push(sk);
        yield items.get(sk)!;
      }
    },
    async write(added: readonly Item[]) {
      for (const item of added) items.set(item.sk, item);
    },
  } as unknown as Table;
  return { table, items, read };
}

/** What the MEMORY item holds of it, by the rules of the lease. */
interface Held {
  readonly version: number;
  readonly attempts: number;
  readonly keys: readonly string[] | null;
  /** Not in the item: what the next cycle must not miss. */
  readonly due: readonly string[];
}
const NOTHING: Held = { version: 0, attempts: 0, keys: null, due: [] };

/** Processes that share a table, each with a clock of its own, and one at a time with the lease. */
function platform() {
  const { table, items } = tableOf();
  const warm = [journalsOf(table), journalsOf(table)];
  let nowMs = START_MS;
  let held = NOTHING;
  let saved = { held, items: new Map(items) };
  let written = 0;
  const frozen: (() => Promise<unknown>)[] = [];

  /** Takes the lease, reads, and compares with what a process reads that knows nothing. */
  async function begin(journals: JournalStore, atMs: number) {
    held = { ...held, attempts: held.attempts + 1 };
    const { version, attempts } = held;
    const wanted = attempts > 1 ? null : held.keys;
    const { entries, keys, lost } = await journals.load(JOURNAL, wanted, atMs);
    expect(lost).toBe(0);
    expect(entries).toEqual((await journalsOf(table).load(JOURNAL, wanted, atMs)).entries);
    const all = await journalsOf(table).load(JOURNAL, null, atMs);
    // All but what was left by cycles that lost their lease.
    const kept = all.entries.filter((_, i) => keys.includes(all.keys.at(i - all.entries.length)!));
    expect(entries).toEqual(kept);
    const missed = all.keys.filter((key) => held.due.includes(key) && !keys.includes(key));
    expect(missed.filter((key) => key >= formatInstant(nowMs - 2 * HOUR_MS))).toEqual([]);
    return { version, attempts, keys };
  }
  const append = (journals: JournalStore, name: string, atMs: number) => {
    written += 1;
    const entries = Array.from({ length: 1 + (written % 2) }, (_, i) => Uint8Array.of(written, i));
    return journals.append({ ...JOURNAL, entries }, name, atMs, NO_DEADLINE);
  };
  const commit = (keys: readonly string[] | null, added: readonly string[], attempts: number) => {
    const due = [...held.due, ...(keys ?? []), ...added];
    held = { version: held.version + 1, attempts, keys: keys && [...keys, ...added], due };
  };

  return {
    pass: (minutes: number) => {
      nowMs += minutes * MINUTE_MS;
    },
    /** @param process 2 is a new one, which knows nothing @param skewMinutes of its clock */
    async cycle(process: number, end: "commits" | "quiet" | "is lost" | "freezes", skewMinutes = 0) {
      const journals = warm[process] ?? journalsOf(table);
      const atMs = nowMs + skewMinutes * MINUTE_MS;
      const { version, attempts, keys } = await begin(journals, atMs);
      const write = () => append(journals, `${formatInstant(atMs)}#${version}.${attempts}`, atMs);
      if (end === "freezes") frozen.push(write);
      else if (end === "is lost") held = { ...held, due: [...held.due, ...(await write())] };
      else commit(keys, end === "quiet" ? [] : await write(), 0);
    },
    /** A cycle that took the lease long ago writes its journal now. Its commit fails. */
    thaw: async () => void (await frozen.shift()?.()),
    /** A cycle of a release that reads all, and knows neither the keys nor the attempts. */
    async oldRelease() {
      const name = `${formatInstant(nowMs)}#${held.version}`;
      const added = await append(journalsOf(table), name, nowMs);
      commit(null, added, held.attempts);
    },
    save() {
      saved = { held, items: new Map(items) };
    },
    restore() {
      held = saved.held;
      items.clear();
      for (const [key, item] of saved.items) items.set(key, item);
    },
    empty() {
      held = NOTHING;
      items.clear();
    },
    /** The time to live has deleted what is over. It is late. */
    expire() {
      for (const [key, { expires_at }] of items) if (expires_at < nowMs / 1000 - 600) items.delete(key);
    },
  };
}

test("whatever two processes, new ones and an older release do, in any order", async () => {
  const minutes = fc.oneof(fc.constant(5), fc.integer({ min: 0, max: 200 }));
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.tuple(
        fc.constant("cycle" as const),
        fc.record({
          process: fc.integer({ min: 0, max: 2 }),
          end: fc.constantFrom(
            "commits" as const,
            "commits" as const,
            "quiet" as const,
            "is lost" as const,
            "freezes" as const,
          ),
          skew: fc.constantFrom(0, 0, -3, 6),
        }),
      ),
    },
    { weight: 3, arbitrary: fc.tuple(fc.constant("pass" as const), minutes) },
    {
      weight: 3,
      arbitrary: fc.tuple(
        fc.constantFrom(
          "thaw" as const,
          "oldRelease" as const,
          "save" as const,
          "restore" as const,
          "empty" as const,
          "expire" as const,
        ),
        fc.constant(null),
      ),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 12, maxLength: 40 }), async (steps) => {
      const at = platform();
      for (const [kind, what] of steps) {
        if (kind === "cycle") await at.cycle(what.process, what.end, what.skew);
        else if (kind === "pass") at.pass(what);
        else await at[kind]();
        at.pass(1 / 60);
      }
    }),
    { numRuns: 100 },
  );
});

describe("what is read of the table", () => {
  const at = (minute: number) => START_MS + minute * MINUTE_MS;
  const nameAt = (minute: number) => `${formatInstant(at(minute))}#${minute}.1`;
  const add = (journals: JournalStore, minute: number) =>
    journals.append(
      { ...JOURNAL, entries: [Uint8Array.of(minute)] },
      nameAt(minute),
      at(minute),
      NO_DEADLINE,
    );
  const minutesOf = async (journals: JournalStore, keys: readonly string[] | null, minute: number) =>
    (await journals.load(JOURNAL, keys, at(minute))).entries.map(({ atMs }) => (atMs - START_MS) / MINUTE_MS);

  test("nothing, by the process that ran all cycles; what is two hours old is left out all the same", async () => {
    const { table, read } = tableOf();
    const journals = journalsOf(table);
    const names = [0, 5, 10].map(nameAt);
    for (const minute of [0, 5, 10]) await add(journals, minute);
    expect(await minutesOf(journals, names, 15)).toEqual([0, 5, 10]);
    expect(await minutesOf(journals, names, 123)).toEqual([5, 10]);
    expect(read).toEqual([]);
  });

  test("what another process wrote since, and no more", async () => {
    const { table, read } = tableOf();
    const [one, other] = [journalsOf(table), journalsOf(table)];
    const names = [0, 5, 10, 15].map(nameAt);
    for (const minute of [0, 5]) await add(one, minute);
    for (const minute of [10, 15]) await add(other, minute);
    expect(await minutesOf(one, names, 20)).toEqual([0, 5, 10, 15]);
    expect(read).toEqual(names.slice(2));
  });

  test("by a process whose clock is hours ahead: it makes no other forget", async () => {
    const { table } = tableOf();
    const journals = journalsOf(table);
    const names = [0, 5].map(nameAt);
    for (const minute of [0, 5]) await add(journals, minute);
    const { entries, keys } = await journals.load(JOURNAL, names, at(10 + 180));
    expect(entries).toEqual([]);
    expect(await minutesOf(journals, keys, 10)).toEqual([0, 5]);
  });

  test("not an item that a cycle left which had lost its lease: it counts for nobody, however old its time", async () => {
    const { table } = tableOf();
    const [warm, late] = [journalsOf(table), journalsOf(table)];
    const names = [0, 10].map(nameAt);
    for (const minute of [0, 10]) await add(warm, minute);
    await add(late, 5);
    for (const journals of [warm, journalsOf(table)])
      expect(await minutesOf(journals, names, 15)).toEqual([0, 10]);
    // Where a cycle did not commit, nobody knows which are missing.
    for (const journals of [warm, journalsOf(table)])
      expect(await minutesOf(journals, null, 15)).toEqual([0, 5, 10]);
  });

  test("an item that is gone before its time is lost, once, to a process that has not read it before", async () => {
    const { table, items } = tableOf();
    const warm = journalsOf(table);
    const names = [0, 5, 10].map(nameAt);
    for (const minute of [0, 5, 10]) await add(warm, minute);
    items.delete(names[1]!);
    items.delete(names[2]!);
    const { lost, keys } = await journalsOf(table).load(JOURNAL, names, at(15));
    expect({ lost, keys }).toEqual({ lost: 2, keys: [names[0]] });
    // The next memory names what is left.
    expect(await journalsOf(table).load(JOURNAL, keys, at(20))).toMatchObject({ lost: 0, keys });
    expect(await warm.load(JOURNAL, names, at(15))).toMatchObject({ lost: 0, keys: names });
    // Nobody knows what there was where the memory names nothing.
    expect(await journalsOf(table).load(JOURNAL, null, at(15))).toMatchObject({ lost: 0, keys });
  });

  test("an item whose time is over, or nearly, is no loss: clocks differ", async () => {
    const { table } = tableOf();
    const lostAt = async (minute: number) =>
      (await journalsOf(table).load(JOURNAL, [nameAt(0)], at(minute))).lost;
    expect([await lostAt(109), await lostAt(110), await lostAt(111), await lostAt(125)]).toEqual([
      1, 1, 0, 0,
    ]);
  });

  test("a table that was put back to what it was: what is not in it is not remembered", async () => {
    const { table, items } = tableOf();
    const journals = journalsOf(table);
    await add(journals, 0);
    await add(journals, 5);
    items.delete(nameAt(5));
    expect(await minutesOf(journals, [nameAt(0)], 10)).toEqual([0]);
    items.clear();
    expect(await minutesOf(journals, null, 10)).toEqual([]);
  });
});
