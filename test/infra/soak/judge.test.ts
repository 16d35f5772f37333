/** The judge on journals that are written by hand: it finds what is planted, and accepts a healthy race. */
import { expect, test } from "vitest";
import type { FaultChange } from "../../../infra/faults/target.ts";
import type { Interval } from "../../../infra/soak/intervals.ts";
import {
  judgeSoak,
  type ObservedCycle,
  type PlannedFault,
  type Reported,
} from "../../../infra/soak/judge.ts";
import type { SoakEvent } from "../../../infra/soak/timeline.ts";
import {
  at,
  cycle,
  ended,
  finding,
  fleet,
  judged,
  LATER,
  made,
  only,
  QUIET,
  row,
  ruby,
  run,
  SILENT,
  started,
  T0,
  tick,
} from "../../support/soak-journal.ts";

test("a run that starts, works and ends, looked at all the while, is nothing", () => {
  const events = [...started(100), ...ended(5_000)];
  const cycles = Array.from({ length: 60 }, (_, i) => cycle([i * 100, i * 100 + 50]));
  expect(judged(events, cycles)).toEqual(QUIET);
});

test("a run that ends while it is looked at is a race: red for it is false, silence is right", () => {
  const events = [...started(), ...ended(1_000)];
  const looks: [Interval, Interval] = [
    [980, 1_003],
    [1_303, 1_330],
  ];
  expect(judged(events, [cycle(...looks)])).toEqual(QUIET);
  expect(judged(events, [cycle(...looks, [finding("S-01", "redis:run-1")])]).falseReds).toEqual([
    "S-01 redis:run-1",
  ]);
});

test("a look that was not repeated is true only of what lasts as long as a second one would have taken", () => {
  const events = [...started(), ...ended(1_000)];
  const once = cycle([980, 1_003], null, [finding("S-01", "redis:run-1")]);
  expect(judged(events, [once]).falseReds).toEqual(["S-01 redis:run-1"]);
  const slow = [...started(), ...ended(1_000, 400)];
  expect(judged(slow, [once]).falseReds).toEqual([]);
});

test("a leaked slot: who says it is right, who looks past it has missed it", () => {
  const leaked = [...started(), at(1_000, row("success"))];
  const cycles = (found: Reported[]) => [
    cycle([2_000, 2_050], [2_350, 2_400], found),
    cycle([2_500, 2_550], null, found),
  ];
  expect(judged(leaked, cycles([finding("S-01", "redis:run-1")]))).toEqual({ ...QUIET, trueReds: 2 });
  expect(judged(leaked, cycles([])).missed).toEqual(["S-01 redis:run-1"]);
});

test("a break that came in the middle of a cycle may be told by the next", () => {
  const leaked = [...started(), at(1_000, row("success"))];
  expect(judged(leaked, [cycle([900, 1_050])])).toEqual(QUIET);
});

test("what no cycle could look at is not missed", () => {
  const leaked = [...started(), at(1_000, row("success"))];
  const unknown = { status: "unknown" as const, unseen: [], reason: "redis: timed out" };
  const unseen = { status: "green" as const, unseen: ["ruby"], reason: null };
  expect(judged(leaked, [cycle([2_000, 2_050], null, [], { "S-01": unknown })])).toEqual(QUIET);
  expect(judged(leaked, [cycle([2_000, 2_050], null, [], { "S-01": unseen })])).toEqual(QUIET);
});

test("within three seconds of its start a row without a slot is in flight, after them it is broken", () => {
  const session = at(30, { what: "session", ...run });
  const events = [at(-100_000, made()), at(-1_000, tick(-1_000)), at(0, row("running", 0)), session];
  const red = [finding("S-01", "sql:run-1")];
  expect(judged(events, [cycle([1_000, 1_050], [1_350, 1_400], red)]).falseReds).toEqual(["S-01 sql:run-1"]);
  expect(judged(events, [cycle([4_000, 4_050], [4_350, 4_400], red)])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(events, [cycle([4_000, 4_050])]).missed).toEqual(["S-01 sql:run-1"]);
});

