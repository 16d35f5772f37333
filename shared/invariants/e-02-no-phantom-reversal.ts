import { TERMINAL_STATUSES, type TerminalStatus } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { countSubjects, nameSubjects, partsOf, UNREADABLE_AGENT } from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  previous_status: TerminalStatus;
  current_status: string;
  terminal_statuses_tracked: readonly string[];
}

export const noPhantomReversal = invariant({
  id: "E-02",
  title: "No phantom reversal",
  tier: "A",
  severity: "critical",
  guards:
    "A finished run that comes back to life runs twice, reports twice, and may overwrite its own result.",
  runbook:
    "Look for a late write that sets the status without asking for the old one (a reaper, a retry, a worker that came back). Put the row back to previous_status unless the run is really alive.",
  // `ended` feeds the memory that this check rests on: where it is unread, there is nothing to judge by later.
  reads: ["executions", "pendingRetries", "ended", "finishedRuns"],
  confirm: false,

  check({ executions, pendingRetries, finishedRuns }) {
    const findings: Finding<Observed>[] = [];
    const add = (id: string, agent: string, previousStatus: TerminalStatus, currentStatus: string) =>
      findings.push({
        subject: agent,
        keys: [id],
        observed: {
          agent_name: agent,
          execution_id: id,
          previous_status: previousStatus,
          current_status: currentStatus,
          terminal_statuses_tracked: TERMINAL_STATUSES,
        },
        signalQuery: `execution_id ${id} was ${previousStatus} in previous cycle; now ${currentStatus}`,
      });
    for (const { id, agent, status } of executions.live) {
      const previousStatus = finishedRuns.statusOf(id);
      if (previousStatus) add(id, agent, previousStatus, status);
    }
    for (const { id, agent } of pendingRetries) {
      const previousStatus = id === null ? undefined : finishedRuns.statusOf(id);
      // The scheduler takes a failed row to `pending_retry`, and no other.
      if (previousStatus && previousStatus !== "failed")
        add(id!, agent ?? UNREADABLE_AGENT, previousStatus, "pending_retry");
    }
    const hiddenRetries = pendingRetries.filter((row) => row.id === null || row.agent === null);
    return {
      subjects: [...executions.live, ...pendingRetries].map(({ agent }) => agent ?? UNREADABLE_AGENT),
      unseen: partsOf([...executions.unreadable, ...hiddenRetries]),
      findings,
    };
  },

  summarize: (findings) =>
    `${findings.length} finished run(s) came back to life across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, execution_id, previous_status, current_status }) =>
    `${agent_name}/${execution_id}: was ${previous_status}, is ${current_status}`,
});
