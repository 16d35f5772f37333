import { expect, test } from "vitest";
import type { BacklogDefect } from "../../shared/facts/facts.ts";
import { queuedRowsCanBeDrained as E04 } from "../../shared/invariants/e-04-queued-rows-can-be-drained.ts";
import {
  AGENT,
  executionsOf,
  judge,
  observedOf,
  queued,
  recordOf,
  running,
  testUnreadFacts,
  violationsOf,
  withoutId,
} from "../support/facts.ts";

testUnreadFacts(E04);

test("E-04 is of tier A, major", () => {
  expect(E04).toMatchObject({ tier: "A", severity: "major" });
});

const defect = (id: string | null, what: BacklogDefect["defect"], agent: string | null = AGENT) => ({
  id,
  agent,
  defect: what,
});

test("a queue without a defect is green, and its agents were looked at", () => {
  const executions = executionsOf([
    queued("a"),
    queued("b", { agent: "ada" }),
    running("c", { agent: "eve" }),
  ]);
  expect(recordOf(judge(E04, { executions }))).toEqual({
    status: "green",
    checked: 2,
    unseen: [],
    reason: null,
  });
});

test("a queued row without a task", () => {
  const facts = {
    executions: executionsOf([queued("lost"), queued("fine")]),
    backlogDefects: [defect("lost", "backlog_metadata_null")],
  };
  expect(violationsOf(judge(E04, facts))).toEqual([
    {
      invariant_id: "E-04",
      tier: "A",
      severity: "major",
      subject: AGENT,
      snapshot_time: "2026-11-23T12:00:00.000Z",
      observed_state: {
        agent_name: AGENT,
        execution_id: "lost",
        reason: "backlog_metadata_null",
        snapshot_time: "2026-11-23T12:00:00.000Z",
      },
      signal_query: `schedule_executions queued row lost (agent=${AGENT}): backlog_metadata_null`,
    },
  ]);
});

test("each row is a finding of its own, with its reason", () => {
  const backlogDefects = [
    defect("a", "queued_at_null"),
    defect("b", "backlog_metadata_invalid_json"),
    defect("c", "backlog_metadata_null", "ada"),
  ];
  expect(
    observedOf(judge(E04, { backlogDefects })).map((o) => [o.agent_name, o.execution_id, o.reason]),
  ).toEqual([
    ["ada", "c", "backlog_metadata_null"],
    [AGENT, "a", "queued_at_null"],
    [AGENT, "b", "backlog_metadata_invalid_json"],
  ]);
});

test("metadata that was too much to read makes its row unseen, not green and not red", () => {
  const executions = executionsOf([queued("huge"), queued("b", { agent: "ada" })]);
  const backlogDefects = [defect("huge", "unread")];
  expect(recordOf(judge(E04, { executions, backlogDefects }))).toEqual({
    status: "green",
    checked: 1,
    unseen: [`${AGENT}/huge`],
    reason: null,
  });
  expect(judge(E04, { executions: executionsOf([queued("huge")]), backlogDefects }).status).toBe("unknown");
});

test("a queued row whose id can't be read is unseen, whatever is wrong with it, and hides no other", () => {
  const facts = {
    executions: executionsOf([queued("lost")], [withoutId(queued("x")), withoutId(running("y"))]),
    backlogDefects: [defect(null, "queued_at_null"), defect("lost", "queued_at_null")],
  };
  expect(recordOf(judge(E04, facts))).toMatchObject({
    status: "red",
    unseen: [`${AGENT}/(unreadable id)`],
  });
  expect(observedOf(judge(E04, facts)).map((o) => o.execution_id)).toEqual(["lost"]);
});