test("a slot that is younger than three seconds needs no row yet", () => {
  const taken = at(0, { what: "slot taken", ...run, scoreSeconds: T0 / 1000 });
  const life: SoakEvent[] = [
    at(2, { what: "hash written", ...run, timeoutSeconds: 60 }),
    at(4, { what: "hash expires", ...run, ttlSeconds: 360 }),
  ];
  const events = [at(-100_000, made()), at(-1_000, tick(-1_000)), taken, ...life];
  const red = [finding("S-01", "redis:run-1")];
  expect(judged(events, [cycle([1_000, 1_050], [1_350, 1_400], red)]).falseReds).toHaveLength(1);
  expect(judged(events, [cycle([4_000, 4_050], [4_350, 4_400], red)])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(events, [cycle([4_000, 4_050])]).missed).toEqual(["S-01 redis:run-1"]);
});

test("while a write is under way nobody can know: red for it is not false, silence is no miss", () => {
  const slow = at(1_000, { what: "slot given back", ...run }, 600);
  const events = [...started(), at(500, row("success")), slow];
  const inDoubt: [Interval, Interval] = [
    [1_010, 1_050],
    [1_350, 1_400],
  ];
  expect(judged(events, [cycle(...inDoubt, [finding("S-01", "redis:run-1")])])).toEqual({
    ...QUIET,
    trueReds: 1,
  });
  expect(judged(events, [cycle(...inDoubt)])).toEqual(QUIET);
});

test("a red that is known needs one look only, and is false from its cure on", () => {
  const red = [finding("S-01", "redis:run-1")];
  const events = [...started(), at(1_000, row("success")), at(3_000, { what: "slot given back", ...run })];
  const cycles = [
    cycle([2_000, 2_050], [2_350, 2_400], red),
    cycle([2_980, 3_005], null, red),
    cycle([3_100, 3_150], null, red),
  ];
  expect(judged(events, cycles)).toEqual({ ...QUIET, falseReds: ["S-01 redis:run-1"], trueReds: 2 });
});

test("a violation of which one key is not so is false", () => {
  const red = [{ ...finding("S-01", "redis:run-1"), keys: ["redis:run-1", "sql:run-2"] }];
  const events = [...started(), at(1_000, row("success"))];
  expect(judged(events, [cycle([2_000, 2_050], [2_350, 2_400], red)]).falseReds).toEqual(["S-01 sql:run-2"]);
});

test("the life of a slot is what it was given, not what is left of it", () => {
  const healthy = started(-300_000);
  const red = cycle([1_000, 1_050], [1_350, 1_400], [finding("S-03", "run-1")]);
  expect(judged(healthy, [cycle([1_000, 1_050])])).toEqual(QUIET);
  expect(judged(healthy, [red]).falseReds).toEqual(["S-03 run-1"]);
  const withoutExpiry = started(-8_000).filter(({ what }) => what !== "hash expires");
  const spoilt: SoakEvent[][] = [
    [...started(-8_000), at(0, { what: "hash expires", ...run, ttlSeconds: 30 })],
    [...started(-8_000), at(0, { what: "hash removed", ...run })],
    withoutExpiry,
  ];
  for (const events of spoilt) {
    expect(judged(events, [red])).toEqual({ ...QUIET, trueReds: 1 });
    expect(judged(events, [cycle([1_000, 1_050])]).missed).toEqual(["S-03 run-1"]);
  }
});

test("a slot that was acquired by a clock that ran ahead or behind is judged by what was written", () => {
  const byClock = (aheadMs: number) => [
    at(-100_000, made()),
    at(0, row("running", 0)),
    at(30, { what: "slot taken", ...run, scoreSeconds: (T0 + 30 + aheadMs) / 1000 }),
    at(32, { what: "hash written", ...run, timeoutSeconds: 60 }),
    at(34, { what: "hash expires", ...run, ttlSeconds: 360 }),
    at(230, { what: "session", ...run }),
  ];
  const red = cycle([10_000, 10_050], [10_350, 10_400], [finding("S-03", "run-1")]);
  expect(judged(byClock(1_000), [red]).falseReds).toHaveLength(1);
  expect(judged(byClock(-40_000), [red]).falseReds).toHaveLength(1);
  // By the letter of the rule: to expire five seconds early is too short a life.
  expect(judged(byClock(5_000), [red]).falseReds).toHaveLength(0);
  // At once where Redis says when the hash expires; an older one is looked at later, and may keep silent until then.
  const early = (found: Reported[]) => cycle([1_000, 1_050], [1_350, 1_400], found);
  expect(judged(byClock(5_000), [early([finding("S-03", "run-1")])]).falseReds).toHaveLength(0);
  expect(judged(byClock(5_000), [early([])]).missed).toEqual([]);
});

