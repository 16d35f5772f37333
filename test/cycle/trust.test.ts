/**
 * A source that is not the platform's: one alert names the cause, nothing that rests on the source opens or closes, and
 * nobody is told that the rest is blind.
 */
import { describe, expect, test } from "vitest";
import type { Facts } from "../../shared/facts/facts.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import {
  alertsOf,
  HOUR_MS,
  live,
  MINUTE_MS,
  runningRow,
  type ScriptedCanary,
  START_MS,
  slot,
  taken,
  useCanaries,
} from "../support/cycle.ts";
import { containersOf, rosterOf, slotsOf } from "../support/facts.ts";
import { idsReading } from "../support/registry.ts";

const canaryOf = useCanaries();

const IDLE = { executionTimeoutSeconds: 7 * 86_400 };
const ROSTER = rosterOf({ alpha: IDLE, beta: IDLE });

const EMPTY_ROSTER = "H-01: the roster of agents is empty or can't be read";
const OTHER_DATABASE = "H-02: the database is not the one that the platform writes";
const OTHER_REDIS = "H-03: Redis is not the one that the platform writes";

const idsOf = (changes: CycleReport["transitions"] | CycleReport["recoveries"]) =>
  changes.map(({ invariant_id }) => invariant_id);
const redIn = ({ verdicts }: CycleReport) =>
  Object.entries(verdicts).flatMap(([id, { status }]) => (status === "red" ? [id] : []));
const stateOf = async (canary: ScriptedCanary, id: string) => (await canary.memory()).states[id]!;
/** For far longer than it takes to call something blind. */
async function cyclesLater(canary: ScriptedCanary): Promise<CycleReport> {
  for (let cycle = 0; cycle < 5; cycle += 1) await canary.cycle();
  return canary.cycle();
}

describe("an empty roster beside live agents", () => {
  const EMPTY = { roster: rosterOf({}) };

  test("one alert after a minute, nothing else red or blind meanwhile, and one when it is back", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    await canary.cycle();
    canary.set(EMPTY);
    const first = await canary.cycle();
    expect(redIn(first)).toEqual([]);
    expect(first.verdicts["H-01"]).toMatchObject({
      status: "unknown",
      reason: "roster_empty_contradicted: it counts once it has lasted for 60 s, so far 0 s",
    });
    expect(taken(sent)).toEqual([]);

    const second = await canary.cycle();
    expect(idsOf(second.transitions)).toEqual(["H-01"]);
    expect(second.violations).toMatchObject([
      {
        invariant_id: "H-01",
        severity: "critical",
        observed_state: { blind_since: "2026-11-23T10:10:00.000Z", evidence_sample: ["alpha", "beta"] },
      },
    ]);
    for (const id of INVARIANT_IDS.filter((id) => id !== "H-01"))
      expect([id, second.verdicts[id]]).toMatchObject([id, { status: "unknown", reason: EMPTY_ROSTER }]);
    await cyclesLater(canary);
    expect(taken(sent)).toEqual(["broke H-01 critical"]);

    canary.set({ roster: ROSTER });
    const after = await canary.cycle();
    expect(idsOf(after.recoveries)).toEqual(["H-01"]);
    expect(Object.values(after.verdicts).map(({ status }) => status)).toEqual(
      INVARIANT_IDS.map(() => "green"),
    );
    expect(taken(sent)).toEqual(["recovered H-01 critical"]);
  });

  test("a roster that is empty for one look, while it is being restored, is no alarm", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    await canary.cycle();
    canary.set(EMPTY);
    await canary.cycle();
    canary.set({ roster: ROSTER });
    await canary.cycle();
    canary.set(EMPTY);
    // It is in doubt anew, and has not been for two cycles.
    expect((await canary.cycle()).verdicts["H-01"]?.status).toBe("unknown");
    expect(taken(sent)).toEqual([]);
  });

  test("what is red stays red, and is the same red afterwards", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")] }) });
    await canary.cycle();
    canary.set(EMPTY);
    await canary.cycle();
    expect((await canary.cycle()).verdicts["S-01"]).toMatchObject({
      status: "unknown",
      reason: `${EMPTY_ROSTER} (still red: alpha)`,
    });
    canary.set({ roster: ROSTER });
    const after = await canary.cycle();
    expect([idsOf(after.transitions), idsOf(after.recoveries)]).toEqual([[], ["H-01"]]);
    expect(redIn(after)).toEqual(["S-01"]);
    expect(taken(sent)).toEqual(["broke S-01 critical", "broke H-01 critical", "recovered H-01 critical"]);
  });

  test("a database that does not answer is that as well, and Redis is judged by nobody", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    await canary.cycle();
    canary.when("sqlite", async () => {
      throw new Error("no answer");
    });
    await canary.cycle();
    expect(idsOf((await canary.cycle()).transitions)).toEqual(["H-01"]);
    await cyclesLater(canary);
    // Why it can't be read is told as well: the source is blind. No invariant is said to be.
    expect(taken(sent)).toEqual([
      "broke H-01 critical",
      expect.stringMatching(/^blind .*sqlite \(no answer\)\. \d+ of 19 invariants can't be judged/),
    ]);
  });

  test("with Docker left out, a Redis in which no run holds a slot does not say that there are no agents", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.leaveOut("docker", "off");
    await canary.cycle();
    canary.set({ ...EMPTY, slots: slotsOf({ alpha: [slot("e-1")] }) });
    await canary.cycle();
    await canary.cycle();
    expect(taken(sent)).toEqual(["broke H-01 major"]);
    canary.set({ slots: slotsOf({}) });
    for (const { verdicts } of [await canary.cycle(), await canary.cycle()])
      expect(verdicts["H-01"]?.status).toBe("red");
    canary.set({ roster: ROSTER });
    expect(idsOf((await canary.cycle()).recoveries)).toEqual(["H-01"]);
  });

  test("all agree on empty: H-01 is green, and the others say that there is nothing to judge by", async () => {
    const canary = await canaryOf();
    canary.set({ ...EMPTY, containers: containersOf([]) });
    await canary.cycle();
    const report = await canary.cycle();
    expect(report.verdicts["H-01"]?.status).toBe("green");
    expect(report.verdicts["S-01"]).toMatchObject({ status: "unknown", reason: "the roster is empty" });
  });
});

