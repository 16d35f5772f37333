import type { BacklogDefect } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { sql } from "./commands.ts";
import { invariant } from "./invariant.ts";
import { failRow } from "./platform-commands.ts";
import { judgeQueued, nameAgents } from "./rules.ts";

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
  impact:
    "The queued run can't be started from what was stored with it: it waits until it is failed after 24 hours, and its requester hears nothing, so fix it today.",
  runbook:
    "Where only the time of queueing is missing, set it, and the run is drained. Otherwise fail the row, so that it can be asked for again. Then find the writer that queued it without what the drain needs.",
  safe: "A queued row has no run yet, and a row that was claimed meanwhile is left alone.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    reason: "backlog_metadata_null",
  },
  otherExamples: [{ agent_name: "<agent>", execution_id: "<execution>", reason: "queued_at_null" }],
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
    `${plural(findings.length, "queued row")} that can't be drained across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, reason }) => `${agent_name}/${execution_id}: ${reason}`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    // Not what is in backlog_metadata: it is a prompt.
    sql`SELECT id, status, triggered_by, queued_at, backlog_metadata IS NULL AS no_metadata FROM schedule_executions
WHERE id = ${id} AND agent_name = ${agent}`,
  ],
  fix: ({ agent_name: agent, execution_id: id, reason }) => [
    reason === "queued_at_null"
      ? sql`UPDATE schedule_executions SET queued_at = started_at
WHERE id = ${id} AND agent_name = ${agent} AND status = 'queued' AND queued_at IS NULL RETURNING id, queued_at`
      : failRow(agent, id, "queued"),
  ],
});
