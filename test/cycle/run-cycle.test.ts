import { randomBytes } from "node:crypto";
import { DeleteCommand, GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { describe, expect, test } from "vitest";
import { leaseMs } from "../../shared/cycle/lease.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { SourceError } from "../../shared/errors.ts";
import { INVARIANT_IDS, INVARIANTS, unknownIds } from "../../shared/invariants/index.ts";
import type { TimeRange } from "../../shared/store/history.ts";
import { type Lease, LeaseLost } from "../../shared/store/lease.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import { formatInstant } from "../../shared/time.ts";
import type { CycleRecord, CycleReport } from "../../shared/wire/schemas/cycles.ts";
import {
  commit,
  container,
  DAY_MS,
  HOUR_MS,
  live,
  MINUTE_MS,
  memoryAt,
  runningRow,
  type ScriptedCanary,
  slot,
  useCanaries,
} from "../support/cycle.ts";
import { cursorAt, executionsOf, slotsOf, withoutAgent, withoutId, zombiesOf } from "../support/facts.ts";
import { idsOffWithout, idsReading } from "../support/registry.ts";

const canaryOf = useCanaries();

const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };
const NO_SLOTS = { slots: slotsOf({}) };

const statusesOf = ({ verdicts }: CycleReport) =>
  Object.fromEntries(Object.entries(verdicts).map(([id, { status }]) => [id, status]));
const lastDays = (canary: ScriptedCanary, days: number): TimeRange => ({
  startMs: canary.now() - days * DAY_MS,
  endMs: canary.now(),
  nowMs: canary.now(),
});
const violationsOf = (canary: ScriptedCanary) =>
  canary.store.history.listViolations(lastDays(canary, 80), 1000, null);
const cyclesOf = (canary: ScriptedCanary) => canary.store.history.listCycles(lastDays(canary, 1), 100, null);
const leaseOf = async (canary: ScriptedCanary, owner = "another"): Promise<Lease> => {
  const taken = await canary.store.lease.acquire(owner, canary.now(), leaseMs(canary.deps.settings));
  if ("busyUntilMs" in taken) throw new Error("the lease is another's");
  return taken;
};

describe("a clean platform", () => {
  test("all run, in their order, and nothing is said", async () => {
    const canary = await canaryOf();
    const report = await canary.cycle();
    expect(report.checks_run).toEqual(INVARIANT_IDS);
    expect(statusesOf(report)).toEqual(Object.fromEntries(INVARIANT_IDS.map((id) => [id, "green"])));
    expect(report).toMatchObject({
      snapshot_time: "2026-11-23T10:05:00.000Z",
      checks_off: [],
      sources_unavailable: [],
      violations: [],
      transitions: [],
      spreads: [],
      recoveries: [],
    });
  });

  test("the whole story of a leaked slot: broke, still red, spread, recovered", async () => {
    const canary = await canaryOf();
    await canary.cycle();
    canary.set(LEAKED);
    const broke = await canary.cycle();
    expect(broke.transitions).toEqual([
      {
        invariant_id: "S-01",
        severity: "critical",
        violations_in_cycle: 1,
        previous_violation_at: null,
        silenced: false,
      },
    ]);
    const still = await canary.cycle();
    expect(still).toMatchObject({ transitions: [], spreads: [], recoveries: [] });
    expect(still.violations).toHaveLength(1);
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    const spread = await canary.cycle();
    expect(spread.transitions).toEqual([]);
    expect(spread.spreads).toMatchObject([
      {
        invariant_id: "S-01",
        subjects: ["beta"],
        violations_in_cycle: 2,
        previous_violation_at: "2026-11-23T10:15:03.000Z",
      },
    ]);
    canary.set(NO_SLOTS);
    const recovered = await canary.cycle();
    expect(recovered.recoveries).toEqual([
      {
        invariant_id: "S-01",
        severity: "critical",
        subjects: ["alpha", "beta"],
        red_since: "2026-11-23T10:10:00.000Z",
        silenced: false,
      },
    ]);
    expect(await canary.cycle()).toMatchObject({ transitions: [], spreads: [], recoveries: [] });
  });
});

describe("two cycles at once", () => {
  test("one runs, the other is told when to come back", async () => {
    const canary = await canaryOf();
    const outcomes = await Promise.all([canary.run(), canary.run(), canary.run()]);
    expect(outcomes.map((o) => o.kind).sort()).toEqual(["busy", "busy", "done"]);
    for (const outcome of outcomes) {
      if (outcome.kind !== "busy") continue;
      expect(outcome.retryAfterSeconds).toBeGreaterThanOrEqual(1);
      expect(outcome.retryAfterSeconds).toBeLessThanOrEqual(leaseMs(canary.deps.settings) / 1000);
      expect(Number.isInteger(outcome.retryAfterSeconds)).toBe(true);
    }
    expect((await cyclesOf(canary)).items).toHaveLength(1);
  });

  test("the one that found it busy asked no source", async () => {
    const canary = await canaryOf();
    await leaseOf(canary);
    expect((await canary.run()).kind).toBe("busy");
    expect(canary.reads).toEqual([]);
  });

  test("the next cycle finds the lease free", async () => {
    const canary = await canaryOf();
    await canary.cycle();
    expect((await canary.run()).kind).toBe("done");
  });
});