describe("a copy of the database, left behind by a migration", () => {
  /** A run that is overdue, and a slot that leaked: the platform as it was, and as the copy keeps it. */
  const BEFORE: Partial<Facts> = {
    roster: rosterOf({ alpha: { executionTimeoutSeconds: 60 }, beta: IDLE }),
    executions: live(runningRow("stuck", "alpha")),
    sessions: new Set(["stuck"]),
    newestStart: START_MS - 10 * MINUTE_MS,
    slots: slotsOf({ alpha: [slot("stuck", { timeoutSeconds: 60 }), slot("leak")] }),
  };
  /** Redis goes on: each cycle finds slots that have just been acquired, of runs that the copy knows nothing of. */
  const goesOn = (nowMs: number): Facts["slots"] => {
    const score = nowMs / 1000 - 5;
    return slotsOf({
      alpha: [slot("leak"), slot("n-1", { score }), slot("n-2", { score })],
      beta: [slot("n-3", { score })],
    });
  };

  test("one alert: what was red neither recovers nor is news, and what is new of it is not told", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.set(BEFORE);
    await canary.cycle();
    expect(taken(sent)).toEqual(["broke S-01 critical", "broke E-01 critical"]);

    canary.set({ slots: goesOn });
    const report = await canary.cycle();
    expect(idsOf(report.transitions)).toEqual(["H-02"]);
    expect([report.spreads, report.recoveries]).toEqual([[], []]);
    expect(report.violations.map(({ invariant_id }) => invariant_id)).toEqual(["H-02"]);
    for (const id of idsReading("sqlite").filter((id) => id !== "H-02"))
      expect([id, report.verdicts[id]]).toMatchObject([
        id,
        { status: "unknown", reason: expect.stringMatching(`^${OTHER_DATABASE}`) },
      ]);
    expect(report.verdicts["H-01"]?.status).toBe("green");
    await cyclesLater(canary);
    expect(taken(sent)).toEqual(["broke H-02 critical"]);
    expect(await stateOf(canary, "S-01")).toMatchObject({ status: "red", blindCycles: 0 });

    // The canary is pointed to the database that the platform writes.
    canary.set({ ...BEFORE, executions: live(), newestStart: canary.now() });
    const after = await canary.cycle();
    expect([idsOf(after.transitions), idsOf(after.recoveries).sort()]).toEqual([[], ["E-01", "H-02"]]);
    expect(redIn(after)).toEqual(["S-01"]);
    expect(taken(sent).sort()).toEqual(["recovered E-01 critical", "recovered H-02 critical"]);
  });

  test("a lull, in which Redis has one slot or none, ends nothing: no row has come for the slots of before", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.set({ ...BEFORE, executions: live(), sessions: new Set(), slots: goesOn });
    canary.set({ newestStart: START_MS - HOUR_MS });
    await canary.cycle();
    expect(taken(sent)).toEqual(["broke H-02 critical"]);
    for (const slots of [slotsOf({ beta: [slot("n-4")] }), slotsOf({}), goesOn, slotsOf({})]) {
      canary.set({ slots });
      const report = await canary.cycle();
      expect(report.verdicts["H-02"]?.status).toBe("red");
      expect(report.verdicts["S-01"]).toMatchObject({ status: "unknown" });
      expect([report.transitions, report.recoveries]).toEqual([[], []]);
    }
    // Pointed to the platform's database during the lull: its rows are as new as the slots were.
    canary.set({ newestStart: canary.now() - 6 * MINUTE_MS, slots: slotsOf({}) });
    expect(idsOf((await canary.cycle()).recoveries)).toEqual(["H-02"]);
    expect(taken(sent)).toEqual(["recovered H-02 critical"]);
  });

  test("a run of one invariant meanwhile is unknown, by the same reason", async () => {
    const canary = await canaryOf();
    canary.set({ newestStart: START_MS - HOUR_MS, slots: goesOn });
    await canary.cycle();
    expect((await canary.cycle("S-01")).verdicts).toEqual({
      "S-01": expect.objectContaining({ status: "unknown", reason: OTHER_DATABASE }),
    });
    // H-02 itself can be asked.
    expect((await canary.cycle("H-02")).verdicts["H-02"]?.status).toBe("red");
  });

  test("one invariant asked for before anybody knows of it is judged: the next full cycle says otherwise", async () => {
    const canary = await canaryOf();
    canary.set({ newestStart: START_MS - HOUR_MS, slots: goesOn });
    expect((await canary.cycle("S-01")).verdicts["S-01"]?.status).toBe("red");
    expect((await canary.cycle()).verdicts["S-01"]).toMatchObject({
      status: "unknown",
      reason: `${OTHER_DATABASE} (still red: alpha, beta)`,
    });
  });

  test.each(["H-02 is turned off", "Redis is left out"])(
    "while it is red, %s: it says nothing any more of the others",
    async (how) => {
      const canary = await canaryOf();
      canary.set({ newestStart: START_MS - HOUR_MS, slots: goesOn });
      await canary.cycle();
      if (how === "Redis is left out") canary.leaveOut("redis", "off");
      else canary.deploy({ off: ["H-02"] });
      const { verdicts } = await canary.cycle();
      expect(verdicts).not.toHaveProperty("H-02");
      expect(verdicts["E-02"]).toMatchObject({ status: "green" });
      expect((await canary.cycle("E-02")).verdicts["E-02"]).toMatchObject({ status: "green" });
    },
  );

  test("what ended in the copy is not remembered, and what ended meanwhile is read afterwards", async () => {
    const canary = await canaryOf();
    await canary.cycle();
    const { recall } = await canary.memory();
    canary.set({ newestStart: START_MS - HOUR_MS, slots: goesOn });
    canary.ends({ "of-the-copy": "success" });
    await canary.cycle();
    await canary.cycle();
    expect((await canary.memory()).recall).toMatchObject({ endedCursor: recall.endedCursor });

    canary.set({
      slots: slotsOf({}),
      newestStart: canary.now(),
      executions: live(runningRow("of-the-copy", "alpha", { lease: null })),
      sessions: new Set(["of-the-copy"]),
    });
    canary.set({ slots: slotsOf({ alpha: [slot("of-the-copy")] }) });
    const report = await canary.cycle();
    expect(canary.reads.filter(({ source }) => source === "sqlite").at(-1)?.endedSince).toEqual(
      recall.endedCursor,
    );
    expect(report.verdicts["E-02"]?.status).toBe("green");
  });
});

