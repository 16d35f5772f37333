import { describe, expect, test } from "vitest";
import type { Execution } from "../../shared/facts/facts.ts";
import { terminalStateClosure as E01 } from "../../shared/invariants/e-01-terminal-state-closure.ts";
import {
  AGENT,
  executionsOf,
  judge,
  judgeTwice,
  leaseUntil,
  msAgo,
  NO_STARTED_AT,
  observedOf,
  queued,
  readBetween,
  recordOf,
  rosterOf,
  running,
  slot,
  slotsOf,
  testUnreadFacts,
  violationsOf,
  withoutAgent,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(E01);

test("E-01 is of tier B, critical", () => {
  expect(E01).toMatchObject({ tier: "B", severity: "critical" });
});

const timeoutOf = (executionTimeoutSeconds: number | null) =>
  rosterOf({ [AGENT]: { executionTimeoutSeconds } });
/** An agent with a timeout of 60 s (limit 360 s) and these rows. */
const oneMinute = (...live: Execution[]) => ({ roster: timeoutOf(60), executions: executionsOf(live) });
const idsOf = (...args: [Parameters<typeof judge>[1], Parameters<typeof judge>[2]?]) =>
  observedOf(judge(E01, ...args)).map((o) => o.execution_id);

describe("a run ends within its timeout and the buffer of 300 s", () => {
  test("a run within its time is green", () => {
    expect(recordOf(judge(E01, oneMinute(running("run-1", { ageSeconds: 45 }))))).toEqual({
      status: "green",
      checked: 1,
      unseen: [],
      reason: null,
    });
  });

  test("a row that says running two hours after its start, with a timeout of 60 s, as in the seed", () => {
    const verdict = judge(E01, oneMinute(running("stuck", { ageSeconds: 7436 })));
    expect(violationsOf(verdict)).toEqual([
      {
        invariant_id: "E-01",
        tier: "B",
        severity: "critical",
        subject: AGENT,
        snapshot_time: "2026-11-23T12:00:00.000Z",
        observed_state: {
          agent_name: AGENT,
          execution_id: "stuck",
          started_at: "2026-11-23T09:56:04.000Z",
          age_seconds: 7436,
          execution_timeout_seconds: 60,
          slot_ttl_buffer_seconds: 300,
          effective_timeout_seconds: 60,
          timeout_source: "agent",
          snapshot_time: "2026-11-23T12:00:00.000Z",
        },
        signal_query: `schedule_executions row stuck (agent=${AGENT}) status='running' age=7436s > timeout+buffer=360s`,
      },
    ]);
  });

  test.each([
    [359, false],
    [360, false],
    [361, true],
    [-3600, false],
  ])("limit 360 s, age %d s: red is %j", (ageSeconds, red) => {
    expect(idsOf(oneMinute(running("r", { ageSeconds })))).toEqual(red ? ["r"] : []);
  });

  test("an age is whole seconds, rounded down", () => {
    expect(observedOf(judge(E01, oneMinute(running("r", { ageSeconds: 400.999 }))))[0]).toMatchObject({
      age_seconds: 400,
    });
  });

  test("the age is measured at the reading of the rows, from where a slow one began", () => {
    const facts = oneMinute(running("r", { ageSeconds: 355 }));
    expect(idsOf(facts, { times: { executions: readBetween(0, 30), slots: readBetween(60, 60) } })).toEqual(
      [],
    );
    expect(idsOf(facts, { times: { executions: readBetween(30, 30) } })).toEqual(["r"]);
  });

  test("a queued row may wait for as long as it likes", () => {
    expect(idsOf(oneMinute(queued("old", { waitedSeconds: 86_000 })))).toEqual([]);
  });

  test("rows of an agent that is not on the roster are L-03's business", () => {
    expect(idsOf(oneMinute(running("r", { agent: "ghost", ageSeconds: 86_000 })))).toEqual([]);
  });

  test("a run that ended between two reads is gone at the second look", () => {
    expect(E01.confirm).toBe(true);
    expect(judgeTwice(E01, oneMinute(running("r", { ageSeconds: 400 })), oneMinute()).status).toBe("green");
  });
});

describe("the limit is the longest that the platform would honour", () => {
  const limits = (agent: number, schedule: number | null, inSlot: number | null, ageSeconds: number) =>
    observedOf(
      judge(E01, {
        roster: timeoutOf(agent),
        executions: executionsOf([running("r", { ageSeconds, scheduleTimeoutSeconds: schedule })]),
        slots: slotsOf({
          [AGENT]: [slot("r", { timeoutSeconds: inSlot }), slot("z", { timeoutSeconds: 99_999 })],
        }),
      }),
    ).map((o) => [o.execution_timeout_seconds, o.effective_timeout_seconds, o.timeout_source]);

  test.each([
    ["the agent's own", 900, null, null, 900, "agent"],
    ["the schedule's, which allows more", 900, 7200, null, 7200, "schedule"],
    ["the one in the run's slot", 900, null, 1800, 1800, "slot"],
    ["the agent's, where the others allow less", 900, 60, 120, 900, "agent"],
    ["the slot's above the schedule's", 60, 600, 601, 601, "slot"],
    ["the schedule's above the slot's", 60, 601, 600, 601, "schedule"],
  ] as const)("%s", (_what, agent, schedule, inSlot, effective, source) => {
    expect(limits(agent, schedule, inSlot, effective + 300)).toEqual([]);
    expect(limits(agent, schedule, inSlot, effective + 301)).toEqual([[agent, effective, source]]);
  });

  test("a slot of the same id at another agent allows nothing", () => {
    const facts = {
      ...oneMinute(running("r", { ageSeconds: 400 })),
      slots: slotsOf({ other: [slot("r", { timeoutSeconds: 7200 })] }),
    };
    expect(idsOf(facts)).toEqual(["r"]);
  });

  test("a slot's timeout of 600.5 s is one of 600 s", () => {
    expect(limits(60, null, 600.5, 901)).toEqual([[60, 600, "slot"]]);
    expect(limits(60, null, 600.5, 900)).toEqual([]);
  });

  test("the limit that was passed stands in the signal query", () => {
    const facts = oneMinute(running("r", { ageSeconds: 8000, scheduleTimeoutSeconds: 7200 }));
    expect(judge(E01, facts).findings[0]?.signalQuery).toContain("age=8000s > timeout+buffer=7500s");
  });
});

describe("rows of pull workers belong to their reaper", () => {
  test.each([
    ["in the future", -1, false],
    ["just now", 0, false],
    ["599.999 s overdue", 599.999, false],
    ["600 s overdue", 600, true],
    ["a day overdue", 86_400, true],
  ])("a lease that ended %s (%d s ago): E-01 judges the row is %j", (_when, overdueSeconds, judged) => {
    const pulled = running("pulled", { ageSeconds: 90_000, lease: leaseUntil(msAgo(overdueSeconds)) });
    expect(idsOf(oneMinute(pulled))).toEqual(judged ? ["pulled"] : []);
  });

  test("a row that its reaper has given up is shown with its lease; another has none to show", () => {
    const left = running("E", { ageSeconds: 7200, lease: leaseUntil(msAgo(600.5)) });
    const facts = { roster: rosterOf({ [AGENT]: { executionTimeoutSeconds: 60 } }) };
    expect(observedOf(judge(E01, { ...facts, executions: executionsOf([left]) }))).toEqual([
      expect.objectContaining({
        execution_id: "E",
        lease_expires_at: "2026-11-23T11:49:59.500Z",
        lease_overdue_seconds: 600,
      }),
    ]);
    const [plain] = observedOf(
      judge(E01, { ...facts, executions: executionsOf([{ ...left, lease: null }]) }),
    );
    expect(plain).not.toHaveProperty("lease_expires_at");
  });

  test("a lease that can't be read makes the row unseen", () => {
    const pulled = running("pulled", { ageSeconds: 90_000, lease: leaseUntil(null) });
    const verdict = judge(E01, oneMinute(pulled, running("stuck", { ageSeconds: 400 })));
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [`${AGENT}/pulled`] });
    expect(verdict.findings.map((f) => f.keys)).toEqual([["stuck"]]);
  });
});

