/** A `MEMORY` item of another shape: it is read where an older release wrote it, and is a named error everywhere else. */
import { brotliCompressSync, gzipSync } from "node:zlib";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { describe, expect, test } from "vitest";
import { leaseMs } from "../../shared/cycle/lease.ts";
import { LONGEST_LEASE_MS } from "../../shared/store/lease.ts";
import { describeStatus } from "../../shared/web/describe-status.ts";
import { MINUTE_MS, type ScriptedCanary, START_MS, slot, useCanaries } from "../support/cycle.ts";
import { slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };
const packed = (memory: unknown) => brotliCompressSync(JSON.stringify(memory));

const red = { status: "red", sinceMs: START_MS, red: { alpha: { sinceMs: START_MS, keys: ["redis:e-1"] } } };

const put = (canary: ScriptedCanary, fields: Record<string, unknown>) =>
  canary.client.send(
    new PutCommand({ TableName: canary.table, Item: { pk: "MEMORY", sk: "MEMORY", ...fields } }),
  );

describe("is a named error, and nothing opens, closes or is lost", () => {
  const UNREADABLE = {
    "of a newer release": packed({ schema: 99, invariants: {} }),
    "with a schema that is a text": packed({ schema: "1", states: {} }),
    null: packed(null),
    "a number": packed(5),
    "a list": packed([]),
    "an empty object": packed({}),
    "a text": packed("x"),
    "with states that are null": packed({ schema: 1, states: null }),
    "with a state that is a text": packed({ schema: 1, states: { "S-01": "red" } }),
    "with a state that has no status": packed({ schema: 1, states: { "S-01": { sinceMs: 1, red: {} } } }),
    "with a state without its red subjects": packed({
      schema: 1,
      states: { "S-01": { status: "red", sinceMs: 1 } },
    }),
    "with a red subject without keys": packed({
      schema: 1,
      states: { "S-01": { status: "red", sinceMs: 1, red: { alpha: { sinceMs: 1 } } } },
    }),
    "with a count of red subjects that is none": packed({
      schema: 1,
      states: { "S-01": { ...red, redBesides: null } },
    }),
    "with a time that is a text": packed({ schema: 1, states: { "S-01": { ...red, blindSinceMs: "now" } } }),
    "with blind sources that are null": packed({ schema: 1, states: {}, blindSources: null }),
    "with an outbox that is no list": packed({ schema: 1, states: {}, outbox: {} }),
    "with an alert without channels": packed({
      schema: 1,
      states: {},
      outbox: [{ alert: {}, createdAtMs: 1 }],
    }),
    "with a last cycle that is a text": packed({ schema: 1, states: {}, lastFullCycle: "today" }),
    "of bytes that were compressed otherwise": gzipSync("{}"),
    "of bytes that were cut": packed({ schema: 1, states: { "S-01": red } }).subarray(0, 20),
  };

  test.each(Object.entries(UNREADABLE))("a memory %s", async (_, memory) => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    await put(canary, { version: 5, memory });
    const { reason, report } = await canary.statelessCycle();
    expect(reason).toMatch(/^state: the MEMORY item .*delete that item to start from nothing$/);
    expect(report.verdicts["S-01"]?.status).toBe("red");
    expect(report.transitions).toEqual([]);
    // The lease was given back, and the memory is as it was.
    await expect(canary.store.lease.acquire("other", canary.now(), 1_000)).rejects.toThrow("the MEMORY item");
    const { Item } = await canary.client.send(
      new GetCommand({ TableName: canary.table, Key: { pk: "MEMORY", sk: "MEMORY" } }),
    );
    expect([Item?.version, Buffer.from(Item?.memory)]).toEqual([5, Buffer.from(memory)]);
  });

  test.each([
    ["a cursor that is none", { endedCursor: {} }],
    ["a pinned run that is none", { pinned: [{ hash: 5 }] }],
  ])("a memory with %s, which a recollection reads", async (_, part) => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    const memory = packed({ schema: 1, states: {}, ...part });
    await put(canary, { version: 5, memory });
    const { reason, report } = await canary.statelessCycle();
    expect(reason).toMatch(
      /^state: the MEMORY item has a part for finishedRuns that can't be used: restore the table/,
    );
    expect(report.verdicts["S-01"]?.status).toBe("red");
    expect(await canary.store.lease.acquire("other", canary.now(), 1_000)).toMatchObject({ version: 5 });
  });

  test.each([
    [{ version: 5 }, "holds no memory, although its version is 5"],
    [{ version: "5", memory: packed({ states: {} }) }, "has a version that is not a number"],
  ])("an item with %j", async (fields, what) => {
    const canary = await canaryOf();
    await put(canary, fields);
    expect((await canary.statelessCycle()).reason).toContain(`the MEMORY item ${what}`);
  });

  test("a newer release's memory says which release to deploy", async () => {
    const canary = await canaryOf();
    await put(canary, { version: 5, memory: packed({ schema: 99, states: {} }) });
    expect((await canary.statelessCycle()).reason).toBe(
      "state: the MEMORY item was written by a newer release (schema 99, this one reads up to 1): deploy that release again, or delete that item to start from nothing",
    );
  });
});