test("more slots than the cap, counted with the leaked sentinels, are overbooking", () => {
  const slot = (id: string, ms: number): SoakEvent =>
    at(ms, { what: "slot taken", agent: "ruby", executionId: id, scoreSeconds: (T0 + ms) / 1000 });
  /** A sentinel that was taken a moment ago, by a clock that was set back. */
  const misdated = at(-2_000, {
    what: "slot taken",
    agent: "ruby",
    executionId: "drain-y",
    scoreSeconds: (T0 - 40_000) / 1000,
  });
  const two = [at(-100_000, made()), slot("a", -60_000), slot("b", -60_000)];
  const red = cycle([0, 50], [350, 400], [finding("S-02", "ruby")]);
  const onlyS02 = (events: SoakEvent[], one: ObservedCycle) => {
    const { falseReds, missed } = judged(events, [one]);
    return { falseReds, missed: missed.filter((line) => line.startsWith("S-02")) };
  };
  expect(onlyS02(two, red).falseReds).toEqual(["S-02 ruby"]);
  expect(onlyS02([...two, slot("drain-x", -5_000)], red).falseReds).toEqual(["S-02 ruby"]);
  expect(onlyS02([...two, slot("drain-x", -15_000)], red).falseReds).toEqual([]);
  expect(onlyS02([...two, slot("drain-x", -15_000)], cycle([0, 50])).missed).toEqual(["S-02 ruby"]);
  expect(onlyS02([...two, misdated], red).falseReds).toEqual([]);
  expect(onlyS02([...two, misdated], cycle([0, 50])).missed).toEqual([]);
  expect(onlyS02([...two, slot("c", -4_000)], cycle([0, 50])).missed).toEqual(["S-02 ruby"]);
});

test("a run is endless past its timeout and the buffer, and without a session past a minute", () => {
  const withoutSession = (seconds: number): SoakEvent[] => [
    ...started(),
    at(0, row("running", -seconds * 1000)),
  ];
  const backdated = (seconds: number): SoakEvent[] => [
    ...withoutSession(seconds),
    at(0, { what: "session", ...run }),
  ];
  const e01 = cycle([1_000, 1_050], [1_350, 1_400], [finding("E-01", "run-1")]);
  expect(judged(backdated(340), [e01]).falseReds).toEqual(["E-01 run-1"]);
  expect(judged(backdated(370), [e01]).falseReds).toEqual([]);
  expect(judged(backdated(370), [cycle([1_000, 1_050])]).missed).toEqual(["E-01 run-1"]);
  const e05 = cycle([1_000, 1_050], [1_350, 1_400], [finding("E-05", "run-1")]);
  expect(judged(backdated(90), [e05]).falseReds).toEqual(["E-05 run-1"]);
  expect(judged(withoutSession(90), [e05]).falseReds).toEqual([]);
  expect(judged(withoutSession(40), [e05]).falseReds).toEqual(["E-05 run-1"]);
  expect(judged(withoutSession(90), [cycle([1_000, 1_050])]).missed).toEqual(["E-05 run-1"]);
});

test("a finished run that is running again has come back to life, also where it was to be tried again", () => {
  const back = finding("E-02", "run-1");
  const revived = [...started(), ...ended(0), at(2_000, row("running"))];
  const saw = cycle([1_000, 1_050]);
  expect(only("E-02", revived, [saw, cycle([3_000, 3_050], null, [back])])).toEqual(SILENT);
  expect(only("E-02", revived, [saw, cycle([3_000, 3_050])]).missed).toEqual(["E-02 run-1"]);
  // No cycle had seen its end.
  expect(only("E-02", revived, [cycle([3_000, 3_050])]).missed).toEqual([]);
  const retried = [
    ...started(),
    at(0, row("failed")),
    at(500, row("pending_retry")),
    at(2_000, row("running", 2_000)),
  ];
  expect(only("E-02", retried, [saw, cycle([3_000, 3_050], null, [back])])).toEqual(SILENT);
});