describe("a cycle that died while it held the lease", () => {
  /** It counts as failed: its verdicts are reported, and nothing opens. */
  const OUTLIVED = {
    kind: "stateless",
    reason: "state: the cycle outlived its lease, and nothing of it counts",
    report: { verdicts: { "S-01": { status: "red" } }, transitions: [], violations: [{ id: null }] },
  };

  test("is in the way until its lease ends, and is then taken over", async () => {
    const canary = await canaryOf();
    const dead = await leaseOf(canary);
    canary.advance(dead.untilMs - canary.now() - 1);
    expect(await canary.run()).toEqual({ kind: "busy", retryAfterSeconds: expect.any(Number) });
    canary.advance(1);
    expect((await canary.run()).kind).toBe("done");
  });

  test("it wakes up while its successor runs: what it writes is refused, and the successor commits", async () => {
    const canary = await canaryOf();
    const dead = await leaseOf(canary, "dead");
    canary.advance(leaseMs(canary.deps.settings));
    const successor = await leaseOf(canary, "successor");
    await expect(commit(canary.store, dead, memoryAt(1))).rejects.toThrow(LeaseLost);
    await canary.store.lease.release("dead");
    expect((await canary.run()).kind).toBe("busy");
    await commit(canary.store, successor, memoryAt(2));
    expect(await canary.memory()).toEqual(memoryAt(2));
  });

  test("a source holds a cycle beyond its lease: it counts as failed, and opens nothing", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    canary.when("docker", async () => canary.advance(leaseMs(canary.deps.settings)));
    expect(await canary.run()).toMatchObject(OUTLIVED);
    expect((await canary.memory()).states).toEqual({});
    canary.when("docker");
    expect((await canary.cycle()).transitions).toMatchObject([{ invariant_id: "S-01" }]);
  });

  test("another, whose clock is ahead, took over before its commit: the commit is refused", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    const { reserveIds } = canary.store.evidence;
    canary.stateCalls("evidence.reserveIds", async (...args: Parameters<typeof reserveIds>) => {
      const aheadMs = canary.now() + leaseMs(canary.deps.settings);
      expect(await canary.store.lease.acquire("ahead", aheadMs, 60_000)).toHaveProperty("owner");
      return reserveIds(...args);
    });
    expect(await canary.run()).toMatchObject(OUTLIVED);
    expect((await canary.memory()).states).toEqual({});
  });

  test("it took longer than its lease, and another ran meanwhile: it changes nothing any more", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    const { reserveIds } = canary.store.evidence;
    canary.stateCalls("evidence.reserveIds", async (...args: Parameters<typeof reserveIds>) => {
      canary.stateCalls("evidence.reserveIds", reserveIds);
      canary.advance(leaseMs(canary.deps.settings));
      expect((await canary.run(["S-02"])).kind).toBe("done");
      return reserveIds(...args);
    });
    expect(await canary.run()).toMatchObject({ kind: "stateless", report: OUTLIVED.report });
    expect(Object.keys((await canary.memory()).states)).toEqual(["S-02"]);
    expect((await canary.run()).kind).toBe("done");
  });
});

describe("a run of some invariants", () => {
  test("judges only those, and reads only what they need", async () => {
    const canary = await canaryOf();
    const report = await canary.cycle("R-01", "S-02");
    expect(report.checks_run).toEqual(["S-02", "R-01"]);
    expect(Object.keys(report.verdicts)).toEqual(["S-02", "R-01"]);
    expect(canary.reads.map((r) => r.source).sort()).toEqual(["docker", "redis", "sqlite"]);
  });

  test("leaves the others' states as they were, though they would be judged otherwise now", async () => {
    const canary = await canaryOf();
    canary.set({ ...LEAKED, zombies: zombiesOf([container("beta", [7])]) });
    await canary.cycle();
    const before = await canary.memory();
    canary.set({ ...NO_SLOTS, zombies: zombiesOf([container("beta")]) });
    const report = await canary.cycle("R-01");
    expect(report.recoveries.map((r) => r.invariant_id)).toEqual(["R-01"]);
    const after = await canary.memory();
    const { "R-01": _ranBefore, ...othersBefore } = before.states;
    const { "R-01": ran, ...others } = after.states;
    expect(others).toEqual(othersBefore);
    expect(ran?.status).toBe("green");
    expect((await canary.cycle()).recoveries.map((r) => r.invariant_id)).toEqual(["S-01"]);
  });

  test("without E-02 leaves its memory alone, and is no full cycle", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "success" });
    await canary.cycle();
    canary.set({ executions: live(runningRow("e-1", "alpha")) });
    await canary.cycle();
    const before = await canary.memory();
    expect(before.recall.pinned).toHaveLength(1);
    canary.ends({ "e-2": "failed" });
    await canary.cycle("S-02", "R-01");
    const after = await canary.memory();
    expect(after.recall.endedCursor).toEqual(before.recall.endedCursor);
    expect(after.recall.pinned).toEqual(before.recall.pinned);
    expect(after.lastFullCycle).toEqual(before.lastFullCycle);
  });

  test("is no news of the others' sources: what the last full cycle could not read stays unread", async () => {
    const canary = await canaryOf();
    canary.leaveOut("docker", "off");
    canary.unread("drainTick", "redis: the heartbeat is not a number");
    await canary.cycle();
    const { lastFullCycle } = await canary.memory();
    expect(lastFullCycle).toMatchObject({ atMs: canary.now(), checksOff: idsOffWithout("docker") });
    canary.unread("slots", "redis: ETIMEDOUT");
    await canary.cycle("S-02");
    expect((await canary.memory()).lastFullCycle).toEqual(lastFullCycle);
  });

  test("before any full cycle, leaves none on record", async () => {
    const canary = await canaryOf();
    await canary.cycle("S-01");
    expect((await canary.memory()).lastFullCycle).toBeNull();
    expect((await canary.memory()).states["S-01"]?.status).toBe("green");
  });

  test("on demand remembers as the schedule does: E-02 run alone feeds the next full cycle", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "success" });
    await canary.cycle("E-02");
    canary.set({ executions: live(runningRow("e-1", "alpha")) });
    expect((await canary.cycle()).verdicts["E-02"]?.status).toBe("red");
  });

  test("ids that no invariant has are known as such", () => {
    expect(unknownIds(["S-01", "X-99", "s-01", ""])).toEqual(["X-99", "s-01", ""]);
    expect(unknownIds(INVARIANTS.map((i) => i.id))).toEqual([]);
  });
});

