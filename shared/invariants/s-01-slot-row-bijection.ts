import type { Unseen } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { byAgent, countSubjects, isInFlight, nameSubjects, realSlots } from "./rules.ts";

interface Observed {
  agentName: string;
  redisSlotCount: number;
  sqlRunningCount: number;
  inRedisOnly: string[];
  inSqlOnly: string[];
}

const redisKey = (id: string) => `redis:${id}`;
const sqlKey = (id: string) => `sql:${id}`;

export const slotRowBijection = invariant({
  id: "S-01",
  title: "Slot–row bijection",
  tier: "A",
  severity: "critical",
  guards:
    "A slot without a running row is capacity lost for good; a running row without a slot runs outside the cap.",
  runbook:
    "in_redis_only: the execution has ended, release its slot (ZREM, DEL the hash) and look for the release that failed. in_sql_only: see whether the run is alive; if not, fail the row.",
  reads: ["roster", "slots", "executions"],
  confirm: true,

  check({ roster, slots, executions }, { times }) {
    const executionsOf = byAgent(executions.live);
    const unseen: Unseen[] = [];
    const findings: Finding<Observed>[] = [];
    for (const agent of roster.keys()) {
      if (slots.unseenAgents.has(agent) || executions.unseenAgents.has(agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      const held = realSlots(slots, agent, times.slots);
      // A row claimed by a pull worker holds no slot.
      const running = (executionsOf.get(agent) ?? []).filter(
        (e) => e.status === "running" && e.lease === null,
      );
      const heldIds = new Set(held.map((slot) => slot.id));
      const runningIds = new Set(running.map((e) => e.id));
      const inRedisOnly = held
        .filter((slot) => !executions.unseenIds.has(slot.id))
        .filter((slot) => !runningIds.has(slot.id) && !isInFlight(slot.score * 1000, times.slots))
        .map((slot) => slot.id)
        .sort();
      const inSqlOnly = running
        .filter(
          (e) =>
            !heldIds.has(e.id) && (e.startedAtMs === null || !isInFlight(e.startedAtMs, times.executions)),
        )
        .map((e) => e.id)
        .sort();
      if (inRedisOnly.length + inSqlOnly.length === 0) continue;
      findings.push({
        subject: agent,
        keys: [...inRedisOnly.map(redisKey), ...inSqlOnly.map(sqlKey)],
        observed: {
          agentName: agent,
          redisSlotCount: held.length,
          sqlRunningCount: running.length,
          inRedisOnly,
          inSqlOnly,
        },
        signalQuery: `set(ZRANGE agent:slots:${agent}) - drain sentinels vs set(SELECT id FROM schedule_executions WHERE agent_name = '${agent}' AND status = 'running')`,
      });
    }
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize(findings) {
    const leaked = findings.reduce((n, f) => n + f.observed.inRedisOnly.length, 0);
    const unslotted = findings.reduce((n, f) => n + f.observed.inSqlOnly.length, 0);
    return `${leaked} slot(s) without a running row and ${unslotted} running row(s) without a slot across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`;
  },
  explain: ({ agentName, redisSlotCount, sqlRunningCount, inRedisOnly, inSqlOnly }) =>
    `${agentName}: ${redisSlotCount} slot(s), ${sqlRunningCount} running row(s); in Redis only: ${inRedisOnly.join(", ") || "none"}; in SQL only: ${inSqlOnly.join(", ") || "none"}`,

  narrow: (finding, keep) => ({
    ...finding,
    keys: finding.keys.filter((key) => keep.has(key)),
    observed: {
      ...finding.observed,
      inRedisOnly: finding.observed.inRedisOnly.filter((id) => keep.has(redisKey(id))),
      inSqlOnly: finding.observed.inSqlOnly.filter((id) => keep.has(sqlKey(id))),
    },
  }),
});
