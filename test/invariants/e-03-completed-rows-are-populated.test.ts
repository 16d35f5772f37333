import { describe, expect, test } from "vitest";
import { completedRowsArePopulated as E03 } from "../../shared/invariants/e-03-completed-rows-are-populated.ts";
import {
  AGENT,
  finished,
  judge,
  observedOf,
  recordOf,
  rosterOf,
  testUnreadFacts,
  violationsOf,
} from "../support/facts.ts";

testUnreadFacts(E03);

test("E-03 is of tier A, major", () => {
  expect(E03).toMatchObject({ tier: "A", severity: "major" });
});

/** A row without completed_at that started that long ago. */
const untimed = (id: string, startedSecondsAgo: number, differs: Parameters<typeof finished>[1] = {}) =>
  finished(id, { startedSecondsAgo, endedSecondsAgo: null, status: "failed", ...differs });
const idsOf = (facts: Parameters<typeof judge>[1]) =>
  observedOf(judge(E03, facts)).map((o) => o.execution_id);

test("no such row is green", () => {
  expect(recordOf(judge(E03))).toEqual({ status: "green", checked: 1, unseen: [], reason: null });
});

test("a failed row that does not say when it ended", () => {
  expect(violationsOf(judge(E03, { endedWithoutTime: [untimed("lost", 90)] }))).toEqual([
    {
      invariant_id: "E-03",
      tier: "A",
      severity: "major",
      subject: AGENT,
      snapshot_time: "2026-11-23T12:00:00.000Z",
      observed_state: {
        agent_name: AGENT,
        execution_id: "lost",
        status: "failed",
        started_at: "2026-11-23T11:58:30.000Z",
        completed_at: null,
        snapshot_time: "2026-11-23T12:00:00.000Z",
      },
      signal_query: `schedule_executions row lost (agent=${AGENT}) status='failed' has completed_at IS NULL`,
    },
  ]);
});

describe("rows are looked at for the longest timeout of the roster and the clean-up's buffer", () => {
  test.each([
    [60, 360, true],
    [60, 361, false],
    [7200, 7500, true],
    [7200, 7501, false],
  ])("a timeout of %d s, a start %d s ago: red is %j", (executionTimeoutSeconds, ageSeconds, red) => {
    const facts = {
      roster: rosterOf({ [AGENT]: { executionTimeoutSeconds: 60 }, other: { executionTimeoutSeconds } }),
      endedWithoutTime: [untimed("r", ageSeconds)],
    };
    expect(idsOf(facts)).toEqual(red ? ["r"] : []);
  });

  test("thousands of old rows, from before the platform wrote completed_at, are none", () => {
    const old = Array.from({ length: 5_000 }, (_, n) => untimed(`old-${n}`, 90 * 86_400 + n));
    expect(judge(E03, { endedWithoutTime: old }).status).toBe("green");
  });

  test("a start in the future is recent", () => {
    expect(idsOf({ endedWithoutTime: [untimed("ahead", -3600)] })).toEqual(["ahead"]);
  });

  test("a timeout that can't be read does not widen the window; with no other, the platform's own counts", () => {
    const endedWithoutTime = [untimed("young", 300), untimed("old", 3_000), untimed("older", 4_000)];
    const unread = { executionTimeoutSeconds: null };
    const roster = rosterOf({ [AGENT]: { executionTimeoutSeconds: 60 }, unread });
    expect(idsOf({ roster, endedWithoutTime })).toEqual(["young"]);
    expect(idsOf({ roster: rosterOf({ unread }), endedWithoutTime })).toEqual(["old", "young"]);
  });
});

describe("rows that can't be judged are unseen and spoil no other", () => {
  test("without a readable start, id or agent", () => {
    const endedWithoutTime = [
      untimed("undated", 0, { startedAt: "soon", startedAtMs: null }),
      untimed("x", 60, { id: null }),
      untimed("y", 60, { agent: null }),
      untimed("too old to count", 90_000, { id: null }),
      untimed("lost", 60),
    ];
    expect(recordOf(judge(E03, { endedWithoutTime }))).toEqual({
      status: "red",
      checked: 0,
      unseen: ["(unreadable name)/y", `${AGENT}/(unreadable id)`, `${AGENT}/undated`],
      reason: null,
    });
    expect(idsOf({ endedWithoutTime })).toEqual(["lost"]);
  });

  test("the row of an agent that has left the roster counts: its history is kept", () => {
    const [violation] = violationsOf(judge(E03, { endedWithoutTime: [untimed("r", 60, { agent: "gone" })] }));
    expect(violation).toMatchObject({ subject: "gone" });
  });
});
