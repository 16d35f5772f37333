import { TERMINAL_STATUSES, type TerminalStatus } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { NOW, noted, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { askAgent, releaseSlotOfRow, showRows, showSlots } from "./platform-commands.ts";
import { nameAgents, partsOf, UNREADABLE_AGENT } from "./rules.ts";

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
  impact:
    "A run that was over works again: its effects happen twice and its result may be overwritten, so get up if it sends, pays or deletes.",
  runbook:
    "Ask whether the agent really works on it again. If not, put the row back to the status that it had; then look for the late write that set the status without asking for the old one (a clean-up, a retry, a worker that came back).",
  safe: "Putting the row back stops nothing: a run that is alive goes on, and what it answers is kept only where the platform lets it overwrite that status (never after cancelled). The slot is given back too, so the agent may start one run more; only where a row was printed.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    previous_status: "success",
    current_status: "running",
    terminal_statuses_tracked: TERMINAL_STATUSES,
  },
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
    `${plural(findings.length, "finished run")} came back to life across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, previous_status, current_status }) =>
    `${agent_name}/${execution_id}: was ${previous_status}, is ${current_status}`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    showRows(agent, [id]),
    askAgent(agent),
    showSlots(agent),
  ],
  fix: ({ agent_name: agent, execution_id: id, previous_status, current_status }) => [
    noted(
      "a decision: only where the agent does not work on it",
      sql`UPDATE schedule_executions SET status = ${previous_status}, completed_at = COALESCE(completed_at, ${NOW})
WHERE id = ${id} AND agent_name = ${agent} AND status = ${current_status} RETURNING id, status`,
    ),
    ...releaseSlotOfRow(agent, id),
  ],
});
