import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  DeleteCommand,
  type DynamoDBDocumentClient,
  PutCommand,
  type QueryCommandInput,
} from "@aws-sdk/lib-dynamodb";
import { afterEach, describe, expect, test, vi } from "vitest";
import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY } from "../../shared/cycle/memory.ts";
import type { TerminalStatus } from "../../shared/facts/facts.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import {
  ENTRIES_IN_AN_ITEM,
  hashOf,
  type PinnedRun,
  packEntries,
  unpackEntries,
} from "../../shared/recall/run-journal.ts";
import { BadCursor } from "../../shared/store/cursor.ts";
import type { ViolationCount } from "../../shared/store/evidence.ts";
import type { ListPage, TimeRange, ViolationFilter } from "../../shared/store/history.ts";
import { type Lease, LeaseLost } from "../../shared/store/lease.ts";
import { outlineItem } from "../../shared/store/outline.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import { dayOf, dayOfViolation, violationId, violationSortKey } from "../../shared/store/table.ts";
import { formatInstant } from "../../shared/time.ts";
import type { ViolationRecord } from "../../shared/wire/schemas/violations.ts";
import {
  commit,
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  memoryAt,
  memoryIn,
  NO_DEADLINE,
  START_MS,
  useCanaries,
} from "../support/cycle.ts";
import { cycleAt } from "../support/cycle-record.ts";

const canaryOf = useCanaries();
const LEASE_MS = 60_000;

const storeOf = async () => (await canaryOf()).store;

let owners = 0;
/** Each call is another cycle. */
async function leaseOf(store: Store, nowMs: number): Promise<Lease> {
  owners += 1;
  const taken = await store.lease.acquire(`cycle-${owners}`, nowMs, LEASE_MS);
  if ("busyUntilMs" in taken) throw new Error("the lease is another's");
  return taken;
}

const TERMINAL = { name: "TERMINAL", keptSeconds: 2 * 3600 };
const terminalJournal = (entries: ReadonlyMap<string, TerminalStatus>) => ({
  ...TERMINAL,
  entries: packEntries(entries),
});
const loadTerminal = async (store: Store, nowMs: number, pinned: readonly PinnedRun[] = []) =>
  unpackEntries((await store.journals.load(TERMINAL, null, nowMs)).entries, pinned);

/** Counts the violations of each invariant and severity. */
function countsOf(violations: readonly Omit<ViolationRecord, "id">[]): ViolationCount[] {
  const counts = new Map<string, ViolationCount>();
  for (const { invariant_id: invariantId, severity } of violations) {
    const key = `${invariantId}/${severity}`;
    counts.set(key, { invariantId, severity, count: (counts.get(key)?.count ?? 0) + 1 });
  }
  return [...counts.values()];
}

/** Writes a cycle with these violations, as a cycle does: ids first. @returns the violations */
async function writeCycle(
  store: Store,
  atMs: number,
  drafts: Partial<ViolationRecord>[],
  terminal: ReadonlyMap<string, TerminalStatus> = new Map(),
): Promise<ViolationRecord[]> {
  const day = dayOf(atMs);
  const whole = drafts.map((draft) => ({
    invariant_id: "S-01",
    tier: "A" as const,
    severity: "critical" as const,
    subject: "alpha",
    snapshot_time: formatInstant(atMs),
    observed_state: { agent_name: "alpha" },
    signal_query: "q",
    ...draft,
  }));
  const first =
    whole.length > 0
      ? await store.evidence.reserveIds(day, countsOf(whole), whole.length, atMs, NO_DEADLINE)
      : 0;
  const violations = whole.map((draft, i) => ({ id: violationId(day, first + i), ...draft }));
  const cycle = cycleAt(atMs);
  await store.journals.append(terminalJournal(terminal), `${cycle.snapshot_time}#1.1`, atMs, NO_DEADLINE);
  await store.evidence.write({ cycle, violations, fullCycleAtMs: null }, atMs, NO_DEADLINE);
  return violations;
}

const rangeOf = (startMs: number, endMs: number, nowMs = Math.max(startMs, endMs)): TimeRange => ({
  startMs,
  endMs,
  nowMs,
});
const everything = (nowMs: number): TimeRange => rangeOf(nowMs - 80 * DAY_MS, nowMs);

/** Every page, each from the cursor of the one before. */
async function pagesOf<T>(read: (cursor: string | null) => Promise<ListPage<T>>): Promise<(readonly T[])[]> {
  const pages: (readonly T[])[] = [];
  let cursor: string | null = null;
  do {
    const page: ListPage<T> = await read(cursor);
    pages.push(page.items);
    cursor = page.cursor;
  } while (cursor !== null);
  return pages;
}

