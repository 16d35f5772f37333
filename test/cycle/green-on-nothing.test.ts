/** A canary that looks at the wrong place: an empty database, a Redis without the platform, agents that are missing. */
import { describe, expect, test } from "vitest";
import type { Facts } from "../../shared/facts/facts.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { live, runningRow, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { containersOf, rosterOf, slotsOf, zombiesOf } from "../support/facts.ts";
import { idsReading } from "../support/registry.ts";

const canaryOf = useCanaries();
const IDLE = { executionTimeoutSeconds: 7 * 86_400 };
const ON_DATABASE = idsReading("sqlite");
const BOTH = rosterOf({ alpha: IDLE, beta: IDLE });

const statusesOf = ({ verdicts }: CycleReport) => [...new Set(Object.values(verdicts).map((v) => v.status))];
const stateIn = async (canary: ScriptedCanary, id: string) => (await canary.memory()).states[id]!;

/** A database of the same schema without a row, and a Docker daemon without a container. */
const EMPTY: Partial<Facts> = {
  roster: rosterOf({}),
  zombies: zombiesOf([]),
  containers: containersOf([]),
  newestStart: null,
};

describe("an empty roster", () => {
  test("nothing is green, and each says why", async () => {
    const canary = await canaryOf();
    canary.set(EMPTY);
    const report = await canary.cycle();
    for (const id of ON_DATABASE)
      expect([id, report.verdicts[id]]).toMatchObject([
        id,
        { status: "unknown", reason: expect.stringMatching(/^the roster is empty/) },
      ]);
    expect(report.violations).toEqual([]);
  });

  test("a run of one invariant that has no use for the roster is not green either", async () => {
    const canary = await canaryOf();
    canary.set(EMPTY);
    for (const id of ["E-02", "E-05"])
      expect((await canary.cycle(id)).verdicts).toMatchObject({
        [id]: { status: "unknown", reason: "the roster is empty" },
      });
  });

  test("no row of it could be read: that is the reason", async () => {
    const canary = await canaryOf();
    const why = "a roster row's agent_name can't be read";
    canary.set({ roster: rosterOf({}) });
    canary.marks("roster", { unlisted: why });
    expect((await canary.cycle("S-02", "E-05")).verdicts).toMatchObject({
      "S-02": { status: "unknown", reason: why },
      "E-05": { status: "unknown", reason: why },
    });
  });

  test("after a migration: what was red stays red, and the same red afterwards is not new", async () => {
    const canary = await canaryOf();
    const leaked = { slots: slotsOf({ alpha: [slot("e-1")] }) };
    canary.set(leaked);
    expect((await canary.cycle()).transitions).toMatchObject([{ invariant_id: "S-01" }]);

    canary.set({ ...EMPTY, slots: slotsOf({}) });
    for (let cycles = 1; cycles <= 3; cycles += 1) {
      const report = await canary.cycle();
      expect(report).toMatchObject({ violations: [], transitions: [], spreads: [], recoveries: [] });
      expect(report.verdicts["S-01"]).toMatchObject({
        status: "unknown",
        reason: "the roster is empty (still red: alpha)",
      });
      expect(await stateIn(canary, "S-01")).toMatchObject({ status: "red", blindCycles: cycles });
      expect(await stateIn(canary, "E-05")).toMatchObject({
        status: "green",
        blindCycles: cycles,
        blindReason: "the roster is empty",
      });
    }

    canary.set({ ...leaked, roster: BOTH });
    expect(await canary.cycle("S-01")).toMatchObject({
      verdicts: { "S-01": { status: "red" } },
      transitions: [],
      recoveries: [],
    });
    canary.set({ slots: slotsOf({}) });
    expect((await canary.cycle("S-01")).recoveries).toMatchObject([{ invariant_id: "S-01" }]);
  });
});

describe("fewer agents than EXPECT_AGENTS", () => {
  const why = "the roster has 2 agents, EXPECT_AGENTS says at least 3";

  test("nothing is green, and each says how many there are", async () => {
    const canary = await canaryOf({ expectAgents: 3 });
    const report = await canary.cycle();
    for (const id of ON_DATABASE)
      expect([id, report.verdicts[id]]).toMatchObject([id, { status: "unknown", reason: why }]);
    expect(report.verdicts["S-02"]).toMatchObject({ checked: 2 });
  });

  test("as many as are expected, or more, are enough", async () => {
    for (const expectAgents of [0, 1, 2]) {
      const canary = await canaryOf({ expectAgents });
      expect(statusesOf(await canary.cycle())).toEqual(["green"]);
    }
  });

  test("a true red is red; an agent that was red and is gone from the roster does not recover by that", async () => {
    const canary = await canaryOf({ expectAgents: 2 });
    const slots = slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] });
    canary.set({ slots });
    await canary.cycle("S-01");
    canary.set({ roster: rosterOf({ alpha: IDLE }) });
    const report = await canary.cycle("S-01");
    expect(report.violations).toMatchObject([{ invariant_id: "S-01", subject: "alpha" }]);
    expect(report).toMatchObject({ transitions: [], recoveries: [] });
    expect(report.verdicts["S-01"]).toMatchObject({
      status: "red",
      reason: "still red but not seen: beta",
    });
    expect(Object.keys((await stateIn(canary, "S-01")).red).sort()).toEqual(["alpha", "beta"]);
  });
});

test("an idle platform is green on its roster and its heartbeat: nothing runs, and nothing holds a slot", async () => {
  const canary = await canaryOf();
  const report = await canary.cycle();
  expect(statusesOf(report)).toEqual(["green"]);
  expect(report.checks_run).toEqual(INVARIANT_IDS);
});

test("a Redis that holds no key of the platform: what rests on it is unknown, a run without a slot is red", async () => {
  const canary = await canaryOf();
  const why = "Redis holds no key of the platform";
  for (const fact of ["slots", "drainTick", "pullPolls"] as const) canary.marks(fact, { insufficient: why });
  canary.set({ platformKeys: { hasSlotKey: false, hasHeartbeat: false } });
  // H-03 judges the keys themselves: an idle platform whose Redis was just made has none.
  const onRedis = idsReading("redis").filter((id) => id !== "H-03");
  const idle = await canary.cycle();
  for (const id of INVARIANT_IDS)
    expect([id, idle.verdicts[id]]).toMatchObject([
      id,
      onRedis.includes(id) ? { status: "unknown", reason: why } : { status: "green", reason: null },
    ]);
  canary.set({ executions: live(runningRow("e-1", "alpha")), sessions: new Set(["e-1"]) });
  const busy = await canary.cycle();
  expect(busy.violations).toMatchObject([{ invariant_id: "S-01", subject: "alpha" }]);
  expect(busy.verdicts["S-02"]).toMatchObject({ status: "unknown", reason: why });
});