test("only a failed run waits for a retry: one that has succeeded is reversed by that", () => {
  const waits = at(2_000, row("pending_retry"));
  const back = cycle([3_000, 3_050], null, [finding("E-02", "run-1")]);
  const saw = cycle([1_000, 1_050]);
  const failed = [...started(), at(0, row("failed")), waits];
  expect(only("E-02", failed, [saw, back]).falseReds).toEqual(["E-02 run-1"]);
  expect(only("E-02", failed, [saw, cycle([3_000, 3_050])]).missed).toEqual([]);
  const succeeded = [...started(), ...ended(0), waits];
  expect(only("E-02", succeeded, [saw, back])).toEqual(SILENT);
  expect(only("E-02", succeeded, [saw, cycle([3_000, 3_050])]).missed).toEqual(["E-02 run-1"]);
});

test("an agent that is purged is no ghost by the runs that it leaves, unless one waits for its retry", () => {
  const failed = [at(-3_000, row("failed")), at(-2_500, row("pending_retry"))];
  const retry = (ms: number, atMs: number | null) => at(ms, { what: "retry scheduled", ...run, atMs });
  const purged = [
    at(-1_000, { what: "agent deleted softly", ...ruby }),
    at(-500, { what: "agent removed", ...ruby, leavesRows: false }),
  ] as SoakEvent[];
  const gone = [
    at(-2_000, { what: "slot given back", ...run }),
    at(-2_000, { what: "hash removed", ...run }),
  ] as SoakEvent[];
  const red = cycle(...LATER, [finding("L-03", "ruby")]);
  const done = [...started(), ...failed, ...gone, retry(-2_500, T0 + 1_000), retry(-1_000, null), ...purged];
  expect(only("L-03", done, [cycle(...LATER)])).toEqual(SILENT);
  expect(only("L-03", done, [red]).falseReds).toEqual(["L-03 ruby"]);
  const waits = [...started(), ...failed, ...gone, retry(-2_500, T0 + 1_000), ...purged];
  expect(only("L-03", waits, [cycle(...LATER)]).missed).toEqual(["L-03 ruby"]);
  const left = [...fleet(), at(-500, { what: "agent removed", ...ruby, leavesRows: true })];
  expect(only("L-03", left, [cycle(...LATER)]).missed).toEqual(["L-03 ruby"]);
  // An alarm of the platform is nobody's.
  const alarm = at(-5_000, { what: "alarm", alarm: "_db-backup", isPending: true });
  const accused = cycle(...LATER, [{ invariant: "L-03", subject: "_db-backup", keys: ["_db-backup"] }]);
  expect(judged([...fleet(), alarm], [accused]).falseReds).toEqual(["L-03 _db-backup"]);
});

test("an agent that is gone while something names it is a ghost; the milliseconds of its removal are none", () => {
  const ghost = [finding("L-03", "ruby")];
  const half = [at(-100_000, made()), at(0, { what: "roster row lost", ...ruby } as FaultChange)];
  expect(judged(half, [cycle([1_000, 1_050], [1_350, 1_400], ghost)])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(half, [cycle([1_000, 1_050])]).missed).toEqual(["L-03 ruby"]);
  const whole = [
    ...started(),
    at(0, { what: "row", ...run, status: "cancelled" }),
    at(0, { what: "agent removed", ...ruby, leavesRows: false }),
    at(10, { what: "slot given back", ...run }),
  ];
  expect(judged(whole, [cycle([0, 8], [308, 320])])).toEqual(QUIET);
  expect(judged(whole, [cycle([0, 8], [308, 320], ghost)]).falseReds).toEqual(["L-03 ruby"]);
});