describe("the state can't be reached", () => {
  const REASON = "state: ECONNREFUSED";

  test.each([
    ["when the lease is taken", ["lease.acquire"]],
    ["when the terminal memory is loaded", ["journals.load"]],
    ["at the commit", ["lease.commit"]],
  ] as const)("%s: the verdicts are reported, nothing opens, and the next cycle works", async (_, calls) => {
    const canary = await canaryOf();
    await canary.cycle();
    const before = await canary.memory();
    canary.set(LEAKED);
    canary.stateFails(...calls);
    const { report, reason } = await canary.statelessCycle();
    expect(reason).toBe(REASON);
    expect(report.sources_unavailable).toContain(REASON);
    expect(report.verdicts["S-01"]?.status).toBe("red");
    expect(report.violations).toMatchObject([{ id: null, invariant_id: "S-01", subject: "alpha" }]);
    expect(report).toMatchObject({ transitions: [], spreads: [], recoveries: [] });
    expect(await canary.memory()).toEqual(before);

    canary.stateRecovers();
    const next = await canary.run();
    expect(next).toMatchObject({ kind: "done", report: { transitions: [{ invariant_id: "S-01" }] } });
  });

  test("when ids are reserved: the cycle happens, and its violations are not recorded", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    canary.stateFails("evidence.reserveIds");
    const report = await canary.cycle();
    expect(report.transitions).toMatchObject([{ invariant_id: "S-01" }]);
    expect(report.violations).toMatchObject([{ id: null, invariant_id: "S-01", subject: "alpha" }]);
    expect(report.sources_unavailable).toEqual(["state: the violations are not recorded: ECONNREFUSED"]);
    expect((await violationsOf(canary)).items).toEqual([]);
    const [recorded] = (await cyclesOf(canary)).items;
    expect(recorded).toMatchObject({ found: { "S-01": { violations: 1, first_violation_id: null } } });
  });

  test("when the record is written: the cycle happens, and a line says what is missing", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    canary.stateFails("evidence.write");
    const report = await canary.cycle();
    expect(report.transitions).toMatchObject([{ invariant_id: "S-01" }]);
    expect(report.sources_unavailable).toEqual([
      "state: the record of this cycle is not whole: ECONNREFUSED",
    ]);
    expect((await canary.memory()).states["S-01"]?.status).toBe("red");
  });

  test("when a journal is written: the cycle happens, and the next one reads what ended once more", async () => {
    const canary = await canaryOf();
    await canary.cycle();
    const { endedCursor } = (await canary.memory()).recall;
    canary.set(LEAKED);
    canary.ends({ "e-9": "success" });
    canary.stateFails("journals.append");
    const report = await canary.cycle();
    expect(report.transitions).toMatchObject([{ invariant_id: "S-01" }]);
    expect(report.sources_unavailable).toEqual(["state: the journal TERMINAL was not written: ECONNREFUSED"]);
    expect((await canary.memory()).recall.endedCursor).toEqual(endedCursor);
    canary.stateRecovers();
    await canary.cycle();
    expect(canary.reads.at(-1)?.endedSince ?? endedCursor).toEqual(endedCursor);
  });

  test("nothing closes either", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    await canary.cycle();
    canary.set(NO_SLOTS);
    canary.stateFails("lease.commit");
    const { report } = await canary.statelessCycle();
    expect(report.verdicts["S-01"]?.status).toBe("green");
    expect(report.recoveries).toEqual([]);
    canary.stateRecovers();
    expect((await canary.cycle()).recoveries).toHaveLength(1);
  });

  test.each([
    ["lease.acquire", ["H-01", "H-02", "E-02"]],
    ["journals.load", ["H-02", "E-02"]],
  ] as const)(
    "without its memory (%s) what compares with it is unknown, never green",
    async (call, blind) => {
      const canary = await canaryOf();
      canary.stateFails(call);
      const { report } = await canary.statelessCycle();
      for (const id of INVARIANT_IDS)
        expect([id, report.verdicts[id]]).toMatchObject([
          id,
          blind.some((one) => one === id) ? { status: "unknown", reason: REASON } : { status: "green" },
        ]);
    },
  );

  test("without the terminal memory E-02 is unknown, and R-01 still knows what has dwelt", async () => {
    const canary = await canaryOf({ dwellSeconds: 600 });
    canary.set({ zombies: zombiesOf([container("alpha", [7])]) });
    await canary.cycle();
    await canary.cycle();
    canary.stateFails("journals.load");
    const { report } = await canary.statelessCycle();
    expect(statusesOf(report)).toMatchObject({ "E-02": "unknown", "R-01": "red" });
  });

  test("a run that needs no terminal memory does not miss it", async () => {
    const canary = await canaryOf();
    canary.stateFails("journals.load");
    expect((await canary.cycle("S-01")).verdicts["S-01"]?.status).toBe("green");
  });

  test("the lease can't be given back either: the verdicts are reported all the same", async () => {
    const canary = await canaryOf();
    canary.stateFails("lease.commit", "lease.release");
    expect((await canary.statelessCycle()).report.checks_run).toEqual(INVARIANT_IDS);
  });

  test("the answer to the lease is lost on its way back: the next run is not kept waiting by it", async () => {
    const canary = await canaryOf();
    canary.stateLosesTheAnswer("lease.acquire");
    expect((await canary.statelessCycle()).reason).toBe(REASON);
    canary.stateRecovers();
    expect((await canary.run()).kind).toBe("done");
  });

  test("the same, of two runs at once: who found the lease taken doesn't give away another's", async () => {
    const canary = await canaryOf();
    const held = await leaseOf(canary);
    canary.stateLosesTheAnswer("lease.acquire");
    expect((await canary.run()).kind).toBe("stateless");
    canary.stateRecovers();
    expect((await canary.run()).kind).toBe("busy");
    await commit(canary.store, held, memoryAt(1));
    expect(await canary.memory()).toEqual(memoryAt(1));
  });

  test("a memory that can't be decoded is told every time, and is in nobody's way", async () => {
    const canary = await canaryOf();
    const Item = { pk: "MEMORY", sk: "MEMORY", version: 3, memory: new Uint8Array([1, 2, 3]) };
    await canary.client.send(new PutCommand({ TableName: canary.table, Item }));
    canary.set(LEAKED);
    for (let i = 0; i < 2; i += 1) {
      const outcome = await canary.run();
      expect(outcome).toMatchObject({ kind: "stateless", report: { transitions: [] } });
      expect(outcome).toMatchObject({ report: { verdicts: { "S-01": { status: "red" } } } });
    }
    const Key = { pk: "MEMORY", sk: "MEMORY" };
    const left = await canary.client.send(new GetCommand({ TableName: canary.table, Key }));
    expect(left.Item).toEqual({ ...Item, attempts: 2 });
  });

  test("an item of the terminal memory can't be decoded: E-02 is unknown, and the next run finds the lease free", async () => {
    const canary = await canaryOf();
    const sk = formatInstant(canary.now() - MINUTE_MS);
    await canary.client.send(new PutCommand({ TableName: canary.table, Item: { pk: "TERMINAL", sk } }));
    for (let i = 0; i < 2; i += 1) {
      const { report } = await canary.statelessCycle();
      expect(statusesOf(report)).toMatchObject({ "E-02": "unknown", "S-01": "green" });
    }
  });

  test.each(["lease.acquire", "journals.load", "lease.release"] as const)(
    "it never answers (%s): the cycle goes on without it after its deadline",
    async (call) => {
      const canary = await canaryOf({ sourceDeadlineMs: 200 });
      await canary.cycle();
      canary.stateHangs(call);
      if (call === "lease.release") canary.stateFails("lease.commit");
      const { report, reason } = await canary.statelessCycle();
      expect(reason).toBe(call === "lease.release" ? REASON : "state: no answer within 200 ms");
      expect(report.verdicts["S-01"]?.status).toBe("green");
    },
  );

  test.each(["evidence.reserveIds", "journals.append"] as const)(
    "it never answers (%s), at the end of the lease: there is time for the commit",
    async (call) => {
      const canary = await canaryOf();
      canary.set(LEAKED);
      canary.ends({ "e-9": "success" });
      canary.stateHangs(call);
      canary.when("docker", async () =>
        canary.advance(leaseMs(canary.deps.settings) - canary.deps.settings.confirmAfterMs - 2_000),
      );
      const report = await canary.cycle();
      expect(report.transitions).toMatchObject([{ invariant_id: "S-01" }]);
      expect(report.sources_unavailable).toEqual([expect.stringMatching(/: no answer within 1000 ms$/)]);
    },
  );

  test("it never answers when the record is written: the caller has its answer in time", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    canary.stateHangs("evidence.write");
    const outcome = await runCycle(canary.deps, { trigger: "schedule", timeLeftMs: () => 2_050 });
    expect(outcome).toMatchObject({
      kind: "done",
      report: {
        sources_unavailable: ["state: the record of this cycle is not whole: no answer within 50 ms"],
        transitions: [{ invariant_id: "S-01" }],
      },
    });
  });

  test.each(["lease.commit"] as const)(
    "it never answers (%s): the cycle ends when its lease does, and the next one runs",
    async (call) => {
      const canary = await canaryOf();
      canary.set(LEAKED);
      canary.stateHangs(call);
      // So much of the lease goes by that 50 ms are left for the writes.
      canary.when("docker", async () =>
        canary.advance(leaseMs(canary.deps.settings) - canary.deps.settings.confirmAfterMs - 50),
      );
      const { report, reason } = await canary.statelessCycle();
      expect(reason).toBe("state: no answer within 50 ms");
      expect(report.sources_unavailable).toEqual([reason]);
      expect(report.violations).toMatchObject([{ id: null, invariant_id: "S-01" }]);
      expect(report.transitions).toEqual([]);

      canary.stateRecovers();
      canary.when("docker");
      expect(await canary.run()).toMatchObject({
        kind: "done",
        report: { transitions: [{ invariant_id: "S-01" }] },
      });
    },
  );

  test("the address of the state and its password are in no line", async () => {
    const canary = await canaryOf();
    canary.stateFails("lease.acquire");
    expect(JSON.stringify(await canary.statelessCycle())).not.toMatch(/hunter2|10\.0\.0\.7/);
  });
});

