import type { Unseen } from "../facts/coverage.ts";
import type { Execution } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { countSubjects, DISPATCH_SECONDS, nameSubjects, partsOf, secondsBetween } from "./rules.ts";

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
  guards:
    "A running row without a Claude session was never dispatched: nothing works on it, and nothing will end it.",
  runbook:
    "Look at the agent's log around started_at for the dispatch that failed; fail the row so that it can be run again.",
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
    `${findings.length} running row(s) without a session across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`,
  explain: ({ agent_name, execution_id, age_seconds }) =>
    `${agent_name}/${execution_id}: no session after ${age_seconds} s`,
});