describe("the lease", () => {
  test("the first cycle ever gets it, with an empty memory", async () => {
    const lease = await leaseOf(await storeOf(), START_MS);
    expect(lease).toMatchObject({ untilMs: START_MS + LEASE_MS, memory: EMPTY_MEMORY });
  });

  test("of many at once exactly one gets it", async () => {
    const store = await storeOf();
    const taken = await Promise.all(
      Array.from({ length: 10 }, (_, i) => store.lease.acquire(`cycle ${i}`, START_MS, LEASE_MS)),
    );
    expect(taken.filter((t) => "owner" in t)).toHaveLength(1);
    for (const t of taken) if ("busyUntilMs" in t) expect(t.busyUntilMs).toBe(START_MS + LEASE_MS);
  });

  test("where DynamoDB sends the holder's lease along, its end is known to the millisecond", async () => {
    const held = { lease_until: { N: String(START_MS + 7_000) } };
    const refuses = {
      send: () => {
        throw new ConditionalCheckFailedException({ message: "refused", $metadata: {}, Item: held });
      },
    };
    const store = dynamoStore(refuses as unknown as DynamoDBDocumentClient, "t");
    expect(await store.lease.acquire("me", START_MS, LEASE_MS)).toEqual({ busyUntilMs: START_MS + 7_000 });
  });

  test("held until its last millisecond, free from its end on", async () => {
    const store = await storeOf();
    const dead = await leaseOf(store, START_MS);
    expect(await store.lease.acquire("me", dead.untilMs - 1, LEASE_MS)).toHaveProperty("busyUntilMs");
    expect(await store.lease.acquire("me", dead.untilMs, LEASE_MS)).toHaveProperty("owner");
  });

  test("given back: the next one has it at once, and the memory is as it was", async () => {
    const store = await storeOf();
    await commit(store, await leaseOf(store, START_MS), memoryAt(1));
    const lease = await leaseOf(store, START_MS);
    await store.lease.release(lease.owner);
    const next = await leaseOf(store, START_MS + 1);
    expect(next.memory).toEqual(memoryAt(1));
    expect(next.version).toBe(lease.version);
  });

  test("its memory names the items of the journals, unless a cycle has taken the lease and not committed", async () => {
    const store = await storeOf();
    const memory = { ...memoryAt(1), journals: { TERMINAL: ["2026-11-23T10:00:00.000Z#0.1"] } };
    const committed = await commit(store, await leaseOf(store, START_MS), memory);
    expect(committed.attempt).toBe(1);
    const lost = await leaseOf(store, START_MS + MINUTE_MS);
    expect(lost).toMatchObject({ attempt: 1, memory });
    await store.lease.release(lost.owner);
    const after = await leaseOf(store, START_MS + 2 * MINUTE_MS);
    expect(after).toMatchObject({ attempt: 2, memory: memoryAt(1) });
    expect(after.memory.journals).toBeUndefined();
    await commit(store, after, memory);
    expect(await leaseOf(store, START_MS + 3 * MINUTE_MS)).toMatchObject({ attempt: 1, memory });
  });

  test("taken again by its own owner, whose first answer was lost: the same memory, and a new end", async () => {
    const store = await storeOf();
    await commit(store, await leaseOf(store, START_MS), memoryAt(1));
    const first = await store.lease.acquire("me", START_MS, LEASE_MS);
    const again = await store.lease.acquire("me", START_MS + 7, LEASE_MS);
    expect(again).toEqual({ ...first, attempt: 2, untilMs: START_MS + 7 + LEASE_MS });
    expect(await store.lease.acquire("you", START_MS + LEASE_MS, LEASE_MS)).toHaveProperty("busyUntilMs");
    await commit(store, again as Lease, memoryAt(2));
    expect(await memoryIn(store)).toEqual(memoryAt(2));
  });

  test("given back by who never had it, or has given it back before: nothing happens", async () => {
    const store = await storeOf();
    await store.lease.release("me");
    expect(await memoryIn(store)).toEqual(EMPTY_MEMORY);
    const lease = await leaseOf(store, START_MS);
    await store.lease.release("me");
    expect(await store.lease.acquire("me", START_MS, LEASE_MS)).toHaveProperty("busyUntilMs");
    await store.lease.release(lease.owner);
    await store.lease.release(lease.owner);
    expect(await store.lease.acquire("me", START_MS, LEASE_MS)).toHaveProperty("owner", "me");
  });

  test("an answer without the item is an error, never a first cycle", async () => {
    for (const answer of [{}, { Attributes: {} }, { Attributes: { lease_owner: "you", version: 1 } }]) {
      const answers = { send: async () => answer } as unknown as DynamoDBDocumentClient;
      await expect(dynamoStore(answers, "t").lease.acquire("me", START_MS, LEASE_MS)).rejects.toThrow(
        /MEMORY/,
      );
    }
  });

  test("the commit gives it back too, and the next one gets the memory with it", async () => {
    const store = await storeOf();
    await commit(store, await leaseOf(store, START_MS), memoryAt(7));
    expect((await leaseOf(store, START_MS)).memory).toEqual(memoryAt(7));
    expect(await memoryIn(store)).toEqual(memoryAt(7));
  });

  test("a table that was never written has an empty memory to read", async () => {
    expect(await memoryIn(await storeOf())).toEqual(EMPTY_MEMORY);
  });
});

