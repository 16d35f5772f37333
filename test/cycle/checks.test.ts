/** Cycles of an environment that turns invariants off or on, or gives them its own severity. */
import { describe, expect, test } from "vitest";
import { INVARIANT_IDS, INVARIANTS } from "../../shared/invariants/index.ts";
import { alertsOf, container, DAY_MS, HOUR_MS, slot, taken, useCanaries } from "../support/cycle.ts";
import { countsOf, orphansOf, slotsOf, zombiesOf } from "../support/facts.ts";

const canaryOf = useCanaries();

const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };
const NO_SLOTS = { slots: slotsOf({}) };
const ZOMBIE = { zombies: zombiesOf([container("alpha", [7]), container("beta")]) };

/** With all of these off, nothing reads Docker. */
const ON_DOCKER = INVARIANTS.filter(({ reads, optional = [] }) =>
  [...reads, ...optional].some((fact) => fact === "zombies" || fact === "containers"),
).map(({ id }) => id);

describe("an invariant that the environment turns off", () => {
  test("is not run, and its source is not read; the answer and the record say why", async () => {
    const canary = await canaryOf({ checks: { off: ["B-01"] } });
    canary.set({ queueCounts: countsOf({ alpha: 3 }) });
    const report = await canary.cycle();
    expect(report).toMatchObject({
      checks_off: ["B-01"],
      checks_off_reasons: { "B-01": "off by CHECKS_OFF" },
      checks_run: INVARIANT_IDS.filter((id) => id !== "B-01"),
      sources_unavailable: [],
      violations_total: 0,
    });
    expect(report.verdicts).not.toHaveProperty("B-01");
    expect(canary.reads.map(({ source }) => source)).not.toContain("queue_counts");
    const record = await canary.store.history.getCycle(report.snapshot_time, canary.now());
    expect(record).toMatchObject({
      checks_off: ["B-01"],
      checks_off_reasons: { "B-01": "off by CHECKS_OFF" },
    });
    expect((await canary.memory()).lastFullCycle).toMatchObject({
      checksOff: ["B-01"],
      checksOffReasons: { "B-01": "off by CHECKS_OFF" },
    });
  });

  test("and that is asked for by name is answered as off, beside those that run", async () => {
    const canary = await canaryOf({ checks: { off: ["R-01"] } });
    expect(await canary.cycle("S-01", "R-01")).toMatchObject({
      checks_run: ["S-01"],
      checks_off: ["R-01"],
      checks_off_reasons: { "R-01": "off by CHECKS_OFF" },
    });
    expect(await canary.cycle("R-01")).toMatchObject({
      checks_run: [],
      checks_off: ["R-01"],
      verdicts: {},
    });
    // The others are not said to be off: nobody asked for them.
    expect((await canary.cycle("S-01")).checks_off).toEqual([]);
  });

  test("has that as its reason, also where its source is left out as well", async () => {
    const canary = await canaryOf({ checks: { off: ["B-01"] } });
    canary.leaveOut("docker", "off");
    canary.leaveOut("queue_counts", "off");
    expect((await canary.cycle()).checks_off_reasons).toEqual({
      "B-01": "off by CHECKS_OFF",
      "B-08": "docker: off",
      "R-01": "docker: off",
    });
  });

  test("all of them: the cycle happens, and reads nothing", async () => {
    const canary = await canaryOf({ checks: { off: INVARIANT_IDS } });
    const report = await canary.cycle();
    expect(report).toMatchObject({ checks_run: [], checks_off: INVARIANT_IDS, verdicts: {} });
    expect(canary.reads).toEqual([]);
  });
});

describe("an invariant that is turned off while it is red", () => {
  test("neither recovers nor reminds anybody; turned on again it recovers once, when it is seen healthy", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.set(ZOMBIE);
    await canary.cycle();
    expect(taken(sent)).toEqual(["broke R-01 critical"]);

    canary.deploy({ off: ["R-01"] });
    canary.set({ zombies: zombiesOf([container("alpha"), container("beta")]) });
    expect(await canary.cycle()).toMatchObject({ recoveries: [], violations_total: 0 });
    canary.advance(3 * DAY_MS);
    expect((await canary.cycle()).recoveries).toEqual([]);
    expect(taken(sent)).toEqual([]);

    canary.deploy({});
    const { recoveries } = await canary.cycle();
    expect(recoveries).toEqual([expect.objectContaining({ invariant_id: "R-01", subjects: ["alpha"] })]);
    await canary.cycle();
    expect(taken(sent)).toEqual(["recovered R-01 critical"]);
  });

  test.each(["setting", "source"])(
    "by its %s: operators are notified again of what is red when it is on again",
    async (by) => {
      const canary = await canaryOf();
      // Nobody is reminded: without a new alert nobody would hear of it.
      const sent = alertsOf(canary, { remindAfterMs: 0 });
      canary.set(ZOMBIE);
      await canary.cycle();
      expect(taken(sent)).toEqual(["broke R-01 critical"]);
      const sources = [...canary.deps.sources];
      if (by === "setting") canary.deploy({ off: ["R-01"] });
      else canary.leaveOut("docker", "off");
      canary.advance(HOUR_MS);
      await canary.cycle();
      expect(taken(sent)).toEqual([]);
      canary.deploy({});
      Object.assign(canary.deps, { sources });
      await canary.cycle();
      await canary.cycle();
      expect(taken(sent)).toEqual(["broke R-01 critical"]);
    },
  );
});

