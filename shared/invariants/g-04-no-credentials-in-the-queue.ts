import type { QueuedCredential } from "../facts/facts.ts";
import { invariant } from "./invariant.ts";
import { countSubjects, judgeQueued, nameSubjects } from "./rules.ts";

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
  guards:
    "backlog_metadata is stored as plain text and shown to operators: a credential in it is readable by everybody who can read the database or a backup.",
  runbook:
    "Revoke the credential (read the row in the platform, not here), cancel the run, and find the caller that put it into the task.",
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
    `${findings.length} queued row(s) with what looks like a credential across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, execution_id, matched_pattern }) =>
    `${agent_name}/${execution_id}: matches the pattern ${matched_pattern}`,
});
