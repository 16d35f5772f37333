import type { Unseen } from "../facts/coverage.ts";
import type { Execution } from "../facts/facts.ts";
import { plural } from "../text.ts";
import { docker, NOW, remark, sql } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { askAgent, containerOf, releaseSlotOfRow } from "./platform-commands.ts";
import { DISPATCH_SECONDS, nameAgents, partsOf, secondsBetween } from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  started_at: string | null;
  age_seconds: number;
  grace_seconds: number;
}

export const dispatchedRowsHaveASession = invariant({
  id: "E-05",
  title: "Dispatched rows have a session",
  tier: "B",
  severity: "major",
  impact:
    "The run was never handed to its agent: nothing works on it, it holds a slot, and its requester waits until the timeout, so get up if many runs are hit.",
  runbook:
    "Look at the platform's log at the time of the start for the dispatch that failed; fail the row, so that it can be asked for again.",
  safe: "A run that was dispatched meanwhile has a session, and its row is left alone: give its slot back only where a row was printed. One that works without having said so goes on, and its own success overwrites the failure.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    started_at: "<started_at>",
    age_seconds: 188,
    grace_seconds: DISPATCH_SECONDS,
  },
  reads: ["executions", "sessions"],
  // The platform's clock may have been set back: then a start looks old before it has its session.
  confirm: true,

  check({ executions, sessions }, { times }) {
    // A row that a pull worker claimed gets its session when it ends.
    const isDispatched = ({ status, lease }: Pick<Execution, "status" | "lease">) =>
      status === "running" && lease === null;
    const unseen: Unseen[] = partsOf(executions.unreadable.filter(isDispatched));
    const findings: Finding<Observed>[] = [];
    const running = executions.live.filter(isDispatched);
    for (const { id, agent, startedAt, startedAtMs } of running) {
      if (sessions.has(id)) continue;
      if (startedAtMs === null) {
        unseen.push({ subject: agent, key: id });
        continue;
      }
      const ageSeconds = secondsBetween(startedAtMs, times.executions.fromMs);
      if (ageSeconds <= DISPATCH_SECONDS) continue;
      findings.push({
        subject: agent,
        keys: [id],
        observed: {
          agent_name: agent,
          execution_id: id,
          started_at: startedAt,
          age_seconds: ageSeconds,
          grace_seconds: DISPATCH_SECONDS,
        },
        signalQuery: `schedule_executions row ${id} (agent=${agent}) status='running' age=${ageSeconds}s > ${DISPATCH_SECONDS}s and claude_session_id IS NULL`,
      });
    }
    return { subjects: running.map((e) => e.agent), unseen, findings };
  },

  summarize: (findings) =>
    `${plural(findings.length, "running row")} without a session across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, age_seconds }) =>
    `${agent_name}/${execution_id}: no session after ${age_seconds} s`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    sql`SELECT id, status, triggered_by, started_at, claude_session_id FROM schedule_executions
WHERE id = ${id} AND agent_name = ${agent}`,
    askAgent(agent),
    docker("ps", "--filter", `name=${containerOf(agent)}`),
  ],
  fix: ({ agent_name: agent, execution_id: id }) => [
    remark("only where the agent does not work on it"),
    sql`UPDATE schedule_executions SET status = 'failed', completed_at = ${NOW}, error = 'failed by an operator'
WHERE id = ${id} AND agent_name = ${agent} AND status = 'running'
AND (claude_session_id IS NULL OR claude_session_id = '') RETURNING id, status`,
    ...releaseSlotOfRow(agent, id),
  ],
});