describe("E-02: a finished run comes back to life", () => {
  const back = live(runningRow("e-1", "alpha"));
  const e02 = (report: CycleReport) => report.verdicts["E-02"]?.status;

  /** Seen success in one cycle, running in the next. */
  const reversed = async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "success" });
    await canary.cycle("E-02");
    canary.set({ executions: back });
    const report = await canary.cycle("E-02");
    return { canary, report };
  };

  test("seen success, now running: red with the status that it really had", async () => {
    const { report } = await reversed();
    expect(report.violations).toMatchObject([
      {
        invariant_id: "E-02",
        subject: "alpha",
        observed_state: {
          execution_id: "e-1",
          previous_status: "success",
          current_status: "running",
          terminal_statuses_tracked: ["cancelled", "failed", "skipped", "success"],
        },
        signal_query: "execution_id e-1 was success in previous cycle; now running",
      },
    ]);
    expect(report.transitions).toMatchObject([{ invariant_id: "E-02" }]);
  });

  test.each(["cancelled", "failed", "skipped"] as const)("seen %s, now queued: red", async (previous) => {
    const canary = await canaryOf();
    canary.ends({ "e-1": previous });
    await canary.cycle("E-02");
    canary.set({ executions: live(runningRow("e-1", "alpha", { status: "queued" })) });
    const report = await canary.cycle("E-02");
    expect(report.violations[0]?.observed_state).toMatchObject({
      previous_status: previous,
      current_status: "queued",
    });
  });

  test("a later end wins: failed, then success, is remembered as success", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "failed" });
    await canary.cycle("E-02");
    canary.ends({ "e-1": "success" });
    await canary.cycle("E-02");
    canary.set({ executions: live(runningRow("e-1", "alpha")) });
    const report = await canary.cycle("E-02");
    expect(report.violations[0]?.observed_state).toMatchObject({ previous_status: "success" });
  });

  test("stays red for as long as the row runs, and never turns green by forgetting", async () => {
    const { canary } = await reversed();
    for (const [wait, sum] of [
      [55 * MINUTE_MS, "an hour"],
      [2 * HOUR_MS, "three hours"],
      [2 * DAY_MS, "two days"],
    ] as const) {
      canary.advance(wait);
      const report = await canary.cycle("E-02");
      expect([sum, e02(report)]).toEqual([sum, "red"]);
      expect(report.violations[0]?.observed_state).toMatchObject({ previous_status: "success" });
      expect(report).toMatchObject({ transitions: [], recoveries: [] });
    }
  });

  test("stays red through hours in which the rows could not be read", async () => {
    const { canary } = await reversed();
    canary.unread("executions", "sqlite: ETIMEDOUT");
    for (let hours = 0; hours < 3; hours += 1) {
      canary.advance(HOUR_MS);
      const report = await canary.cycle("E-02");
      expect(report.verdicts["E-02"]).toMatchObject({
        status: "unknown",
        reason: "sqlite: ETIMEDOUT (still red: alpha)",
      });
      expect(report).toMatchObject({ transitions: [], recoveries: [] });
    }
    canary.set({ executions: back });
    const report = await canary.cycle("E-02");
    expect(e02(report)).toBe("red");
    expect(report.transitions).toEqual([]);
  });

  test("stays red while the agent of its row can't be read for hours, and is found again after", async () => {
    const { canary } = await reversed();
    const hidden = [withoutAgent(runningRow("e-1", "alpha"))];
    canary.set({ executions: executionsOf([runningRow("e-9", "beta")], hidden) });
    canary.advance(3 * HOUR_MS);
    expect((await canary.cycle("E-02")).recoveries).toEqual([]);
    canary.set({ executions: back });
    const report = await canary.cycle("E-02");
    expect(e02(report)).toBe("red");
    expect(report.transitions).toEqual([]);
  });

  test("recovers when the run has ended, also beside a row whose id can't be read: an id does not change", async () => {
    const { canary } = await reversed();
    canary.set({ executions: executionsOf([], [withoutId(runningRow("another", "alpha"))]) });
    canary.ends({ "e-1": "success" });
    const again = executionsOf([runningRow("e-9", "beta")], [withoutId(runningRow("another", "alpha"))]);
    canary.set({ executions: again });
    const report = await canary.cycle("E-02");
    expect(report.recoveries).toMatchObject([{ invariant_id: "E-02", subjects: ["alpha"] }]);
    expect(report.verdicts["E-02"]!.unseen).toEqual(["alpha/(unreadable id)"]);
  });

  test("recovers when the run has ended again", async () => {
    const { canary } = await reversed();
    canary.set({ executions: live() });
    canary.ends({ "e-1": "success" });
    const report = await canary.cycle("E-02");
    expect(e02(report)).toBe("green");
    expect(report.recoveries).toMatchObject([{ invariant_id: "E-02", subjects: ["alpha"] }]);
    expect((await canary.memory()).recall.pinned).toEqual([]);
  });

  test("a failed run may wait for its retry; a finished one may not", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "failed", "e-2": "success" });
    await canary.cycle("E-02");
    canary.set({ pendingRetries: [{ id: "e-1", agent: "alpha" }] });
    expect(e02(await canary.cycle("E-02"))).toBe("green");
    canary.set({ pendingRetries: [{ id: "e-2", agent: "alpha" }] });
    expect(e02(await canary.cycle("E-02"))).toBe("red");
  });

  test("a run that was never seen to end may run", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "success" });
    await canary.cycle("E-02");
    canary.set({ executions: live(runningRow("e-2", "alpha")) });
    expect(e02(await canary.cycle("E-02"))).toBe("green");
  });

  test("an end is remembered for an hour after it was seen, with quiet cycles in between", async () => {
    const canary = await canaryOf();
    canary.ends({ "e-1": "success" });
    await canary.cycle("E-02");
    for (let minutes = 5; minutes < 60; minutes += 5) await canary.cycle("E-02");
    canary.set({ executions: back });
    expect(e02(await canary.cycle("E-02"))).toBe("red");
  });

  test("a run that came back and ended a second time in the same way is remembered for an hour again", async () => {
    const { canary } = await reversed();
    canary.set({ executions: live() });
    canary.advance(65 * MINUTE_MS);
    canary.ends({ "e-1": "success" });
    expect((await canary.cycle("E-02")).recoveries).toHaveLength(1);
    // What the first end left is gone by now.
    canary.advance(50 * MINUTE_MS);
    canary.set({ executions: back });
    const report = await canary.cycle("E-02");
    expect(report.violations[0]?.observed_state).toMatchObject({ previous_status: "success" });
    expect(report.transitions).toMatchObject([{ invariant_id: "E-02" }]);
  });

  test("a red of two days that ends as it ended before is remembered again, though only its pin was left", async () => {
    const { canary } = await reversed();
    for (let i = 0; i < 2; i += 1) {
      canary.advance(DAY_MS);
      expect(e02(await canary.cycle("E-02"))).toBe("red");
    }
    canary.set({ executions: live() });
    canary.ends({ "e-1": "success" });
    expect(e02(await canary.cycle("E-02"))).toBe("green");
    canary.advance(50 * MINUTE_MS);
    canary.set({ executions: back });
    expect(e02(await canary.cycle("E-02"))).toBe("red");
  });

  test.each([["journals.append"], ["lease.commit"]] as const)(
    "a cycle that could not be remembered (%s) forgets nothing, and the next reads from where the last good one ended",
    async (call) => {
      const canary = await canaryOf();
      canary.ends({ "e-1": "success" });
      await canary.cycle("E-02");
      const { endedCursor } = (await canary.memory()).recall;
      canary.stateFails(call);
      canary.ends({ "e-2": "success" });
      canary.advance(5 * MINUTE_MS);
      await canary.run(["E-02"]);
      canary.stateRecovers();
      canary.ends({ "e-2": "success" });
      await canary.cycle("E-02");
      expect(canary.reads.at(-1)?.endedSince).toEqual(endedCursor);
      canary.set({ executions: live(runningRow("e-1", "alpha"), runningRow("e-2", "beta")) });
      const report = await canary.cycle("E-02");
      expect(report.violations.map((v) => v.subject)).toEqual(["alpha", "beta"]);
    },
  );

  test("what is gone from the table is said once; what is red stays red, and no more than was lost is forgotten", async () => {
    const canary = await canaryOf();
    // Each cycle is one of a process of its own, which remembers nothing.
    canary.stateCalls("journals.load", (...args: Parameters<Store["journals"]["load"]>) =>
      dynamoStore(canary.client, canary.table).journals.load(...args),
    );
    canary.ends({ "e-1": "success", "e-2": "failed" });
    await canary.cycle("E-02");
    const { TERMINAL } = (await canary.memory()).journals!;
    canary.set({ executions: back });
    expect(e02(await canary.cycle("E-02"))).toBe("red");
    canary.ends({ "e-3": "success" });
    await canary.cycle("E-02");
    await canary.client.send(
      new DeleteCommand({ TableName: canary.table, Key: { pk: "TERMINAL", sk: TERMINAL![0] } }),
    );
    canary.set({ executions: live(...["e-1", "e-2", "e-3"].map((id) => runningRow(id, "alpha"))) });
    const report = await canary.cycle();
    expect(report.sources_unavailable).toEqual([
      "state: the journal TERMINAL lacks 1 item that the memory names, so what was remembered there is forgotten",
    ]);
    const found = ({ violations }: CycleReport) =>
      violations
        .filter(({ invariant_id }) => invariant_id === "E-02")
        .map(({ observed_state }) => observed_state.execution_id);
    expect(found(report)).toEqual(["e-1", "e-3"]);
    const next = await canary.cycle();
    expect(found(next)).toEqual(["e-1", "e-3"]);
    expect(next.sources_unavailable).toEqual([]);
    expect(next.recoveries.filter(({ invariant_id }) => invariant_id === "E-02")).toEqual([]);
  });

  test("ended rows unread: unknown, and the next read starts where the last good one ended", async () => {
    const canary = await canaryOf();
    await canary.cycle("E-02");
    const { endedCursor } = (await canary.memory()).recall;
    canary.unread("ended", "sqlite: ETIMEDOUT");
    expect(e02(await canary.cycle("E-02"))).toBe("unknown");
    expect((await canary.memory()).recall.endedCursor).toEqual(endedCursor);
  });

  test("the first cycle ever asks from no cursor, the next from the reading of the first", async () => {
    const canary = await canaryOf();
    await canary.cycle("E-02");
    const firstAtMs = canary.now();
    await canary.cycle("E-02");
    expect(canary.reads.map((r) => r.endedSince)).toEqual([null, cursorAt(firstAtMs)]);
  });
});

