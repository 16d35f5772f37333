import { TERMINAL_STATUSES, type TerminalStatus } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { countSubjects, nameSubjects, partsOf } from "./rules.ts";

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
  reads: ["executions", "ended", "finishedRuns"],
  confirm: false,

  check({ executions, finishedRuns }) {
    const findings: Finding<Observed>[] = [];
    for (const { id, agent, status, retryScheduled } of executions.live) {
      const previousStatus = finishedRuns.statusOf(id);
      if (!previousStatus) continue;
      // The one legal way back: the scheduler retries a failed run.
      if (previousStatus === "failed" && retryScheduled) continue;
      findings.push({
        subject: agent,
        keys: [id],
        observed: {
          agent_name: agent,
          execution_id: id,
          previous_status: previousStatus,
          current_status: status,
          terminal_statuses_tracked: TERMINAL_STATUSES,
        },
        signalQuery: `execution_id ${id} was ${previousStatus} in previous cycle; now ${status}`,
      });
    }
    return {
      subjects: executions.live.map((e) => e.agent),
      unseen: partsOf(executions.unreadable),
      findings,
    };
  },

  summarize: (findings) =>
    `${findings.length} finished run(s) came back to life across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, execution_id, previous_status, current_status }) =>
    `${agent_name}/${execution_id}: was ${previous_status}, is ${current_status}`,
});
