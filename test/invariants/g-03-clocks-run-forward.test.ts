import { describe, expect, test } from "vitest";
import { clocksRunForward as G03 } from "../../shared/invariants/g-03-clocks-run-forward.ts";
import {
  AGENT,
  finished,
  judge,
  observedOf,
  readBetween,
  recordOf,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(G03);

test("G-03 is of tier A, minor", () => {
  expect(G03).toMatchObject({ tier: "A", severity: "minor" });
});

const idsOf = (...args: [Parameters<typeof judge>[1], Parameters<typeof judge>[2]?]) =>
  observedOf(judge(G03, ...args)).map((o) => o.execution_id);
/** A row that ended a minute ago, and started so many seconds after that. */
const skewed = (id: string, skewSeconds: number, differs: Parameters<typeof finished>[1] = {}) =>
  finished(id, { startedSecondsAgo: 60 - skewSeconds, endedSecondsAgo: 60, ...differs });

test("a run that ended after it started is green", () => {
  expect(recordOf(judge(G03, { endedBeforeStart: [finished("fine")] }))).toEqual({
    status: "green",
    checked: 1,
    unseen: [],
    reason: null,
  });
});

test("a run that ended 45 s before it started", () => {
  const row = finished("back", { startedSecondsAgo: 15, endedSecondsAgo: 60, status: "failed" });
  expect(violationsOf(judge(G03, { endedBeforeStart: [row] }))).toEqual([
    {
      invariant_id: "G-03",
      tier: "A",
      severity: "minor",
      subject: AGENT,
      snapshot_time: "2026-11-23T12:00:00.000Z",
      observed_state: {
        agent_name: AGENT,
        execution_id: "back",
        status: "failed",
        started_at: "2026-11-23T11:59:45.000Z",
        completed_at: "2026-11-23T11:59:00.000Z",
        skew_seconds: 45,
        snapshot_time: "2026-11-23T12:00:00.000Z",
      },
      signal_query: `schedule_executions row back (agent=${AGENT}) completed_at is 45s before started_at`,
    },
  ]);
});

test.each([
  [0.5, false],
  [1, false],
  [1.25, true],
  [2, true],
])("%d s are more than two clocks differ: %j", (skew, red) => {
  expect(idsOf({ endedBeforeStart: [skewed("r", skew)] })).toEqual(red ? ["r"] : []);
});

test("the skew is whole seconds", () => {
  expect(observedOf(judge(G03, { endedBeforeStart: [skewed("r", 2.75)] }))).toMatchObject([
    { skew_seconds: 2 },
  ]);
});

test("only the last hour counts, from where a slow reading began", () => {
  const facts = { endedBeforeStart: [finished("r", { startedSecondsAgo: 3_600, endedSecondsAgo: 7_200 })] };
  expect(idsOf(facts)).toEqual(["r"]);
  expect(idsOf(facts, { times: { endedBeforeStart: readBetween(0, 60) } })).toEqual(["r"]);
  expect(idsOf(facts, { times: { endedBeforeStart: readBetween(1, 60) } })).toEqual([]);
});

test("a writer of local time, by which a run that has just begun ended eight hours ago", () => {
  const local = finished("r", { startedSecondsAgo: 60, endedSecondsAgo: 8 * 3_600 });
  expect(idsOf({ endedBeforeStart: [local] })).toEqual(["r"]);
});

test("a start in 2099 is news for an hour, and an end that can't be read for a day", () => {
  const startedAtMs = Date.parse("2099-01-01T00:00:00Z");
  const future = (endedSecondsAgo: number) => finished("r", { startedAtMs, endedSecondsAgo });
  expect(idsOf({ endedBeforeStart: [future(60)] })).toEqual(["r"]);
  expect(idsOf({ endedBeforeStart: [future(7_200)] })).toEqual([]);
  const unseenOf = (startedSecondsAgo: number) =>
    recordOf(
      judge(G03, {
        endedBeforeStart: [finished("r", { startedSecondsAgo, completedAt: "None", completedAtMs: null })],
      }),
    ).unseen;
  expect(unseenOf(3_600)).toEqual([`${AGENT}/r`]);
  expect(unseenOf(2 * 86_400)).toEqual([]);
});

test("a platform whose clock is ahead of ours is judged by its own times", () => {
  // It started in two hours, by our clock, and ended 100 s before or after that.
  const ahead = (id: string, endedSecondsAgo: number) =>
    finished(id, { startedSecondsAgo: -7_200, endedSecondsAgo });
  expect(idsOf({ endedBeforeStart: [ahead("fine", -7_300), ahead("back", -7_100)] })).toEqual(["back"]);
});

describe("rows that can't be judged are unseen and spoil no other", () => {
  test("without a readable time, id or agent", () => {
    const endedBeforeStart = [
      skewed("no start", 5, { startedAt: "soon", startedAtMs: null }),
      skewed("no end", 5, { completedAt: "soon", completedAtMs: null }),
      skewed("x", 5, { id: null }),
      skewed("y", 5, { agent: null }),
      skewed("z", 0, { id: null }),
      skewed("back", 5),
    ];
    expect(recordOf(judge(G03, { endedBeforeStart }))).toMatchObject({
      status: "red",
      unseen: ["(unreadable name)/y", `${AGENT}/(unreadable id)`, `${AGENT}/no end`, `${AGENT}/no start`],
    });
    expect(idsOf({ endedBeforeStart })).toEqual(["back"]);
  });

  test("a start that can't be read, of a run that ended long ago, is nobody's concern", () => {
    const old = finished("old", { endedSecondsAgo: 7_200, startedAt: "soon", startedAtMs: null });
    expect(recordOf(judge(G03, { endedBeforeStart: [old] }))).toMatchObject({ status: "green", unseen: [] });
  });
});