describe("rows that can't be judged are unseen and spoil no other", () => {
  test("one garbled started_at does not turn E-01 green for the fleet", () => {
    const verdict = judge(E01, {
      roster: rosterOf({ [AGENT]: { executionTimeoutSeconds: 60 }, other: { executionTimeoutSeconds: 60 } }),
      executions: executionsOf([
        running("undated", NO_STARTED_AT),
        running("stuck", { ageSeconds: 400 }),
        running("stuck-too", { agent: "other", ageSeconds: 400 }),
      ]),
    });
    expect(recordOf(verdict)).toEqual({
      status: "red",
      checked: 1,
      unseen: [`${AGENT}/undated`],
      reason: null,
    });
    expect(verdict.findings.map((f) => f.keys[0])).toEqual(["stuck", "stuck-too"]);
  });

  test("a row that can't be aged is no violation, and alone it is no green either", () => {
    expect(recordOf(judge(E01, oneMinute(running("undated", NO_STARTED_AT))))).toMatchObject({
      status: "unknown",
      checked: 0,
      unseen: [`${AGENT}/undated`],
    });
  });

  test.each([
    ["the agent's timeout", { roster: timeoutOf(null) }, {}],
    ["the schedule's timeout", {}, { scheduleTimeoutSeconds: "unreadable" as const }],
    ["the agent's slots", { slots: slotsOf({}, [AGENT]) }, {}],
  ])("%s unread: an old row may be allowed or not, so it is unseen", (_what, facts, row) => {
    const verdict = judge(E01, { ...oneMinute(running("old", { ageSeconds: 90_000, ...row })), ...facts });
    expect(recordOf(verdict)).toMatchObject({ status: "unknown", unseen: [`${AGENT}/old`] });
  });

  test("a run stuck for two hours is red, also beside rows of its agent whose ids can't be read", () => {
    const hidden = [withoutId(running("a")), withoutId(running("b")), withoutId(queued("c"))];
    const executions = executionsOf([running("stuck", { ageSeconds: 7200 })], hidden);
    const verdict = judge(E01, { roster: timeoutOf(60), executions });
    expect(recordOf(verdict)).toMatchObject({ status: "red", unseen: [`${AGENT}/(unreadable id)`] });
    expect(verdict.findings.map((f) => f.keys)).toEqual([["stuck"]]);
    expect(recordOf(judge(E01, { executions: executionsOf([], hidden) })).status).toBe("unknown");
  });

  test("a row whose agent can't be read is unseen under its id; one of an agent that is not on the roster isn't", () => {
    const hidden = [withoutAgent(running("x")), withoutId(running("y", { agent: "ghost" }))];
    const { coverage, ...verdict } = judge(E01, { executions: executionsOf([], hidden) });
    expect(recordOf({ ...verdict, coverage })).toMatchObject({
      status: "green",
      unseen: ["(unreadable name)/x"],
    });
    expect(coverage.saw(AGENT, "x")).toBe(false);
  });
});