describe("is read", () => {
  test("without a number, from a release that had none: what was red is still red", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    await put(canary, { version: 5, memory: packed({ states: { "S-01": red } }) });
    const report = await canary.cycle();
    expect(report.verdicts["S-01"]?.status).toBe("red");
    expect(report.transitions).toEqual([]);
    expect((await canary.memory()).states["S-01"]?.sinceMs).toBe(START_MS);
  });

  test("with a last cycle of a release that kept no reasons: what it did not run is off, without a reason", async () => {
    const canary = await canaryOf({ checks: { off: ["S-02"] } });
    const lastFullCycle = {
      ...{ atMs: START_MS, durationMs: 100, checksOff: ["R-01"] },
      ...{ sourcesUnavailable: [], latencyMsBySource: {} },
    };
    await put(canary, { version: 5, memory: packed({ schema: 1, states: { "S-01": red }, lastFullCycle }) });
    const { invariants, checks_off_reasons } = describeStatus(
      canary.deps.checks,
      await canary.memory(),
      [],
      canary.now(),
    );
    expect(invariants.filter(({ status }) => status === "off").map(({ id }) => id)).toEqual(["S-02", "R-01"]);
    expect(checks_off_reasons).toEqual({ "S-02": "off by CHECKS_OFF" });
    await canary.cycle();
    expect((await canary.memory()).lastFullCycle?.checksOffReasons).toEqual({ "S-02": "off by CHECKS_OFF" });
  });
});

describe("a lease", () => {
  test("that stands further ahead than a lease can be is nobody's", async () => {
    const canary = await canaryOf();
    await put(canary, { version: 0, lease_owner: "ahead", lease_until: canary.now() + LONGEST_LEASE_MS + 1 });
    expect((await canary.run()).kind).toBe("done");
  });

  test("that a cycle can have taken is respected, however long its deadlines are", async () => {
    const canary = await canaryOf();
    const longest = leaseMs({ sourceDeadlineMs: 60_000, confirmAfterMs: 60_000, expectAgents: 0 });
    // The clock of the other may be a minute ahead.
    expect(longest + MINUTE_MS).toBeLessThanOrEqual(LONGEST_LEASE_MS);
    await put(canary, { version: 0, lease_owner: "other", lease_until: canary.now() + longest + MINUTE_MS });
    expect((await canary.run()).kind).toBe("busy");
  });

  test("whose end is a text is nobody's", async () => {
    const canary = await canaryOf();
    await put(canary, { version: 0, lease_owner: "other", lease_until: "for ever" });
    expect((await canary.run()).kind).toBe("done");
  });
});