describe("an invariant that is turned off while it is blind", () => {
  test("is not told as blind, not even where nobody was notified yet", async () => {
    const canary = await canaryOf();
    canary.unread("zombies", "docker: no answer");
    for (let cycle = 0; cycle < 5; cycle += 1) await canary.cycle();
    // The channel is new: what is blind is told now.
    const sent = alertsOf(canary);
    canary.deploy({ off: ["R-01"] });
    await canary.cycle("S-01");
    await canary.cycle();
    expect(taken(sent)).toEqual([]);
    expect((await canary.memory()).states["R-01"]).toMatchObject({ blindCycles: 0, blindSinceMs: null });
  });

  test("and was told as blind does not see again, neither then nor when it is turned on", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.when("docker", async () => {
      throw new Error("no answer");
    });
    for (let cycle = 0; cycle < 3; cycle += 1) await canary.cycle();
    expect(taken(sent)).toEqual([
      expect.stringMatching(/^blind .*docker \(no answer\)\. 1 of \d+ invariants can't be judged/),
    ]);
    canary.deploy({ off: ON_DOCKER });
    await canary.cycle();
    expect(taken(sent)).toEqual([]);
    canary.when("docker");
    canary.deploy({});
    await canary.cycle();
    expect(taken(sent)).toEqual([]);
  });

  test("a source that others read still goes blind without it", async () => {
    const canary = await canaryOf({ checks: { off: ["S-01"] } });
    const sent = alertsOf(canary);
    canary.when("redis", async () => {
      throw new Error("no answer");
    });
    for (let cycle = 0; cycle < 3; cycle += 1) await canary.cycle();
    const [blind] = taken(sent);
    const cant = Object.values((await canary.memory()).states).filter((state) => state.blindSinceMs !== null);
    expect(blind).toMatch(/redis/);
    expect(blind).toContain(`${cant.length} of ${INVARIANTS.length - 1} invariants`);
  });
});

describe("an environment's own severity", () => {
  test("is that of violations, transitions, recoveries, counters and alerts", async () => {
    const canary = await canaryOf({ checks: { severities: { "S-01": "minor" } } });
    const sent = alertsOf(canary);
    canary.set(LEAKED);
    const report = await canary.cycle("S-01");
    expect(report.violations.map(({ severity }) => severity)).toEqual(["minor"]);
    expect(report.transitions).toMatchObject([{ invariant_id: "S-01", severity: "minor" }]);
    const [day] = await canary.store.history.stats({
      startMs: canary.now(),
      endMs: canary.now(),
      nowMs: canary.now(),
    });
    expect(day?.counts).toEqual([{ invariantId: "S-01", severity: "minor", count: 1 }]);
    canary.set(NO_SLOTS);
    expect((await canary.cycle("S-01")).recoveries).toMatchObject([{ severity: "minor" }]);
    expect(taken(sent)).toEqual(["broke S-01 minor", "recovered S-01 minor"]);
  });

  test("decides whether anybody is notified", async () => {
    const canary = await canaryOf({ checks: { severities: { "S-01": "minor" } } });
    const sent = alertsOf(canary, { minSeverity: "major" });
    canary.set(LEAKED);
    expect((await canary.cycle()).verdicts["S-01"]?.status).toBe("red");
    expect(taken(sent)).toEqual([]);
    canary.deploy({ severities: { "S-01": "major" } });
    await canary.cycle();
    expect(taken(sent)).toEqual(["broke S-01 major"]);
  });

  test("holds for each finding of an invariant that grades them itself, and for one that is read again", async () => {
    const canary = await canaryOf({ checks: { severities: { "L-03": "minor" } } });
    canary.set({
      orphans: orphansOf({
        ghost: { rows: { agent_tags: 1 } },
        specter: { rows: { schedule_executions: 1 } },
      }),
    });
    const { violations } = await canary.cycle("L-03");
    expect(violations.map(({ subject, severity }) => [subject, severity])).toEqual([
      ["ghost", "minor"],
      ["specter", "minor"],
    ]);
    expect(canary.naps).toEqual([3_000]);
  });

  test("changes no other invariant", async () => {
    const canary = await canaryOf({ checks: { severities: { "S-01": "minor" } } });
    canary.set({ ...LEAKED, queueCounts: countsOf({ alpha: 3 }) });
    const { violations } = await canary.cycle("B-01");
    expect(violations.map(({ severity }) => severity)).toEqual(["critical"]);
  });
});
