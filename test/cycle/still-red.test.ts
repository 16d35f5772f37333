/** An agent that is red, and then can't be looked at: verdict, record, answers and alerts of the cycles that follow. */
import { describe, expect, test } from "vitest";
import { container, runningRow, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { executionsOf, slotsOf, withoutAgent, zombiesOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const LEAKED = { alpha: [slot("e-1")] };
const NOTHING_NEW = { violations: [], transitions: [], spreads: [], recoveries: [] };

async function withRed(): Promise<ScriptedCanary> {
  const canary = await canaryOf();
  canary.set({ slots: slotsOf(LEAKED) });
  expect((await canary.cycle()).transitions).toMatchObject([{ invariant_id: "S-01" }]);
  return canary;
}
const latestRecord = async (canary: ScriptedCanary) => {
  const range = { startMs: 0, endMs: canary.now(), nowMs: canary.now() };
  return (await canary.store.history.listCycles(range, 1, null)).items[0]!;
};
const stateIn = async (canary: ScriptedCanary) => (await canary.memory()).states["S-01"]!;

describe("S-01 is red for alpha, and alpha's slots can't be read any more", () => {
  test("it is red in each of the next cycles, without a new violation or an alert, and recovers once it is seen", async () => {
    const canary = await withRed();
    const since = (await stateIn(canary)).sinceMs;
    canary.set({ slots: slotsOf({}, ["alpha"]) });
    for (let cycles = 0; cycles < 3; cycles += 1) {
      const report = await canary.cycle();
      expect(report).toMatchObject(NOTHING_NEW);
      const verdict = {
        status: "red",
        checked: 1,
        unseen: ["alpha"],
        reason: "still red but not seen: alpha",
      };
      expect(report.verdicts["S-01"]).toEqual(verdict);
      // Beside it, what was never red is green: beta was looked at.
      expect(report.verdicts["S-02"]).toMatchObject({ status: "green", unseen: ["alpha"] });
      expect(await latestRecord(canary)).toMatchObject({
        snapshot_time: report.snapshot_time,
        violation_count: 0,
        found: {},
        verdicts: { "S-01": verdict },
      });
      expect(await stateIn(canary)).toMatchObject({
        status: "red",
        sinceMs: since,
        blindCycles: 0,
        checked: 1,
      });
    }
    canary.set({ slots: slotsOf({}) });
    expect((await canary.cycle()).recoveries).toMatchObject([
      { invariant_id: "S-01", subjects: ["alpha"], red_since: new Date(since).toISOString() },
    ]);
  });

  test("another agent becomes red beside it: one violation, and both are accounted for", async () => {
    const canary = await withRed();
    canary.set({ slots: slotsOf({ beta: [slot("e-2")] }, ["alpha"]) });
    const report = await canary.cycle("S-01");
    expect(report.violations).toMatchObject([{ subject: "beta" }]);
    expect(report.spreads).toMatchObject([{ subjects: ["beta"] }]);
    expect(report.verdicts["S-01"]).toMatchObject({ status: "red", reason: "still red but not seen: alpha" });
  });

  test("the whole fleet can't be read: it is red, and counted as blind all the same", async () => {
    const canary = await withRed();
    canary.set({ slots: slotsOf({}, ["alpha", "beta"]) });
    const report = await canary.cycle();
    expect(report).toMatchObject(NOTHING_NEW);
    expect(report.verdicts["S-01"]).toMatchObject({
      status: "red",
      reason: "none of 2 subjects could be seen (still red: alpha)",
    });
    expect(report.verdicts["S-02"]).toMatchObject({
      status: "unknown",
      reason: "none of 2 subjects could be seen",
    });
    expect(await stateIn(canary)).toMatchObject({
      status: "red",
      blindCycles: 1,
      blindReason: "none of 2 subjects could be seen",
    });
  });

  test("Redis is not read at all: unknown, with what is still red, and the memory's reason is the source's", async () => {
    const canary = await withRed();
    canary.unread("slots", "redis: ECONNREFUSED");
    const report = await canary.cycle();
    expect(report).toMatchObject(NOTHING_NEW);
    expect(report.verdicts["S-01"]).toEqual({
      status: "unknown",
      checked: 0,
      unseen: [],
      reason: "redis: ECONNREFUSED (still red: alpha)",
    });
    expect(report.verdicts["S-02"]!.reason).toBe("redis: ECONNREFUSED");
    expect(await stateIn(canary)).toMatchObject({ status: "red", blindReason: "redis: ECONNREFUSED" });
  });

  test("and the state can't be written: the verdict follows what the memory says", async () => {
    const canary = await withRed();
    canary.set({ slots: slotsOf({}, ["alpha"]) });
    canary.stateFails("lease.commit");
    const outcome = await canary.statelessCycle();
    expect(outcome.report.verdicts["S-01"]).toMatchObject({
      status: "red",
      reason: "still red but not seen: alpha",
    });
  });
});

test("a red that the confirmation could not see is neither opened nor closed, and stays red where it was", async () => {
  const canary = await withRed();
  // Another key of the agent is new; the second read can't see the agent. Between the two, the known one has gone.
  canary.once({ slots: slotsOf({ alpha: [slot("e-2")] }) });
  canary.set({ slots: slotsOf({}, ["alpha"]) });
  const report = await canary.cycle("S-01");
  expect(report).toMatchObject(NOTHING_NEW);
  expect(report.verdicts["S-01"]).toMatchObject({ status: "red", unseen: ["alpha"] });
  expect((await canary.memory()).states["S-01"]).toMatchObject({ status: "red" });
});

test("R-01: the zombie's daemon is not read, and others are green: unknown, and still red", async () => {
  const canary = await canaryOf();
  canary.set({ zombies: zombiesOf([container("alpha", [7]), container("beta")]) });
  await canary.cycle();
  canary.set({ zombies: zombiesOf([container("beta")], { unseenDaemons: ["tcp://docker-2:2376"] }) });
  expect((await canary.cycle()).verdicts["R-01"]).toMatchObject({
    status: "unknown",
    checked: 1,
    reason: "not read: tcp://docker-2:2376 (still red: alpha)",
  });
});

test("E-05: the agent's name in the red row can't be read any more: red until it can", async () => {
  const canary = await canaryOf();
  const lost = runningRow("lost", "alpha");
  canary.set({ executions: executionsOf([lost]) });
  await canary.cycle("E-05");
  canary.set({ executions: executionsOf([{ ...lost, id: "other", agent: "beta" }], [withoutAgent(lost)]) });
  canary.set({ sessions: new Set(["other"]) });
  expect((await canary.cycle("E-05")).verdicts["E-05"]).toMatchObject({
    status: "red",
    reason: "still red but not seen: alpha",
  });
  canary.set({ executions: executionsOf([]) });
  expect((await canary.cycle("E-05")).verdicts["E-05"]).toMatchObject({ status: "green" });
});

test("what the memory could not keep, and nobody can look at: red by its number alone", async () => {
  const canary = await withRed();
  const { lease } = canary.store;
  const taken = await lease.acquire("the-test", canary.now(), 60_000);
  if (!("memory" in taken)) throw new Error("the lease is taken");
  const state = { ...taken.memory.states["S-01"]!, red: {}, redBesides: 3 };
  const cut = { ...taken.memory, states: { ...taken.memory.states, "S-01": state } };
  await lease.commit(
    taken,
    {
      whole: cut,
      *[Symbol.iterator]() {
        yield cut;
      },
    },
    { release: true, nowMs: canary.now() },
  );

  canary.set({ slots: slotsOf({}, ["alpha"]) });
  const report = await canary.cycle("S-01");
  expect(report).toMatchObject(NOTHING_NEW);
  expect(report.verdicts["S-01"]).toMatchObject({
    status: "red",
    reason: "still red but not seen: 3 subjects that the memory only counts",
  });
  canary.set({ slots: slotsOf({}) });
  expect((await canary.cycle("S-01")).recoveries).toHaveLength(1);
});
