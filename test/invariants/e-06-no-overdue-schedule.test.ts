import { describe, expect, test } from "vitest";
import { noOverdueSchedule as E06 } from "../../shared/invariants/e-06-no-overdue-schedule.ts";
import {
  AGENT,
  judge,
  judgeTwice,
  observedOf,
  readBetween,
  recordOf,
  rosterOf,
  schedule,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(E06);

test("E-06 is of tier B, major", () => {
  expect(E06).toMatchObject({ tier: "B", severity: "major" });
});

const idsOf = (...args: [Parameters<typeof judge>[1], Parameters<typeof judge>[2]?]) =>
  observedOf(judge(E06, ...args)).map((o) => o.schedule_id);

test("schedules that are a little late are green", () => {
  const schedules = [schedule("a"), schedule("b", { overdueSeconds: 3_000 })];
  expect(recordOf(judge(E06, { schedules }))).toEqual({
    status: "green",
    checked: 1,
    unseen: [],
    reason: null,
  });
});

test("a schedule that was due two hours ago", () => {
  const schedules = [schedule("nightly", { overdueSeconds: 7_200 })];
  expect(violationsOf(judge(E06, { schedules }))).toEqual([
    {
      invariant_id: "E-06",
      tier: "B",
      severity: "major",
      subject: AGENT,
      snapshot_time: "2026-11-23T12:00:00.000Z",
      observed_state: {
        agent_name: AGENT,
        schedule_id: "nightly",
        next_run_at: "2026-11-23T10:00:00.000Z",
        overdue_seconds: 7_200,
        misfire_grace_seconds: 3_600,
        snapshot_time: "2026-11-23T12:00:00.000Z",
      },
      signal_query: `agent_schedules row nightly (agent=${AGENT}) enabled with next_run_at=2026-11-23T10:00:00.000Z overdue 7200s > grace 3600s`,
    },
  ]);
});

test.each([
  [3_599, false],
  [3_600, false],
  [3_600.75, false],
  [3_601, true],
  [-60, false],
])("%d s overdue: red is %j", (overdueSeconds, red) => {
  expect(idsOf({ schedules: [schedule("s", { overdueSeconds })] })).toEqual(red ? ["s"] : []);
});

test("it is overdue by the time at which it was read, from where a slow reading began", () => {
  const schedules = [schedule("s", { overdueSeconds: 3_600 })];
  expect(idsOf({ schedules }, { times: { schedules: readBetween(0, 60) } })).toEqual([]);
  expect(idsOf({ schedules }, { times: { schedules: readBetween(1, 60) } })).toEqual(["s"]);
});

describe("20 schedules of 4 deleted agents were 6,220 violations in 13 hours elsewhere", () => {
  const overdue = Array.from({ length: 20 }, (_, n) =>
    schedule(`s-${n}`, { agent: `gone-${n % 4}`, overdueSeconds: 26 * 86_400 }),
  );

  test("agents that are not on the roster any more have no schedule that is overdue", () => {
    expect(recordOf(judge(E06, { schedules: overdue }))).toMatchObject({ status: "green", unseen: [] });
  });

  test("neither have agents that are on the roster as deleted", () => {
    const gone = Object.fromEntries([0, 1, 2, 3].map((n) => [`gone-${n}`, { isDeleted: true }]));
    const roster = rosterOf({ [AGENT]: {}, ...gone });
    expect(recordOf(judge(E06, { roster, schedules: overdue }))).toMatchObject({
      status: "green",
      unseen: [],
    });
    const live = schedule("live", { overdueSeconds: 7_200 });
    expect(idsOf({ roster, schedules: [...overdue, live] })).toEqual(["live"]);
  });

  test("a next run of theirs that can't be read is nobody's concern", () => {
    const schedules = [schedule("s", { agent: "gone-0", nextRunAt: "soon", nextRunAtMs: null })];
    expect(recordOf(judge(E06, { schedules }))).toMatchObject({ status: "green", unseen: [] });
  });
});

test("a clock that was set ahead for a moment is no outage of the scheduler: it is read again", () => {
  const schedules = [schedule("s", { overdueSeconds: 7_200 })];
  expect(judgeTwice(E06, { schedules }, { schedules: [] }).status).toBe("green");
  expect(judgeTwice(E06, { schedules }, { schedules }).status).toBe("red");
});

test("schedules that can't be judged are unseen and spoil no other", () => {
  const schedules = [
    schedule("word", { nextRunAt: "soon", nextRunAtMs: null }),
    schedule("x", { id: null, overdueSeconds: 7_200 }),
    schedule("y", { agent: null, overdueSeconds: 7_200 }),
    schedule("z", { id: null, overdueSeconds: 60 }),
    schedule("late", { overdueSeconds: 7_200 }),
  ];
  expect(recordOf(judge(E06, { schedules }))).toMatchObject({
    status: "red",
    unseen: ["(unreadable name)/y", `${AGENT}/(unreadable id)`, `${AGENT}/word`],
  });
  expect(idsOf({ schedules })).toEqual(["late"]);
});