describe("a cycle whose lease has ended", () => {
  const takenOver = async () => {
    const store = await storeOf();
    const dead = await leaseOf(store, START_MS);
    const successor = await leaseOf(store, dead.untilMs);
    return { store, dead, successor };
  };

  test("can't commit while its successor runs", async () => {
    const { store, dead, successor } = await takenOver();
    await expect(commit(store, dead, memoryAt(1))).rejects.toThrow(LeaseLost);
    await commit(store, successor, memoryAt(2));
    expect(await memoryIn(store)).toEqual(memoryAt(2));
  });

  test("can't commit after its successor has", async () => {
    const { store, dead, successor } = await takenOver();
    await commit(store, successor, memoryAt(2));
    await expect(commit(store, dead, memoryAt(1))).rejects.toThrow(LeaseLost);
    expect(await memoryIn(store)).toEqual(memoryAt(2));
  });

  test("can't commit after its successor has given up", async () => {
    const { store, dead, successor } = await takenOver();
    await store.lease.release(successor.owner);
    await expect(commit(store, dead, memoryAt(1))).rejects.toThrow(LeaseLost);
  });

  test("can't commit on a version that is not the one it read, though it is the owner", async () => {
    const store = await storeOf();
    await commit(store, await leaseOf(store, START_MS), memoryAt(1));
    const lease = await leaseOf(store, START_MS);
    await expect(commit(store, { ...lease, version: lease.version - 1 }, memoryAt(2))).rejects.toThrow(
      LeaseLost,
    );
    await expect(commit(store, { ...lease, version: lease.version + 1 }, memoryAt(2))).rejects.toThrow(
      LeaseLost,
    );
    expect(await memoryIn(store)).toEqual(memoryAt(1));
  });

  test("does no harm by giving back what is not its own", async () => {
    const { store, dead, successor } = await takenOver();
    await store.lease.release(dead.owner);
    expect(await store.lease.acquire("me", dead.untilMs + 1, LEASE_MS)).toHaveProperty("busyUntilMs");
    await commit(store, successor, memoryAt(2));
    await store.lease.release(dead.owner);
    await store.lease.release(successor.owner);
    expect(await memoryIn(store)).toEqual(memoryAt(2));
  });

  test("a commit whose answer was lost and that is sent again has happened once", async () => {
    const { store, successor } = await takenOver();
    await commit(store, successor, memoryAt(2));
    await commit(store, successor, memoryAt(2));
    expect((await leaseOf(store, successor.untilMs)).version).toBe(successor.version + 1);
  });
});

describe("violations, newest first", () => {
  /** Three days with three, none and four violations. */
  const threeDays = async () => {
    const store = await storeOf();
    const first = await writeCycle(store, START_MS, [
      {},
      { severity: "major", invariant_id: "E-05", tier: "B" },
      {},
    ]);
    const nowMs = START_MS + 2 * DAY_MS;
    const second = await writeCycle(store, nowMs - HOUR_MS, [{ subject: "beta" }, {}]);
    const third = await writeCycle(store, nowMs, [{ severity: "major", invariant_id: "L-03" }, {}]);
    const newestFirst = [...first, ...second, ...third].map((v) => v.id).reverse();
    return { store, nowMs, newestFirst };
  };

  test("over several days", async () => {
    const { store, nowMs, newestFirst } = await threeDays();
    const page = await store.history.listViolations(everything(nowMs), 1000, null);
    expect(page.items.map((v) => v.id)).toEqual(newestFirst);
    expect(page.cursor).toBeNull();
  });

  test.each([1, 2, 3, 4, 6, 7, 8])(
    "in pages of %i: each once, and no empty page at the end",
    async (limit) => {
      const { store, nowMs, newestFirst } = await threeDays();
      const pages = await pagesOf((cursor) => store.history.listViolations(everything(nowMs), limit, cursor));
      expect(pages.flat().map((v) => v.id)).toEqual(newestFirst);
      expect(pages.map((p) => p.length)).toEqual(
        Array.from({ length: Math.ceil(7 / limit) }, (_, i) => Math.min(limit, 7 - i * limit)),
      );
    },
  );

  test("what is written between two pages moves nothing", async () => {
    const { store, nowMs, newestFirst } = await threeDays();
    const { items, cursor } = await store.history.listViolations(everything(nowMs), 3, null);
    await writeCycle(store, nowMs + MINUTE_MS, [{}, {}]);
    const rest = await store.history.listViolations(everything(nowMs), 1000, cursor);
    expect([...items, ...rest.items].map((v) => v.id)).toEqual(newestFirst);
  });

  test.each<[string, Partial<ViolationFilter>, number]>([
    ["one invariant", { invariantId: "E-05" }, 1],
    ["an invariant that was never red", { invariantId: "R-01" }, 0],
    ["a severity", { severity: "major" }, 2],
    ["a tier", { tier: "B" }, 1],
    ["a severity and a tier", { severity: "major", tier: "A" }, 1],
    ["the first day", { endMs: START_MS }, 3],
    ["the last hour, its both ends among it", { startMs: START_MS + 2 * DAY_MS - HOUR_MS }, 4],
    ["an instant", { startMs: START_MS, endMs: START_MS }, 3],
    ["a millisecond too late", { startMs: START_MS + 2 * DAY_MS - HOUR_MS + 1 }, 2],
    ["a day without any", { startMs: START_MS + DAY_MS - HOUR_MS, endMs: START_MS + DAY_MS }, 0],
  ])("of %s", async (_, filter, count) => {
    const { store, nowMs, newestFirst } = await threeDays();
    const page = await store.history.listViolations({ ...everything(nowMs), ...filter }, 1000, null);
    expect(page.items).toHaveLength(count);
    expect(newestFirst.filter((id) => page.items.some((v) => v.id === id))).toEqual(
      page.items.map((v) => v.id),
    );
  });

  test("a filter that lets few through still fills its pages", async () => {
    const store = await storeOf();
    const drafts = Array.from({ length: 260 }, (_, i) => ({
      subject: `a-${i}`,
      invariant_id: i % 100 ? "S-01" : "R-01",
    }));
    await writeCycle(store, START_MS, drafts);
    const filter = { ...everything(START_MS), invariantId: "R-01" };
    const pages = await pagesOf((cursor) => store.history.listViolations(filter, 2, cursor));
    expect(pages.map((page) => page.map((v) => v.subject))).toEqual([["a-200", "a-100"], ["a-0"]]);
  });

  test.each([
    "",
    "garbage",
    "bm90LWpzb24",
    Buffer.from('["today","x"]').toString("base64url"),
    Buffer.from("{}").toString("base64url"),
    Buffer.from('["2026-11-23",7]').toString("base64url"),
  ])("a cursor that nobody gave out (%j) is refused", async (cursor) => {
    const { store, nowMs } = await threeDays();
    await expect(store.history.listViolations(everything(nowMs), 10, cursor)).rejects.toThrow(BadCursor);
    await expect(store.history.listCycles(everything(nowMs), 10, cursor)).rejects.toThrow(BadCursor);
  });

  test("1,000 violations of one cycle are all there, each with its own id", async () => {
    const store = await storeOf();
    const drafts = Array.from({ length: 1000 }, (_, i) => ({ subject: `agent-${i}` }));
    const written = await writeCycle(store, START_MS, drafts);
    const { items, cursor } = await store.history.listViolations(everything(START_MS), 1000, null);
    expect(cursor).toBeNull();
    expect(items).toEqual([...written].reverse());
    expect(new Set(items.map((v) => v.id)).size).toBe(1000);
  });
});