describe("sources that are not there", () => {
  test("off: its invariants are not run, and nothing is called unavailable", async () => {
    const canary = await canaryOf();
    canary.leaveOut("docker", "off");
    const report = await canary.cycle();
    const off = idsOffWithout("docker");
    expect(off).toContain("R-01");
    expect(report.checks_off).toEqual(off);
    expect(report.checks_run).toEqual(INVARIANT_IDS.filter((id) => !off.includes(id)));
    expect(report.verdicts).not.toHaveProperty("R-01");
    expect(report.sources_unavailable).toEqual([]);
  });

  test("off: what it had made red stays red, until it is seen again", async () => {
    const canary = await canaryOf();
    canary.set({ zombies: zombiesOf([container("alpha", [7])]) });
    await canary.cycle();
    canary.leaveOut("docker", "off");
    expect((await canary.cycle()).recoveries).toEqual([]);
    expect((await canary.memory()).states["R-01"]?.status).toBe("red");
  });

  test("not configured: unknown, and named", async () => {
    const canary = await canaryOf();
    canary.leaveOut("redis", "not configured");
    const report = await canary.cycle();
    expect(report.checks_off).toEqual([]);
    expect(report.sources_unavailable).toEqual(["redis: not configured"]);
    for (const id of idsReading("redis"))
      expect(report.verdicts[id]).toMatchObject({
        status: "unknown",
        reason: "redis: not configured",
        checked: 0,
      });
    for (const id of ["E-02", "E-05", "B-01", "R-01"]) expect(report.verdicts[id]?.status).toBe("green");
  });

  test("one that throws makes only its own invariants unknown, and its address stays inside", async () => {
    const canary = await canaryOf();
    canary.when("docker", async () => {
      throw new Error("bad answer from https://user:hunter2@docker-1:2376/v1.41/containers/json");
    });
    const report = await canary.cycle();
    expect(report.verdicts["R-01"]).toMatchObject({ status: "unknown" });
    const others = Object.entries(statusesOf(report)).filter(([id]) => id !== "R-01");
    expect(new Set(others.map(([, status]) => status))).toEqual(new Set(["green"]));
    expect(report.sources_unavailable).toHaveLength(1);
    expect(JSON.stringify(report)).not.toMatch(/hunter2|docker-1/);
  });

  test("one fact of a source is unread: the invariants on its other facts go on", async () => {
    const canary = await canaryOf();
    canary.unread("drainTick", "redis: the heartbeat is not a number");
    const report = await canary.cycle();
    expect(Object.entries(statusesOf(report)).filter(([, s]) => s !== "green")).toEqual([
      ["B-02", "unknown"],
    ]);
  });

  test("one that hangs is cut at its deadline, and the others are judged", async () => {
    const canary = await canaryOf({ sourceDeadlineMs: 500 });
    await canary.cycle();
    canary.when("docker", () => new Promise(() => {}));
    const report = await canary.cycle();
    expect(report.verdicts["R-01"]).toMatchObject({
      status: "unknown",
      reason: "docker: no answer within 500 ms",
    });
    expect(report.sources_unavailable).toEqual(["docker: no answer within 500 ms"]);
    expect(report.verdicts["S-01"]?.status).toBe("green");
  });

  test("the reason of an unread source reaches the verdict word for word", async () => {
    const canary = await canaryOf();
    canary.when("sqlite", async () => {
      throw new SourceError("the token was refused (401)");
    });
    const report = await canary.cycle();
    expect(report.verdicts["S-01"]?.reason).toBe("sqlite: the token was refused (401)");
    expect(report.verdicts["E-02"]?.reason).toBe("sqlite: the token was refused (401)");
    expect(report.verdicts["R-01"]?.reason).toBe("sqlite: the token was refused (401)");
  });
});

