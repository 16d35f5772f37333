import { describe, expect, test } from "vitest";
import { dispatchedRowsHaveASession as E05 } from "../../shared/invariants/e-05-dispatched-rows-have-a-session.ts";
import {
  AGENT,
  executionsOf,
  judge,
  leaseUntil,
  msAgo,
  NO_STARTED_AT,
  observedOf,
  queued,
  readBetween,
  recordOf,
  running,
  testUnreadFacts,
  violationsOf,
  withoutAgent,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(E05);

test("E-05 is of tier B, major", () => {
  expect(E05).toMatchObject({ tier: "B", severity: "major" });
});

const idsOf = (...args: [Parameters<typeof judge>[1], Parameters<typeof judge>[2]?]) =>
  observedOf(judge(E05, ...args)).map((o) => o.execution_id);

describe("a run has a Claude session within 60 s", () => {
  test("old runs with a session and a new one without are green", () => {
    const facts = {
      executions: executionsOf([running("old", { ageSeconds: 3600 }), running("new", { ageSeconds: 5 })]),
      sessions: new Set(["old"]),
    };
    expect(recordOf(judge(E05, facts))).toEqual({ status: "green", checked: 1, unseen: [], reason: null });
  });

  test("a run of three minutes whose session is NULL, as in the seed", () => {
    const facts = { executions: executionsOf([running("lost", { ageSeconds: 188 })]) };
    expect(violationsOf(judge(E05, facts))).toEqual([
      {
        invariant_id: "E-05",
        tier: "B",
        severity: "major",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          execution_id: "lost",
          started_at: "2026-11-23T11:56:52.000Z",
          age_seconds: 188,
          grace_seconds: 60,
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `schedule_executions row lost (agent=${AGENT}) status='running' age=188s > 60s and claude_session_id IS NULL`,
      },
    ]);
  });

  test.each([
    [59, false],
    [60, false],
    [61, true],
    [-3600, false],
  ])("no session after %d s: red is %j", (ageSeconds, red) => {
    expect(idsOf({ executions: executionsOf([running("r", { ageSeconds })]) })).toEqual(red ? ["r"] : []);
  });

  test("the age is whole seconds at the reading of the rows, from where a slow one began", () => {
    const facts = { executions: executionsOf([running("r", { ageSeconds: 55.5 })]) };
    expect(
      idsOf(facts, { times: { executions: readBetween(0, 30), sessions: readBetween(60, 60) } }),
    ).toEqual([]);
    const [observed] = observedOf(judge(E05, facts, { times: { executions: readBetween(30, 30) } }));
    expect(observed).toMatchObject({ execution_id: "r", age_seconds: 85 });
  });

  test("a queued row has no session to have", () => {
    expect(idsOf({ executions: executionsOf([queued("q", { waitedSeconds: 3600 })]) })).toEqual([]);
  });

  test("another row's session is not its own, and every row without one is named", () => {
    const facts = {
      executions: executionsOf([
        running("b", { ageSeconds: 90 }),
        running("a", { ageSeconds: 90 }),
        running("c", { ageSeconds: 90 }),
      ]),
      sessions: new Set(["c", "B", "__proto__"]),
    };
    expect(idsOf(facts)).toEqual(["a", "b"]);
  });

  test.each([
    ["runs on", leaseUntil(msAgo(-600))],
    ["ran out", leaseUntil(msAgo(600))],
    ["can't be read", leaseUntil(null)],
  ])("a row that a pull worker claimed, with a lease that %s, gets its session when it ends", (_, lease) => {
    const pulled = running("pulled", { ageSeconds: 90, lease });
    expect(idsOf({ executions: executionsOf([pulled]) })).toEqual([]);
  });
});

describe("rows that can't be judged are unseen and spoil no other", () => {
  test("a row without a readable started_at is no violation, and does not hide the others", () => {
    const facts = {
      executions: executionsOf([
        running("undated", NO_STARTED_AT),
        running("lost", { ageSeconds: 90 }),
        running("elsewhere", { agent: "other", ageSeconds: 5 }),
      ]),
    };
    const verdict = judge(E05, facts);
    expect(recordOf(verdict)).toEqual({
      status: "red",
      checked: 1,
      unseen: [`${AGENT}/undated`],
      reason: null,
    });
    expect(verdict.findings.map((f) => f.keys)).toEqual([["lost"]]);
  });

  test("alone it makes the verdict unknown", () => {
    const executions = executionsOf([running("undated", NO_STARTED_AT)]);
    expect(recordOf(judge(E05, { executions }))).toMatchObject({
      status: "unknown",
      unseen: [`${AGENT}/undated`],
    });
  });

  test("with a session there is nothing to age", () => {
    const executions = executionsOf([running("undated", NO_STARTED_AT)]);
    expect(recordOf(judge(E05, { executions, sessions: new Set(["undated"]) }))).toMatchObject({
      status: "green",
      unseen: [],
    });
  });

  test("a row whose id or agent can't be read is unseen, and hides no other of its agent", () => {
    const unreadable = [withoutId(running("a")), withoutAgent(running("b")), withoutId(queued("c"))];
    const lost = executionsOf([running("lost", { ageSeconds: 90 })], unreadable);
    expect(recordOf(judge(E05, { executions: lost }))).toMatchObject({
      status: "red",
      unseen: ["(unreadable name)/b", `${AGENT}/(unreadable id)`],
    });
    expect(recordOf(judge(E05, { executions: executionsOf([], unreadable) })).status).toBe("unknown");
    expect(recordOf(judge(E05, { executions: executionsOf([], [withoutId(queued("c"))]) })).unseen).toEqual(
      [],
    );
  });
});