describe("a violation's id", () => {
  test("holds its day and its place", () => {
    expect(violationId("2026-11-23", 21)).toBe(20261123000021);
    expect(dayOfViolation(20261123000021)).toBe("2026-11-23");
  });

  test("a day of more than a million goes on, and stays in order", () => {
    const ids = [
      violationId("2026-11-23", 999_999),
      violationId("2026-11-23", 1_000_000),
      violationId("2026-11-23", 99_999_999),
    ];
    expect(ids.map(dayOfViolation)).toEqual(["2026-11-23", "2026-11-23", "2026-11-23"]);
    expect(ids.every(Number.isSafeInteger)).toBe(true);
    expect(ids.map(violationSortKey).sort()).toEqual(ids.map(violationSortKey));
  });

  test.each([0, 1, 20261123, -20261123000021, 2.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "%s holds no day, and finds nothing",
    async (id) => {
      expect(dayOfViolation(id)).toBeNull();
      expect(await (await storeOf()).history.getViolation(id, START_MS)).toBeNull();
    },
  );

  test("finds its violation, and no other", async () => {
    const store = await storeOf();
    const [one, two] = await writeCycle(store, START_MS, [{}, { subject: "beta" }]);
    expect(await store.history.getViolation(one!.id, START_MS)).toEqual(one);
    expect(await store.history.getViolation(two!.id, START_MS)).toEqual(two);
    expect(await store.history.getViolation(two!.id + 1, START_MS)).toBeNull();
  });

  test("blocks that are reserved at the same time don't overlap", async () => {
    const store = await storeOf();
    const block = [{ invariantId: "S-01", severity: "critical" as const, count: 5 }];
    const firsts = await Promise.all(
      Array.from({ length: 8 }, () =>
        store.evidence.reserveIds("2026-11-23", block, 5, START_MS, NO_DEADLINE),
      ),
    );
    expect(firsts.sort((a, b) => a - b)).toEqual([1, 6, 11, 16, 21, 26, 31, 36]);
  });

  test("each day begins at one", async () => {
    const store = await storeOf();
    const block = [{ invariantId: "S-01", severity: "critical" as const, count: 1 }];
    expect(await store.evidence.reserveIds("2026-11-23", block, 1, START_MS, NO_DEADLINE)).toBe(1);
    expect(await store.evidence.reserveIds("2026-11-24", block, 1, START_MS, NO_DEADLINE)).toBe(1);
  });
});

describe("what has expired is not there, though DynamoDB has not deleted it", () => {
  const LAST_MOMENT = START_MS + 90 * DAY_MS - 1000;

  test("a violation, by its id and in the list", async () => {
    const store = await storeOf();
    const [violation] = await writeCycle(store, START_MS, [{}]);
    const listed = async (nowMs: number) =>
      (await store.history.listViolations(rangeOf(START_MS, nowMs), 10, null)).items.length;
    expect(await store.history.getViolation(violation!.id, LAST_MOMENT)).not.toBeNull();
    expect(await listed(LAST_MOMENT)).toBe(1);
    expect(await store.history.getViolation(violation!.id, START_MS + 90 * DAY_MS)).toBeNull();
    expect(await listed(START_MS + 90 * DAY_MS)).toBe(0);
  });

  test("a cycle, and the pages that it would have filled", async () => {
    const store = await storeOf();
    for (const atMs of [START_MS, START_MS + HOUR_MS]) await writeCycle(store, atMs, []);
    const listed = async (nowMs: number) =>
      (await store.history.listCycles(rangeOf(START_MS, nowMs), 10, null)).items.map((c) => c.snapshot_time);
    expect(await listed(LAST_MOMENT)).toHaveLength(2);
    expect(await listed(START_MS + 90 * DAY_MS)).toEqual([formatInstant(START_MS + HOUR_MS)]);
    expect(await listed(START_MS + 90 * DAY_MS + HOUR_MS)).toEqual([]);
    const page = await store.history.listCycles(rangeOf(START_MS, START_MS + 90 * DAY_MS), 1, null);
    expect(page).toMatchObject({ items: [{}], cursor: null });
  });

  test("a day's counters, 90 days after its last violation", async () => {
    const store = await storeOf();
    await writeCycle(store, START_MS, [{}]);
    await writeCycle(store, START_MS + HOUR_MS, [{}]);
    const counted = async (nowMs: number) =>
      (await store.history.stats(rangeOf(START_MS, nowMs))).map((d) => d.counts);
    const both = [[{ invariantId: "S-01", severity: "critical", count: 2 }]];
    expect(await counted(LAST_MOMENT)).toEqual(both);
    expect(await counted(LAST_MOMENT + HOUR_MS)).toEqual(both);
    expect(await counted(START_MS + 90 * DAY_MS + HOUR_MS)).toEqual([]);
  });

  test("the terminal memory, after two hours", async () => {
    const store = await storeOf();
    await writeCycle(store, START_MS, [], new Map([[hashOf("run-1"), "success"]]));
    expect((await loadTerminal(store, START_MS + 2 * HOUR_MS)).size).toBe(1);
    expect((await loadTerminal(store, START_MS + 2 * HOUR_MS + 1)).size).toBe(0);
  });
});

describe("the terminal memory in the table", () => {
  test("100,000 ids of one cycle come back from several items", async () => {
    const store = await storeOf();
    const entries = new Map<string, TerminalStatus>();
    for (let i = 0; i < 100_000; i += 1) entries.set(hashOf(`run-${i}`), i % 2 ? "failed" : "success");
    await writeCycle(store, START_MS, [], entries);
    const memory = await loadTerminal(store, START_MS + MINUTE_MS);
    expect(memory.size).toBe(100_000);
    // A sample: 100,000 that differ would take minutes to be told.
    for (const [hash, status] of [...entries].filter((_, i) => i % 997 === 0))
      expect(memory.get(hash)).toEqual({ status, atMs: START_MS });
    const unlike = [...entries].filter(([hash, status]) => memory.get(hash)?.status !== status);
    expect(unlike.length).toBe(0);
  });

  test("a later cycle's word wins, and what is pinned is there too", async () => {
    const store = await storeOf();
    await writeCycle(store, START_MS, [], new Map([[hashOf("run-1"), "failed"]]));
    await writeCycle(store, START_MS + 5 * MINUTE_MS, [], new Map([[hashOf("run-1"), "success"]]));
    const memory = await loadTerminal(store, START_MS + 10 * MINUTE_MS, [
      { hash: hashOf("old"), status: "skipped" },
    ]);
    expect(memory.get(hashOf("run-1"))).toEqual({ status: "success", atMs: START_MS + 5 * MINUTE_MS });
    expect(memory.get(hashOf("old"))?.status).toBe("skipped");
  });

  test("the entries of one cycle that needed several items all have that cycle's time", async () => {
    const store = await storeOf();
    const entries = new Map(
      Array.from({ length: ENTRIES_IN_AN_ITEM + 1 }, (_, i) => [hashOf(`run-${i}`), "success" as const]),
    );
    await writeCycle(store, START_MS + 123, [], entries);
    const memory = await loadTerminal(store, START_MS + MINUTE_MS);
    expect(new Set([...memory].map(([, sighting]) => sighting).map((entry) => entry.atMs))).toEqual(
      new Set([START_MS + 123]),
    );
    expect(memory.size).toBe(ENTRIES_IN_AN_ITEM + 1);
  });
});

describe("cycles and counters", () => {
  test("cycles are listed newest first over days, in pages", async () => {
    const store = await storeOf();
    const times = [0, 5 * MINUTE_MS, 14 * HOUR_MS, DAY_MS, 2 * DAY_MS].map((ms) => START_MS + ms);
    for (const atMs of times) await writeCycle(store, atMs, []);
    const pages = await pagesOf((cursor) => store.history.listCycles(everything(times[4]!), 2, cursor));
    expect(pages.flat()).toEqual(times.map(cycleAt).reverse());
    expect(pages.map((p) => p.length)).toEqual([2, 2, 1]);
  });

  test("a range takes in both its ends and nothing beyond", async () => {
    const store = await storeOf();
    const times = [-1, 0, HOUR_MS, HOUR_MS + 1].map((ms) => START_MS + ms);
    for (const atMs of times) await writeCycle(store, atMs, []);
    const { items } = await store.history.listCycles(rangeOf(START_MS, START_MS + HOUR_MS), 10, null);
    expect(items.map((c) => Date.parse(c.snapshot_time))).toEqual([START_MS + HOUR_MS, START_MS]);
  });

  test("an outline has every cycle of the range, newest first, with the verdicts that were asked for and no more", async () => {
    const store = await storeOf();
    const times = [-1, 0, 14 * HOUR_MS, DAY_MS, DAY_MS + 1].map((ms) => START_MS + ms);
    for (const atMs of times) await writeCycle(store, atMs, []);
    const range = rangeOf(START_MS, START_MS + DAY_MS);
    const outlines = await store.history.outlineCycles(range, ["S-01", "S-02"]);
    expect(outlines).toEqual(
      times
        .slice(1, 4)
        .reverse()
        .map((atMs) => ({
          snapshot_time: formatInstant(atMs),
          trigger: "schedule",
          checks_off: [],
          verdicts: { "S-01": { status: "green" } },
          found: {},
        })),
    );
    expect((await store.history.outlineCycles(range, ["S-02"]))[0]!.verdicts).toEqual({});
    expect(await store.history.outlineCycles({ ...range, nowMs: START_MS + 91 * DAY_MS }, ["S-01"])).toEqual(
      [],
    );
    expect(await store.history.outlineCycles(rangeOf(START_MS + 1, START_MS), ["S-01"])).toEqual([]);
  });

  /** Writes a cycle every ten minutes for a day, those of some hours by an older version, which wrote records alone. */
  async function dayWithOlder(isOlder: (hour: number) => boolean) {
    const { store, client, table } = await canaryOf();
    const items = Array.from({ length: 144 }, (_, i) => START_MS + i * 10 * MINUTE_MS);
    for (const [i, atMs] of items.entries()) {
      const cycle = { ...cycleAt(atMs), is_full: i % 2 === 0, red_subjects: i };
      await store.evidence.write({ cycle, violations: [], fullCycleAtMs: null }, atMs, NO_DEADLINE);
      const pk = `OUTLINE#${dayOf(atMs)}`;
      if (isOlder(Math.floor((atMs - START_MS) / HOUR_MS)))
        await client.send(new DeleteCommand({ TableName: table, Key: { pk, sk: formatInstant(atMs) } }));
    }
    const range = rangeOf(START_MS, START_MS + DAY_MS);
    const times = (list: readonly { time: string }[]) => list.map(({ time }) => time);
    return {
      all: items.map(formatInstant),
      outlined: (await store.history.outlineCycles(range, ["S-01"])).map((c) => c.snapshot_time).reverse(),
      drawn: times(await store.history.series(range)),
      points: await store.history.series(range),
    };
  }

  test("the bars have every cycle and the plots every full one where an older version ran twice, since upgrades were undone", async () => {
    const { all, outlined, drawn, points } = await dayWithOlder(
      (hour) => (hour > 3 && hour < 9) || (hour > 11 && hour < 15),
    );
    expect(outlined).toEqual(all);
    expect(drawn).toEqual(all.filter((_, i) => i % 2 === 0));
    // One of this version, and one of the older.
    for (const i of [7, 15])
      expect(points[i]).toEqual({
        time: all[2 * i],
        duration_ms: 106,
        source_latency_ms: null,
        red_subjects: 2 * i,
      });
  });

  test("a bar knows what was found, and where its violations are, without the words", async () => {
    const store = await storeOf();
    const found = { violations: 1_003, first_violation_id: 20261123000021, summary: "ruby: three slots" };
    const cycle = {
      ...cycleAt(START_MS),
      checks_off: ["R-01"],
      verdicts: { "S-02": { status: "red" as const, checked: 9, unseen: ["nina"], reason: "unread" } },
      found: { "S-02": found },
    };
    await store.evidence.write({ cycle, violations: [], fullCycleAtMs: null }, START_MS, NO_DEADLINE);
    expect(await store.history.outlineCycles(rangeOf(START_MS, START_MS), ["S-01", "S-02"])).toEqual([
      {
        snapshot_time: cycle.snapshot_time,
        trigger: "schedule",
        checks_off: ["R-01"],
        verdicts: { "S-02": { status: "red" } },
        found: { "S-02": { violations: 1_003, first_violation_id: 20261123000021 } },
      },
    ]);
  });

  test("an outline is one write unit, whatever is red and however many names and texts the record has", () => {
    const cycle = {
      ...cycleAt(START_MS),
      source_latency_ms: { sqlite: 10_000, queue_counts: 10_000, redis: 10_000, docker: 10_000 },
      red_subjects: 10_000,
      verdicts: Object.fromEntries(
        INVARIANT_IDS.map((id) => [
          id,
          {
            status: "unknown" as const,
            checked: 10_000,
            unseen: ["x".repeat(9_000)],
            reason: "y".repeat(900),
          },
        ]),
      ),
      found: Object.fromEntries(
        INVARIANT_IDS.map((id) => [
          id,
          { violations: 10_000, first_violation_id: 20261123000021, summary: "z".repeat(900) },
        ]),
      ),
    };
    // DynamoDB counts names and values.
    const item = { expires_at: "1800000000", ...outlineItem(cycle) };
    expect(Buffer.byteLength(Object.entries(item).flat().join(""))).toBeLessThan(1_024);
  });

  test("one cycle by its time, while it is kept", async () => {
    const store = await storeOf();
    await writeCycle(store, START_MS, []);
    const time = formatInstant(START_MS);
    expect(await store.history.getCycle(time, START_MS)).toEqual(cycleAt(START_MS));
    expect(await store.history.getCycle(formatInstant(START_MS + 1), START_MS)).toBeNull();
    expect(await store.history.getCycle(time, START_MS + 91 * DAY_MS)).toBeNull();
  });

  test("counters are kept by day, invariant and severity", async () => {
    const store = await storeOf();
    const major = { severity: "major" as const, invariant_id: "L-03" };
    await writeCycle(store, START_MS, [{}, {}, major]);
    await writeCycle(store, START_MS + MINUTE_MS, [{}, { invariant_id: "L-03" }]);
    await writeCycle(store, START_MS + DAY_MS, [major]);
    const counts = (await store.history.stats(rangeOf(START_MS, START_MS + DAY_MS))).map(
      ({ day, counts }) => [day, counts.map((c) => `${c.invariantId} ${c.severity} ${c.count}`).sort()],
    );
    expect(counts).toEqual([
      ["2026-11-23", ["L-03 critical 1", "L-03 major 1", "S-01 critical 3"]],
      ["2026-11-24", ["L-03 major 1"]],
    ]);
    expect(await store.history.stats(rangeOf(START_MS + 2 * DAY_MS, START_MS + 7 * DAY_MS))).toEqual([]);
  });

  test("a range whose ends are swapped has nothing in it", async () => {
    const store = await storeOf();
    await writeCycle(store, START_MS, [{}]);
    await writeCycle(store, START_MS + DAY_MS, [{}]);
    for (const ms of [1, DAY_MS, 30 * DAY_MS]) {
      const swapped = rangeOf(START_MS + DAY_MS, START_MS + DAY_MS - ms);
      expect(await store.history.stats(swapped)).toEqual([]);
      expect(await store.history.listCycles(swapped, 10, null)).toEqual({ items: [], cursor: null });
      expect(await store.history.listViolations(swapped, 10, null)).toEqual({ items: [], cursor: null });
    }
  });
});

describe("items that would be too large", () => {
  test("a violation with 100,000 ids is kept with the first of them and their number", async () => {
    const store = await storeOf();
    const slot_ids = Array.from({ length: 100_000 }, (_, i) => `execution-${i}`);
    const [violation] = await writeCycle(store, START_MS, [
      { observed_state: { slot_ids, slot_count: 100_000 } },
    ]);
    const kept = await store.history.getViolation(violation!.id, START_MS);
    expect(kept?.observed_state).toEqual({
      slot_ids: slot_ids.slice(0, 500),
      slot_ids_total: 100_000,
      slot_count: 100_000,
    });
  });

  test("what is small enough is kept whole, however many ids it has", async () => {
    const store = await storeOf();
    const slot_ids = Array.from({ length: 5_000 }, (_, i) => `execution-${i}`);
    const [violation] = await writeCycle(store, START_MS, [{ observed_state: { slot_ids } }]);
    expect((await store.history.getViolation(violation!.id, START_MS))?.observed_state).toEqual({ slot_ids });
  });

  test("ids that are long are cut to fewer than ids that are short", async () => {
    const store = await storeOf();
    const ids = (length: number) => Array.from({ length: 500 }, (_, i) => `${i}-`.padEnd(length, "x"));
    const kept = async (observed_state: Record<string, unknown>) => {
      const [violation] = await writeCycle(store, START_MS, [{ observed_state }]);
      return (await store.history.getViolation(violation!.id, START_MS))?.observed_state;
    };
    expect(await kept({ in_redis_only: ids(500), in_sql_only: ids(500) })).toEqual({
      in_redis_only: ids(500).slice(0, 100),
      in_redis_only_total: 500,
      in_sql_only: ids(500).slice(0, 100),
      in_sql_only_total: 500,
    });
    expect(await kept({ slot_ids: ids(4_000) })).toEqual({
      slot_ids: ids(1_000)
        .slice(0, 100)
        .map((id) => `${id.slice(0, 999)}…`),
      slot_ids_total: 500,
    });
  });

  test("texts of characters that take several bytes are counted in bytes", async () => {
    const store = await storeOf();
    const id = "名".repeat(150_000);
    const [violation] = await writeCycle(store, START_MS, [
      { subject: id, signal_query: id, observed_state: { agent_name: id, sample_refs: [{ row_id: id }] } },
    ]);
    const cut = `${"名".repeat(9_999)}…`;
    expect(await store.history.getViolation(violation!.id, START_MS)).toEqual({
      ...violation,
      subject: cut,
      signal_query: cut,
      observed_state: { agent_name: cut, sample_refs: [{ row_id: cut }] },
    });
  });

  test("a cycle that many sources had much to say about is listed all the same", async () => {
    const store = await storeOf();
    const said = Array.from({ length: 50 }, (_, i) => `docker.exec[${i}]: ${"x".repeat(9_000)}`);
    const cycle = { ...cycleAt(START_MS), sources_unavailable: said };
    await store.evidence.write({ cycle, violations: [], fullCycleAtMs: null }, START_MS, NO_DEADLINE);
    const { items } = await store.history.listCycles(everything(START_MS), 10, null);
    expect(items).toMatchObject([{ trigger: "schedule", verdicts: cycle.verdicts }]);
    expect(items[0]?.sources_unavailable).toHaveLength(50);
  });

  test("a memory with 100,000 red subjects is taken by the table, and they are red after it", async () => {
    const store = await storeOf();
    const red = Object.fromEntries(
      Array.from({ length: 100_000 }, (_, i) => [
        `${i}-`.padEnd(500, `${i}x`),
        { sinceMs: 0, keys: [`k-${i}`] },
      ]),
    );
    const state = { ...NEVER_JUDGED, status: "red" as const, sinceMs: 0, lastRedAtMs: 0, red };
    await commit(store, await leaseOf(store, START_MS), { ...EMPTY_MEMORY, states: { "S-01": state } });
    const back = (await memoryIn(store)).states["S-01"]!;
    expect(Object.keys(back.red).length + back.redBesides).toBe(100_000);
  });
});

describe("a memory in the table that can't be read", () => {
  test("is an error for a cycle that takes the lease and for a read, never a first cycle", async () => {
    const { store, client, table } = await canaryOf();
    const Item = { pk: "MEMORY", sk: "MEMORY", version: 3, memory: new Uint8Array([1, 2, 3]) };
    await client.send(new PutCommand({ TableName: table, Item }));
    await expect(store.lease.read()).rejects.toThrow();
    await expect(store.lease.acquire("me", START_MS, LEASE_MS)).rejects.toThrow();
    await store.lease.release("me");
    await expect(store.lease.acquire("you", START_MS, LEASE_MS)).rejects.toThrow();
  });
});

describe("DynamoDB takes only a part of a batch", () => {
  afterEach(() => void vi.useRealTimers());

  /** A client that takes so many items of each batch. */
  function throttled(takes: number) {
    const batches: unknown[][] = [];
    const taken: unknown[] = [];
    const client = {
      send: async (command: unknown) => {
        if (!(command instanceof BatchWriteCommand)) throw new Error("only batches are written here");
        const requests = command.input.RequestItems?.t ?? [];
        batches.push(requests);
        taken.push(...requests.slice(0, takes));
        const rest = requests.slice(takes);
        return rest.length > 0 ? { UnprocessedItems: { t: rest } } : {};
      },
    };
    return { batches, taken, store: dynamoStore(client as unknown as DynamoDBDocumentClient, "t") };
  }
  const evidence = (count: number) => ({
    cycle: cycleAt(START_MS),
    violations: Array.from(
      { length: count },
      (_, i): ViolationRecord => ({
        id: violationId("2026-11-23", i + 1),
        invariant_id: "S-01",
        tier: "A",
        severity: "critical",
        subject: `agent-${i}`,
        snapshot_time: formatInstant(START_MS),
        observed_state: {},
        signal_query: "q",
      }),
    ),
    fullCycleAtMs: null,
  });

  test("the rest is sent again until all is taken", async () => {
    vi.useFakeTimers();
    const { store, taken, batches } = throttled(10);
    const written = store.evidence.write(evidence(23), START_MS, NO_DEADLINE);
    await vi.runAllTimersAsync();
    await written;
    expect(batches.map((b) => b.length)).toEqual([25, 15, 5]);
    expect(new Set(taken).size).toBe(25);
  });

  test("no batch has more than the 25 items that DynamoDB allows", async () => {
    const { store, batches } = throttled(25);
    await store.evidence.write(evidence(260), START_MS, NO_DEADLINE);
    expect(Math.max(...batches.map((b) => b.length))).toBe(25);
    expect(batches.flat()).toHaveLength(262);
  });

  test("where nothing is ever taken, the cycle hears of it", async () => {
    vi.useFakeTimers();
    const { store, batches } = throttled(0);
    const deadline = new AbortController();
    const written = store.evidence.write(evidence(4), START_MS, deadline.signal);
    const failed = expect(written).rejects.toThrow("no answer within 12000 ms");
    await vi.advanceTimersByTimeAsync(60_000);
    deadline.abort(new Error("no answer within 12000 ms"));
    await failed;
    expect(batches.length).toBeGreaterThan(2);
  });

  test("an item that is refused keeps none of the others out, and the cycle hears of it", async () => {
    const taken: string[] = [];
    const client = {
      send: async ({ input }: { input: BatchWriteCommand["input"] }) => {
        const requests = Object.values(input.RequestItems!).flat();
        if (requests.some(({ PutRequest }) => PutRequest!.Item!.subject === "agent-3"))
          throw Object.assign(new Error("Item size has exceeded"), { name: "ValidationException" });
        taken.push(...requests.map(({ PutRequest }) => String(PutRequest!.Item!.sk)));
        return {};
      },
    };
    const store = dynamoStore(client as unknown as DynamoDBDocumentClient, "t");
    await expect(store.evidence.write(evidence(260), START_MS, NO_DEADLINE)).rejects.toThrow("Item size");
    expect(new Set(taken).size).toBe(260);
  });
});

describe("a filter that leaves little of many violations", () => {
  const endless = () => {
    const queries: QueryCommandInput[] = [];
    const client = {
      send: async ({ input }: { input: QueryCommandInput }) => {
        queries.push(input);
        if (input.ExpressionAttributeValues![":pk"] === "STATS")
          return { Items: [{ pk: "STATS", sk: "2026-11-23", expires_at: 9e9 }] };
        return { Items: [], LastEvaluatedKey: { pk: "VIOLATION#2026-11-23", sk: `${9e9 - queries.length}` } };
      },
    };
    return { queries, store: dynamoStore(client as unknown as DynamoDBDocumentClient, "t") };
  };
  const filter = { startMs: 0, endMs: START_MS, nowMs: START_MS, subject: "ruby" };

  test("a page ends after some requests of a megabyte each, also where it is empty, and the next goes on", async () => {
    const { store, queries } = endless();
    const { items, cursor } = await store.history.listViolations(filter, 20, null);
    expect([items, queries.length]).toEqual([[], 21]);
    expect(queries.at(-1)!.Limit).toBeUndefined();
    await store.history.listViolations(filter, 20, cursor);
    expect(queries[22]!.ExpressionAttributeValues).toMatchObject({ ":before": `${9e9 - 21}` });
  });

  test("what is older than the time asked for ends it: a day has the ids of a thousand cycles", async () => {
    const asked: QueryCommandInput[] = [];
    const hour = (n: number) => formatInstant(START_MS - n * HOUR_MS);
    const client = {
      send: async ({ input }: { input: QueryCommandInput }) => {
        asked.push(input);
        if (input.ExpressionAttributeValues![":pk"] === "STATS")
          return { Items: [{ pk: "STATS", sk: "2026-11-23", expires_at: 9e9 }] };
        const Items = [
          { sk: "2", snapshot_time: hour(0) },
          { sk: "1", snapshot_time: hour(9) },
        ];
        return { Items, LastEvaluatedKey: { pk: "x", sk: "1" } };
      },
    };
    const store = dynamoStore(client as unknown as DynamoDBDocumentClient, "t");
    const since = { ...filter, startMs: START_MS - HOUR_MS };
    const { items, cursor } = await store.history.listViolations(since, 20, null);
    expect([items.length, cursor, asked.length]).toEqual([1, null, 2]);
  });
});