describe("containers of agents that are not on the roster", () => {
  test("one line in all, without secrets and cut to its length; nothing is blind by it", async () => {
    const canary = await canaryOf();
    const names = ["hunter2", ...Array.from({ length: 9 }, (_, n) => String(n).repeat(500))];
    canary.set({ zombies: zombiesOf([...names.map((name) => container(name, [7])), container("alpha")]) });
    const report = await canary.cycle();
    expect(report.verdicts["R-01"]).toMatchObject({ status: "green", checked: 1, unseen: [] });
    expect(report.sources_unavailable).toHaveLength(1);
    const [line] = report.sources_unavailable;
    expect(line).toMatch(/^docker\.roster: 10 running containers of no agent on the roster: 0{9}/);
    expect(line).toHaveLength(300);
    expect((await canary.memory()).lastFullCycle?.sourcesUnavailable).toEqual([line]);
    expect((await canary.memory()).blindSources).toEqual({});

    canary.set({ zombies: zombiesOf([container("hunter2"), container("alpha")]) });
    expect((await canary.cycle()).sources_unavailable).toEqual([
      "docker.roster: 1 running container of no agent on the roster: ***",
    ]);
  });
});

describe("R-01 with a dwell of ten minutes", () => {
  const zombie = (over = {}) => ({ zombies: zombiesOf([container("alpha", [7], over)]) });
  const r01 = (report: CycleReport) => report.verdicts["R-01"]?.status;
  const dwelling = () => canaryOf({ dwellSeconds: 600 });

  test("the same zombie has to be there for ten minutes", async () => {
    const canary = await dwelling();
    canary.set(zombie());
    expect(r01(await canary.cycle())).toBe("green");
    expect(r01(await canary.cycle())).toBe("green");
    expect(r01(await canary.cycle())).toBe("red");
  });

  test("the age of one that was gone for a cycle starts at zero again", async () => {
    const canary = await dwelling();
    canary.set(zombie());
    await canary.cycle();
    canary.set({ zombies: zombiesOf([container("alpha")]) });
    await canary.cycle();
    canary.set(zombie());
    expect(r01(await canary.cycle())).toBe("green");
    expect(r01(await canary.cycle())).toBe("green");
    expect(r01(await canary.cycle())).toBe("red");
  });

  test("the same pid after a restart of the container is another process", async () => {
    const canary = await dwelling();
    canary.set(zombie());
    await canary.cycle();
    await canary.cycle();
    canary.set(zombie({ startedAt: "2026-11-23T10:12:00Z" }));
    expect(r01(await canary.cycle())).toBe("green");
  });

  test("a cycle that could not see the container, or Docker at all, does not restart its age", async () => {
    const canary = await dwelling();
    canary.set(zombie());
    await canary.cycle();
    canary.set({
      zombies: zombiesOf([container("beta")], {
        unseenContainers: [{ agent: "alpha", containerId: "c-alpha" }],
      }),
    });
    await canary.cycle();
    canary.unread("zombies", "docker: ETIMEDOUT");
    await canary.cycle();
    canary.set(zombie());
    expect(r01(await canary.cycle())).toBe("red");
  });

  test("a run without R-01 does not forget what was seen", async () => {
    const canary = await dwelling();
    canary.set(zombie());
    await canary.cycle();
    await canary.cycle("S-01");
    expect(r01(await canary.cycle())).toBe("red");
  });

  test("without a dwell nothing is kept", async () => {
    const canary = await canaryOf();
    canary.set(zombie());
    expect(r01(await canary.cycle())).toBe("red");
    expect((await canary.memory()).recall.zombieSightings).toEqual({});
  });
});