test("the accessor is wrong while somebody makes it so", () => {
  const events = [
    at(-100_000, made()),
    at(0, { what: "accessor", ...ruby, isWrong: true } as FaultChange),
    at(5_000, { what: "accessor", ...ruby, isWrong: false } as FaultChange),
  ];
  const red = [finding("B-01", "ruby")];
  expect(judged(events, [cycle([1_000, 1_050], [1_350, 1_400], red)])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(events, [cycle([1_000, 1_050])]).missed).toEqual(["B-01 ruby"]);
  expect(judged(events, [cycle([6_000, 6_050], [6_350, 6_400], red)]).falseReds).toEqual(["B-01 ruby"]);
});

test("a queue stands still beside free slots while the sweep is dead, or late and the row has waited a minute", () => {
  const queue = (tickAgeMs: number, waitedMs: number): SoakEvent[] => [
    at(-200_000, made()),
    at(-tickAgeMs, tick(-tickAgeMs)),
    at(-1_000, { what: "row", ...run, status: "queued", queuedAtMs: T0 - waitedMs }),
  ];
  const red = cycle([0, 50], [350, 400], [finding("B-02", "ruby")]);
  expect(judged(queue(30_000, 90_000), [red]).falseReds).toEqual(["B-02 ruby"]);
  expect(judged(queue(90_000, 30_000), [red]).falseReds).toEqual(["B-02 ruby"]);
  expect(judged(queue(90_000, 90_000), [red]).falseReds).toEqual([]);
  expect(judged(queue(150_000, 5_000), [red]).falseReds).toEqual([]);
  expect(judged(queue(150_000, 5_000), [cycle([0, 50])]).missed).toEqual(["B-02 ruby"]);
  const full = ["a", "b"].map((id) =>
    at(-1_000, { what: "slot taken", agent: "ruby", executionId: id, scoreSeconds: T0 / 1000 - 1 }),
  );
  expect(judged([...queue(150_000, 5_000), ...full], [red]).falseReds).toEqual(["B-02 ruby"]);
});

test("an ended run that does not say when is half-written until it does; what nobody said of it is no miss", () => {
  const ends = (completedAtMs?: number | null): SoakEvent[] => [
    at(-100_000, made()),
    at(-1_000, tick(-1_000)),
    at(-500, {
      ...row("failed", -10_000),
      ...(completedAtMs !== undefined && { completedAtMs }),
    } as FaultChange),
  ];
  const red = cycle([0, 50], null, [finding("E-03", "run-1")]);
  expect(judged(ends(null), [red])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(ends(null), [cycle([0, 50])]).missed).toEqual(["E-03 run-1"]);
  for (const healthy of [ends(T0 - 500), ends()]) {
    expect(judged(healthy, [red]).falseReds).toEqual(["E-03 run-1"]);
    expect(judged(healthy, [cycle([0, 50])])).toEqual(QUIET);
  }
  const cured = [...ends(null), at(1_000, { ...row("failed"), completedAtMs: T0 + 1_000 } as FaultChange)];
  expect(judged(cured, [cycle([1_100, 1_150], null, [finding("E-03", "run-1")])]).falseReds).toEqual([
    "E-03 run-1",
  ]);
  // The load has deleted it by then.
  expect(judged(ends(null), [cycle([60_000, 60_050])])).toEqual(QUIET);
});

test("a run that ended over a second before it started went backwards, by the times that were written", () => {
  const ran = (skewMs: number): SoakEvent[] => [
    at(-100_000, made()),
    at(-1_000, tick(-1_000)),
    at(-10_000, row("running", -10_000)),
    at(-500, { ...row("success"), completedAtMs: T0 - 10_000 - skewMs } as FaultChange),
  ];
  const red = cycle([0, 50], null, [finding("G-03", "run-1")]);
  expect(judged(ran(1_500), [red])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(ran(1_500), [cycle([0, 50])]).missed).toEqual(["G-03 run-1"]);
  expect(judged(ran(1_000), [red]).falseReds).toEqual(["G-03 run-1"]);
  expect(judged(ran(-5_000), [cycle([0, 50])])).toEqual(QUIET);
});

