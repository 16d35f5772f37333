import type { Unseen } from "../facts/coverage.ts";
import { plural } from "../text.ts";
import { remark } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import {
  askAgent,
  failRun,
  releaseSlotOfRow,
  showProcesses,
  showRows,
  showSlots,
} from "./platform-commands.ts";
import {
  byAgent,
  hasUnseenSlots,
  nameAgents,
  partsOf,
  SLOT_TTL_BUFFER_SECONDS,
  secondsBetween,
  unreadSlotCount,
} from "./rules.ts";

interface Observed {
  agent_name: string;
  execution_id: string;
  started_at: string | null;
  age_seconds: number;
  execution_timeout_seconds: number;
  slot_ttl_buffer_seconds: number;
  effective_timeout_seconds: number;
  timeout_source: "agent" | "schedule" | "slot";
  /** Only of a row that a pull worker has claimed. */
  lease_expires_at?: string;
  lease_overdue_seconds?: number;
}

/** The reaper of pull workers owns a row until its lease is this long overdue. */
const LEASE_REAPER_SECONDS = 600;

export const terminalStateClosure = invariant({
  id: "E-01",
  title: "Terminal-state closure",
  tier: "B",
  severity: "critical",
  impact:
    "The run will not end by itself: it holds one of the agent's slots, what waits for it waits for ever, and a worker may be dead, so get up if several agents are hit.",
  runbook:
    "Ask whether the agent still works on the run. If not, fail the row and give its slot back; then find out why the platform's clean-up passed it over.",
  safe: "A run that is alive goes on, and its own success overwrites the failure; until then the agent may start one run more than its cap. Where its schedule has retries, the scheduler may start it a second time. The slot is given back too: only where a row was printed, else the row has moved on.",
  example: {
    agent_name: "<agent>",
    execution_id: "<execution>",
    started_at: "<started_at>",
    age_seconds: 7436,
    execution_timeout_seconds: 60,
    slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
    effective_timeout_seconds: 60,
    timeout_source: "agent",
  },
  reads: ["roster", "executions", "slots"],
  confirm: true,

  check({ roster, executions, slots }, { times }) {
    const readAtMs = times.executions.fromMs;
    const executionsOf = byAgent(executions.live);
    const unseen: Unseen[] = partsOf(
      executions.unreadable.filter(
        (e) => e.status === "running" && (e.agent === null || roster.has(e.agent)),
      ),
    );
    const findings: Finding<Observed>[] = [];
    for (const [agent, { executionTimeoutSeconds }] of roster) {
      for (const execution of executionsOf.get(agent) ?? []) {
        const { id, status, startedAt, startedAtMs, lease, scheduleTimeoutSeconds } = execution;
        if (status !== "running") continue;
        const reaperOwnsIt =
          lease?.expiresAtMs != null && lease.expiresAtMs > readAtMs - LEASE_REAPER_SECONDS * 1000;
        if (reaperOwnsIt) continue;
        const leaseUnread = lease !== null && lease.expiresAtMs === null;
        const slot = slots.byAgent.get(agent)?.find((held) => held.id === id);
        // The row's slot may be a member that was not read.
        const slotUnread =
          hasUnseenSlots(slots, agent) || (slot === undefined && unreadSlotCount(slots, agent) > 0);
        if (
          startedAtMs === null ||
          executionTimeoutSeconds === null ||
          scheduleTimeoutSeconds === "unreadable" ||
          leaseUnread ||
          slotUnread
        ) {
          unseen.push({ subject: agent, key: id });
          continue;
        }
        const timeouts = [
          { source: "agent", seconds: executionTimeoutSeconds },
          { source: "schedule", seconds: scheduleTimeoutSeconds ?? 0 },
          { source: "slot", seconds: Math.floor(slot?.timeoutSeconds ?? 0) },
        ] as const;
        const effective = timeouts.reduce((longest, t) => (t.seconds > longest.seconds ? t : longest));
        const limitSeconds = effective.seconds + SLOT_TTL_BUFFER_SECONDS;
        const ageSeconds = secondsBetween(startedAtMs, readAtMs);
        if (ageSeconds <= limitSeconds) continue;
        findings.push({
          subject: agent,
          keys: [id],
          observed: {
            agent_name: agent,
            execution_id: id,
            started_at: startedAt,
            age_seconds: ageSeconds,
            execution_timeout_seconds: executionTimeoutSeconds,
            slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
            effective_timeout_seconds: effective.seconds,
            timeout_source: effective.source,
            ...(lease !== null && {
              lease_expires_at: lease.expiresAt,
              lease_overdue_seconds: secondsBetween(lease.expiresAtMs!, readAtMs),
            }),
          },
          signalQuery: `schedule_executions row ${id} (agent=${agent}) status='running' age=${ageSeconds}s > timeout+buffer=${limitSeconds}s`,
        });
      }
    }
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize: (findings) =>
    `${plural(findings.length, "run")} past timeout and buffer across ${nameAgents(findings)}`,
  explain: ({ agent_name, execution_id, age_seconds, effective_timeout_seconds, timeout_source }) =>
    `${agent_name}/${execution_id}: running for ${age_seconds} s, allowed ${effective_timeout_seconds} s (by the ${timeout_source}) + ${SLOT_TTL_BUFFER_SECONDS} s`,

  verify: ({ agent_name: agent, execution_id: id }) => [
    showRows(agent, [id]),
    askAgent(agent),
    showProcesses(agent),
    showSlots(agent),
  ],
  fix: ({ agent_name: agent, execution_id: id, started_at }) => [
    remark("only where the agent does not work on it any more"),
    failRun(agent, id, started_at),
    ...releaseSlotOfRow(agent, id),
  ],
});
