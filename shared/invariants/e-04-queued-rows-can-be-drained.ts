import type { BacklogDefect } from "../facts/facts.ts";
import { invariant } from "./invariant.ts";
import { countSubjects, judgeQueued, nameSubjects } from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  reason: string;
}

export const queuedRowsCanBeDrained = invariant({
  id: "E-04",
  title: "Queued rows can be drained",
  tier: "A",
  severity: "major",
  guards:
    "The drain makes the run again from backlog_metadata, in the order of queued_at: a row without them waits until it is failed after 24 hours.",
  runbook:
    "Fail the row, so that it can be run again, and find the writer that queued it without these columns (see its triggered_by).",
  reads: ["executions", "backlogDefects"],
  // The platform writes status, queued_at and backlog_metadata in one statement, and all were read in one transaction.
  confirm: false,

  check: ({ executions, backlogDefects }) =>
    judgeQueued<BacklogDefect, Observed>(
      executions,
      backlogDefects,
      ({ defect }) => (defect === "unread" ? null : defect),
      (agent, id, defect) => ({
        observed: { agent_name: agent, execution_id: id, reason: defect },
        signalQuery: `schedule_executions queued row ${id} (agent=${agent}): ${defect}`,
      }),
    ),

  summarize: (findings) =>
    `${findings.length} queued row(s) that can't be drained across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, execution_id, reason }) => `${agent_name}/${execution_id}: ${reason}`,
});