describe("another Redis, or one that was flushed", () => {
  const AT_WORK: Partial<Facts> = {
    executions: live(runningRow("e-1", "alpha"), runningRow("e-2", "beta")),
    sessions: new Set(["e-1", "e-2"]),
    newestStart: START_MS - 10 * MINUTE_MS,
    slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }),
  };
  const FLUSHED: Partial<Facts> = {
    slots: slotsOf({}),
    drainTick: { atSeconds: null },
    platformKeys: { hasSlotKey: false, hasHeartbeat: false },
  };

  test("one alert: the runs without a slot are not called lost, what rests on the database is judged", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.set(AT_WORK);
    await canary.cycle();
    canary.set(FLUSHED);
    const report = await canary.cycle();
    expect(idsOf(report.transitions)).toEqual(["H-03"]);
    const onRedis = idsReading("redis").filter((id) => id !== "H-03");
    for (const id of INVARIANT_IDS.filter((id) => id !== "H-03"))
      expect([id, report.verdicts[id]]).toMatchObject([
        id,
        onRedis.includes(id) ? { status: "unknown", reason: OTHER_REDIS } : { status: "green", reason: null },
      ]);
    await cyclesLater(canary);
    expect(taken(sent)).toEqual(["broke H-03 critical"]);

    canary.set({ ...AT_WORK, drainTick: (nowMs) => ({ atSeconds: nowMs / 1000 }) });
    canary.set({ platformKeys: { hasSlotKey: true, hasHeartbeat: true } });
    const after = await canary.cycle();
    expect(idsOf(after.recoveries)).toEqual(["H-03"]);
    expect(redIn(after)).toEqual([]);
    expect(taken(sent)).toEqual(["recovered H-03 critical"]);
  });

  test("a lull, in which one agent runs or none, ends nothing: Redis has no key still", async () => {
    const canary = await canaryOf();
    const sent = alertsOf(canary);
    canary.set({ ...AT_WORK, ...FLUSHED });
    await canary.cycle();
    for (const rows of [[runningRow("e-1", "alpha")], [], [runningRow("e-3", "beta")]]) {
      canary.set({ executions: live(...rows), sessions: new Set(rows.map(({ id }) => id)) });
      const report = await canary.cycle();
      expect(report.verdicts["H-03"]?.status).toBe("red");
      expect(report.verdicts["S-01"]).toMatchObject({ status: "unknown", reason: OTHER_REDIS });
    }
    expect(taken(sent)).toEqual(["broke H-03 critical"]);
    canary.set({ platformKeys: { hasSlotKey: false, hasHeartbeat: true } });
    canary.set({ drainTick: (nowMs) => ({ atSeconds: nowMs / 1000 }), executions: live() });
    expect(idsOf((await canary.cycle()).recoveries)).toEqual(["H-03"]);
  });

  test("a database without a row beside it can prove nothing, and H-02 is the one that says so", async () => {
    const canary = await canaryOf();
    canary.set({ ...AT_WORK, executions: live(), sessions: new Set(), newestStart: START_MS - HOUR_MS });
    const score = () => canary.now() / 1000;
    canary.set({
      slots: () =>
        slotsOf({
          alpha: [slot("n-1", { score: score() }), slot("n-2", { score: score() })],
          beta: [slot("n-3", { score: score() })],
        }),
    });
    expect(idsOf((await canary.cycle()).transitions)).toEqual(["H-02"]);
  });
});
