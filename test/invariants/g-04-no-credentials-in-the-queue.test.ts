import { expect, test } from "vitest";
import { noCredentialsInTheQueue as G04 } from "../../shared/invariants/g-04-no-credentials-in-the-queue.ts";
import {
  AGENT,
  executionsOf,
  judge,
  observedOf,
  queued,
  recordOf,
  testUnreadFacts,
  violationsOf,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(G04);

test("G-04 is of tier A, critical, and off unless the environment turns it on", () => {
  expect(G04).toMatchObject({ tier: "A", severity: "critical", isOffByDefault: true });
});

const match = (id: string | null, pattern: string | null, agent: string | null = AGENT) => ({
  id,
  agent,
  pattern,
});

test("a queue without a credential is green", () => {
  expect(recordOf(judge(G04, { executions: executionsOf([queued("a")]) }))).toEqual({
    status: "green",
    checked: 1,
    unseen: [],
    reason: null,
  });
});

test("a queued row with a token: the name of the pattern is said, and nothing else of it", () => {
  const facts = {
    executions: executionsOf([queued("leaky")]),
    credentialsInQueue: [match("leaky", "github_pat")],
  };
  expect(violationsOf(judge(G04, facts))).toEqual([
    {
      invariant_id: "G-04",
      tier: "A",
      severity: "critical",
      subject: AGENT,
      snapshot_time: "2026-11-23T12:00:00.000Z",
      observed_state: {
        agent_name: AGENT,
        execution_id: "leaky",
        matched_pattern: "github_pat",
        snapshot_time: "2026-11-23T12:00:00.000Z",
      },
      signal_query: `schedule_executions queued row leaky (agent=${AGENT}) backlog_metadata matched credential pattern 'github_pat'`,
    },
  ]);
});

test("a row that could not be searched is unseen, not clean", () => {
  const executions = executionsOf([queued("huge"), queued("b", { agent: "ada" })]);
  const credentialsInQueue = [match("huge", null)];
  expect(recordOf(judge(G04, { executions, credentialsInQueue }))).toMatchObject({
    status: "green",
    checked: 1,
    unseen: [`${AGENT}/huge`],
  });
  expect(judge(G04, { executions: executionsOf([queued("huge")]), credentialsInQueue }).status).toBe(
    "unknown",
  );
});

test("a row whose id can't be read is unseen, and hides no other", () => {
  const facts = {
    executions: executionsOf([queued("leaky")], [withoutId(queued("x"))]),
    credentialsInQueue: [match(null, "sk"), match("leaky", "AKIA")],
  };
  expect(recordOf(judge(G04, facts))).toMatchObject({ status: "red", unseen: [`${AGENT}/(unreadable id)`] });
  expect(observedOf(judge(G04, facts)).map((o) => [o.execution_id, o.matched_pattern])).toEqual([
    ["leaky", "AKIA"],
  ]);
});
