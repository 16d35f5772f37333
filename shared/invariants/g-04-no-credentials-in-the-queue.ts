import type { QueuedCredential } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { NOW, noted, sql } from "./commands.ts";
import { invariant } from "./invariant.ts";
import { judgeQueued, nameAgents } from "./rules.ts";

/** Never the text itself, or anything around it. */
interface Observed {
  agent_name: string;
  execution_id: string;
  matched_pattern: string;
}

export const noCredentialsInTheQueue = invariant({
  id: "G-04",
  title: "No credentials in the queue",
  tier: "A",
  severity: "critical",
  impact:
    "A credential can be read by everybody who can read the database or a backup, and by operators who look at the queue: get up and revoke it.",
  runbook:
    "Revoke the credential first (read the row in the platform, not here), then cancel the run, and find the caller that put it into the task.",
  safe: "A queued row has no run yet, and a row that was claimed meanwhile is left alone: then its run has the credential, which should be revoked by now.",
  example: { agent_name: "<agent>", execution_id: "<execution>", matched_pattern: "github_pat" },
  reads: ["executions", "credentialsInQueue"],
  // The rows and their metadata were read in one transaction.
  confirm: false,
  // The database searches what may be secret, which an operator has to want.
  isOffByDefault: true,

  check: ({ executions, credentialsInQueue }) =>
    judgeQueued<QueuedCredential, Observed>(
      executions,
      credentialsInQueue,
      ({ pattern }) => pattern,
      (agent, id, pattern) => ({
        observed: { agent_name: agent, execution_id: id, matched_pattern: pattern },
        signalQuery: `schedule_executions queued row ${id} (agent=${agent}) backlog_metadata matched credential pattern '${pattern}'`,
      }),
    ),

  summarize: (findings) =>
    `${plural(findings.length, "queued row")} with what looks like a credential across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, matched_pattern }) =>
    `${agent_name}/${execution_id}: matches the pattern ${matched_pattern}`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    // Not what is in backlog_metadata: that is the secret.
    sql`SELECT id, status, triggered_by, queued_at FROM schedule_executions WHERE id = ${id} AND agent_name = ${agent}`,
  ],
  fix: ({ agent_name: agent, execution_id: id }) => [
    noted(
      "revoke the credential first, backups keep it",
      sql`UPDATE schedule_executions SET status = 'cancelled', completed_at = ${NOW}, backlog_metadata = NULL
WHERE id = ${id} AND agent_name = ${agent} AND status = 'queued' RETURNING id, status`,
    ),
  ],
});