test.each([
  ["E-04", "nothing"],
  ["G-04", "a credential"],
] as const)("%s: a queued row that holds %s is broken while it is queued", (id, holds) => {
  const queued = (...more: SoakEvent[]) => [
    at(-100_000, made()),
    at(-500, tick(-500)),
    at(-400, { what: "row", ...run, status: "queued", queuedAtMs: T0 - 400 }),
    ...more,
  ];
  const broken = at(-400, { what: "backlog", ...run, holds } as FaultChange);
  const red = cycle([0, 50], null, [finding(id, "run-1")]);
  expect(judged(queued(broken), [red])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(queued(broken), [cycle([0, 50])]).missed).toEqual([`${id} run-1`]);
  expect(judged(queued(), [red]).falseReds).toEqual([`${id} run-1`]);
  const failed = at(-100, { ...row("failed"), completedAtMs: T0 - 100 } as FaultChange);
  expect(judged(queued(broken, failed), [red]).falseReds).toEqual([`${id} run-1`]);
});

test("a schedule is overdue from an hour after its next run on, until it is gone", () => {
  const planned = (nextRunMs: number, ...more: SoakEvent[]): SoakEvent[] => [
    at(-100_000, made()),
    at(-1_000, tick(-1_000)),
    at(-500, { what: "schedule", ...ruby, scheduleId: "s", nextRunAtMs: T0 + nextRunMs } as FaultChange),
    ...more,
  ];
  const red = cycle([0, 50], [350, 400], [finding("E-06", "s")]);
  expect(judged(planned(-7_200_000), [red])).toEqual({ ...QUIET, trueReds: 1 });
  expect(judged(planned(-7_200_000), [cycle([0, 50])]).missed).toEqual(["E-06 s"]);
  expect(judged(planned(-3_000_000), [red]).falseReds).toEqual(["E-06 s"]);
  const gone = at(-100, { what: "schedule", ...ruby, scheduleId: "s", nextRunAtMs: null } as FaultChange);
  expect(judged(planned(-7_200_000, gone), [red]).falseReds).toEqual(["E-06 s"]);
});

test("a queue does not stand still where the ceiling of the fleet is reached, or where its workers drain it", () => {
  const queue = (...more: SoakEvent[]): SoakEvent[] => [
    at(-200_000, made()),
    at(-150_000, tick(-150_000)),
    at(-5_000, { what: "row", ...run, status: "queued", queuedAtMs: T0 - 90_000 }),
    ...more,
  ];
  const red = cycle(...LATER, [finding("B-02", "ruby")]);
  const ceiling = (maxParallelTasks: number | null) => at(-4_000, { what: "ceiling", maxParallelTasks });
  const slot = at(-1_000, {
    what: "slot taken",
    agent: "ruby",
    executionId: "a",
    scoreSeconds: T0 / 1000 - 1,
  });
  expect(only("B-02", queue(slot), [cycle(...LATER)]).missed).toEqual(["B-02 ruby"]);
  expect(only("B-02", queue(slot, ceiling(1)), [red]).falseReds).toEqual(["B-02 ruby"]);
  expect(
    only("B-02", queue(slot, ceiling(1), at(-3_000, { what: "ceiling", maxParallelTasks: null })), [red]),
  ).toEqual(SILENT);
  const polled = at(-3_000, { what: "pull poll", ...ruby, atSeconds: T0 / 1000 - 3 });
  expect(only("B-02", queue(polled), [red]).falseReds).toEqual(["B-02 ruby"]);
});

test("a planned break is missed where no cycle told it before its cure, and void where it never was one", () => {
  const short = [...started(), at(1_000, row("success")), at(1_100, { what: "slot given back", ...run })];
  const item = { invariant: "S-01", subject: "ruby", key: "redis:run-1" };
  const planned: PlannedFault = { name: "leaked slot", item, brokenMs: [T0 + 1_002, T0 + 1_100] };
  // No cycle could see the whole of it: only the plan knows.
  const cycles = [cycle([900, 1_050]), cycle([1_080, 1_150])];
  expect(judged(short, cycles, [planned]).missed).toEqual(["S-01 redis:run-1: leaked slot"]);
  expect(judged([...started(), ...ended(1_000)], cycles, [planned]).voids).toEqual(["leaked slot"]);
});