describe("what is written down", () => {
  test("ids hold their day and follow each other, within a cycle and across cycles", async () => {
    const canary = await canaryOf();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    expect((await canary.cycle("S-01")).violations.map((v) => v.id)).toEqual([
      20261123000001, 20261123000002,
    ]);
    expect((await canary.cycle("S-01")).violations.map((v) => v.id)).toEqual([
      20261123000003, 20261123000004,
    ]);
    canary.advance(DAY_MS);
    expect((await canary.cycle("S-01")).violations.map((v) => v.id)).toEqual([
      20261124000001, 20261124000002,
    ]);
  });

  test("a violation is found by its id and in the list, as the cycle told it", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    const { violations } = await canary.cycle();
    expect((await violationsOf(canary)).items).toEqual(violations);
    expect(await canary.store.history.getViolation(violations[0]!.id!, canary.now())).toEqual(violations[0]);
  });

  test("observed_state is in wire names and holds the snapshot's time", async () => {
    const canary = await canaryOf();
    canary.set(LEAKED);
    const report = await canary.cycle("S-01");
    expect(report.violations[0]?.observed_state).toEqual({
      agent_name: "alpha",
      redis_slot_count: 1,
      sql_running_count: 0,
      in_redis_only: ["e-1"],
      in_sql_only: [],
      paired_chat_turns: 0,
      snapshot_time: report.snapshot_time,
    });
  });

  test("a violation is as severe as its finding: a ghost that left a tag behind is major, L-03 is critical", async () => {
    const canary = await canaryOf();
    const tag = { rowsByTable: new Map([["agent_tags", 1]]), samples: [] };
    canary.set({
      orphans: { ghosts: new Map([["ghost", tag]]), unseenTables: [], tablesWithUnreadable: [] },
    });
    const report = await canary.cycle("L-03");
    expect(report.violations).toMatchObject([{ subject: "ghost", severity: "major" }]);
    expect(report.transitions).toMatchObject([{ severity: "major" }]);
    expect((await violationsOf(canary)).items).toMatchObject([{ severity: "major" }]);
  });

  test("the cycle itself can be listed, with what it came to and who asked", async () => {
    const canary = await canaryOf();
    const first = await canary.cycle();
    canary.set(LEAKED);
    const second = await canary.cycle();
    const { items } = await cyclesOf(canary);
    expect(items.map((c) => c.snapshot_time)).toEqual([second.snapshot_time, first.snapshot_time]);
    expect(items[0]).toMatchObject({
      trigger: "schedule",
      checks_run: INVARIANT_IDS,
      violation_count: 1,
      verdicts: second.verdicts,
      transitions: second.transitions,
    });
    expect(items[1]).toMatchObject({ found: {} });
  });

  test("the record says of each invariant how many it found, from which id on, and in one line", async () => {
    const canary = await canaryOf();
    canary.set({
      slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }),
      zombies: zombiesOf([container("alpha", [7])]),
    });
    const { violations } = await canary.cycle();
    const [{ found }] = (await cyclesOf(canary)).items as [CycleRecord];
    const idsOf = (id: string) => violations.filter((v) => v.invariant_id === id).map((v) => v.id);
    expect(found).toEqual({
      "S-01": {
        violations: 2,
        first_violation_id: idsOf("S-01")[0],
        summary:
          "2 slots without a running row and 0 running rows without a slot across 2 agents: alpha, beta",
      },
      "R-01": {
        violations: 1,
        first_violation_id: idsOf("R-01")[0],
        summary: "1 zombie claude process across 1 agent: alpha",
      },
    });
    for (const [id, { first_violation_id, violations: count }] of Object.entries(found!)) {
      const listed = await canary.store.history.listViolationsFrom(first_violation_id!, count, canary.now());
      expect(listed.map((v) => v.id)).toEqual(idsOf(id));
    }
  });

  test("the day's counters add up over cycles", async () => {
    const canary = await canaryOf();
    canary.set({ ...LEAKED, zombies: zombiesOf([container("alpha", [7])]) });
    await canary.cycle();
    await canary.cycle();
    expect(await canary.store.history.stats(lastDays(canary, 0))).toEqual([
      {
        day: "2026-11-23",
        counts: expect.arrayContaining([
          { invariantId: "S-01", severity: "critical", count: 2 },
          { invariantId: "R-01", severity: "critical", count: 2 },
        ]),
      },
    ]);
  });

  test("a green cycle leaves its record and no violation", async () => {
    const canary = await canaryOf();
    await canary.cycle();
    expect((await cyclesOf(canary)).items).toHaveLength(1);
    expect((await violationsOf(canary)).items).toEqual([]);
    expect(await canary.store.history.stats(lastDays(canary, 80))).toEqual([]);
  });

  test("500 slots and 500 rows with ids of 500 characters: told whole, kept in part, and the cycle happens", async () => {
    const canary = await canaryOf();
    const ids = (side: string) =>
      Array.from({ length: 500 }, (_, i) => `${side}-${i}-${randomBytes(400).toString("hex")}`.slice(0, 500));
    const [slots, rows] = [ids("slot"), ids("row")];
    canary.set({
      slots: slotsOf({ alpha: slots.map((id) => slot(id)) }),
      executions: live(...rows.map((id) => runningRow(id, "alpha"))),
    });
    const report = await canary.cycle("S-01");
    expect(report.transitions).toMatchObject([{ invariant_id: "S-01" }]);
    expect(report.violations[0]?.observed_state).toMatchObject({
      in_redis_only: [...slots].sort(),
      in_sql_only: [...rows].sort(),
    });
    const kept = await canary.store.history.getViolation(report.violations[0]!.id!, canary.now());
    expect(kept?.observed_state).toMatchObject({
      redis_slot_count: 500,
      in_redis_only: [...slots].sort().slice(0, 100),
      in_redis_only_total: 500,
      in_sql_only: [...rows].sort().slice(0, 100),
      in_sql_only_total: 500,
    });
    expect((await canary.cycle("S-01")).transitions).toEqual([]);
    canary.set({ ...NO_SLOTS, executions: live() });
    expect((await canary.cycle("S-01")).recoveries).toMatchObject([{ subjects: ["alpha"] }]);
  });

  test("an id of a million characters, and an agent's name of 100,000, keep no cycle from happening", async () => {
    const canary = await canaryOf();
    const name = randomBytes(50_000).toString("hex");
    canary.set({ slots: slotsOf({ alpha: [slot("e".repeat(1_000_000))], [name]: [slot("e-2")] }) });
    const report = await canary.cycle("S-01", "L-03");
    expect(report.transitions.map((t) => t.invariant_id)).toEqual(["S-01", "L-03"]);
    const { items } = await violationsOf(canary);
    expect(items.map((v) => v.subject.length)).toEqual([10_000, 5]);
    expect((await canary.cycle("S-01", "L-03")).transitions).toEqual([]);
    canary.set(NO_SLOTS);
    expect((await canary.cycle("S-01", "L-03")).recoveries).toHaveLength(2);
  });

  test("agents named __proto__ and constructor go through the store and come back", async () => {
    const canary = await canaryOf();
    const roster = new Map(
      ["__proto__", "constructor"].map((a) => [
        a,
        { maxParallelTasks: 3, executionTimeoutSeconds: 900, isDeleted: false },
      ]),
    );
    const held = Object.fromEntries([
      ["__proto__", [slot("e-1")]],
      ["constructor", [slot("e-2")]],
    ]);
    canary.set({ roster, slots: slotsOf(held) });
    expect((await canary.cycle("S-01")).transitions).toHaveLength(1);
    expect((await canary.cycle("S-01")).transitions).toEqual([]);
    expect((await violationsOf(canary)).items).toHaveLength(4);
    canary.set(NO_SLOTS);
    expect((await canary.cycle("S-01")).recoveries).toMatchObject([
      { subjects: ["__proto__", "constructor"] },
    ]);
  });
});