test("the pool of a pull agent is what its container says, not its cap: a row that waits beside an idle worker breaks", () => {
  const busy = { ...ruby, executionId: "busy" };
  const queue = (...more: SoakEvent[]): SoakEvent[] => [
    ...fleet(1),
    at(-200_000, { what: "pull poll", ...ruby, atSeconds: T0 / 1000 - 200 }),
    at(-150_000, { what: "row", ...run, status: "queued", queuedAtMs: T0 - 150_000 }),
    at(-5_000, { what: "row", ...busy, status: "running", startedAtMs: T0 - 5_000 }),
    at(-5_000, { what: "lease", ...busy, expiresAtMs: T0 + 100_000 }),
    ...more,
  ];
  const container = (isPullMode: boolean, poolSize?: number) =>
    at(-90_000, {
      what: "container started",
      ...ruby,
      isPullMode,
      ...(poolSize !== undefined && { poolSize }),
    });
  const red = cycle(...LATER, [finding("B-02", "ruby")]);
  // One worker of two is idle, or there is none that could be busy.
  for (const broken of [queue(container(true, 2)), queue(container(false))]) {
    expect(only("B-02", broken, [red])).toEqual(SILENT);
    expect(only("B-02", broken, [cycle(...LATER)]).missed).toEqual(["B-02 ruby"]);
  }
  const removed = at(-2_000, { what: "container removed", ...ruby });
  for (const healthy of [queue(), queue(container(true)), queue(container(true, 1), removed)]) {
    expect(only("B-02", healthy, [red]).falseReds).toEqual(["B-02 ruby"]);
    expect(only("B-02", healthy, [cycle(...LATER)])).toEqual(SILENT);
  }
});

test("what no cycle could say is listed: unknown invariants, and subjects that a verdict did not see", () => {
  const unknown = { status: "unknown" as const, unseen: [], reason: "redis: not read" };
  const partial = { status: "green" as const, unseen: ["ruby", "opal/run-9"], reason: null };
  const looks = (events: SoakEvent[]) => {
    const cycles = [cycle([0, 50], null, [], { "S-01": unknown, "S-03": partial })];
    const { unknowns, unseen } = judgeSoak(events, cycles, [], 300);
    return { unknowns, unseen };
  };
  expect(looks(started())).toEqual({
    unknowns: [{ cycle: 0, invariant: "S-01", reason: "redis: not read" }],
    unseen: [
      { cycle: 0, invariant: "S-03", reason: "ruby was not seen" },
      { cycle: 0, invariant: "S-03", reason: "opal/run-9 was not seen" },
    ],
  });
  const misled = at(-100, { what: "canary pointed", place: "empty Redis" } as FaultChange);
  expect(looks([...started(), misled])).toEqual({ unknowns: [], unseen: [] });
});

test("a pull agent's container without workers breaks, from its start to its end, and another agent's does not", () => {
  const container = (ms: number, isPullMode: boolean) =>
    at(ms, { what: "container started", ...ruby, isPullMode });
  const polled = at(-50_000, { what: "pull poll", ...ruby, atSeconds: T0 / 1000 - 50 });
  const red = cycle(...LATER, [finding("B-08", "ruby")]);
  const without = [...fleet(), polled, container(-40_000, false)];
  expect(only("B-08", without, [red])).toEqual(SILENT);
  expect(only("B-08", without, [cycle(...LATER)]).missed).toEqual(["B-08 ruby"]);
  const healthy = [
    [...fleet(), container(-40_000, false)],
    [...fleet(), polled, container(-40_000, true)],
    [...without, at(-2_000, { what: "container removed", ...ruby })],
    [...without, at(-2_000, { what: "pull polls gone", ...ruby })],
  ];
  for (const events of healthy) {
    expect(only("B-08", events, [cycle(...LATER)])).toEqual(SILENT);
    expect(only("B-08", events, [red]).falseReds).toEqual(["B-08 ruby"]);
  }
});
