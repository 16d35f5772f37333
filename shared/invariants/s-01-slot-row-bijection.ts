import { type Finding, invariant } from "./invariant.ts";
import {
  byAgent,
  countSubjects,
  hasUnseenSlots,
  isInFlight,
  nameSubjects,
  partsOf,
  realSlots,
  unreadSlotCount,
  unreadSlotKeys,
  unreadSlots,
  unreadSlotsShown,
} from "./rules.ts";

interface Observed {
  agent_name: string;
  redis_slot_count: number;
  unread_slot_count?: number;
  sql_running_count: number;
  in_redis_only: string[];
  in_sql_only: string[];
  /** Only where there are some: as many of in_redis_only may be theirs. */
  unreadable_running_rows?: number;
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
    const { unreadable } = executions;
    const idsOfHiddenAgents = new Set(unreadable.map((e) => e.id));
    const hidden = unreadable.filter(
      (e) => e.status === "running" && e.lease === null && (e.agent === null || roster.has(e.agent)),
    );
    const unseen = [...unreadSlotKeys(slots), ...partsOf(hidden, sqlKey)];
    const findings: Finding<Observed>[] = [];
    for (const agent of roster.keys()) {
      if (hasUnseenSlots(slots, agent)) {
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
      const ofHiddenAgents = held.filter((slot) => idsOfHiddenAgents.has(slot.id));
      for (const { id } of ofHiddenAgents) unseen.push({ subject: agent, key: redisKey(id) });
      const inRedisOnly = held
        .filter((slot) => !idsOfHiddenAgents.has(slot.id))
        .filter((slot) => !runningIds.has(slot.id) && !isInFlight(slot.score * 1000, times.slots))
        .map((slot) => slot.id)
        .sort();
      const withoutSlot = running
        .filter(
          (e) =>
            !heldIds.has(e.id) && (e.startedAtMs === null || !isInFlight(e.startedAtMs, times.executions)),
        )
        .map((e) => e.id)
        .sort();
      const unread = unreadSlotCount(slots, agent);
      // An unread member can be the slot of one of these rows, of any, but not of more than one.
      const inSqlOnly = withoutSlot.slice(0, Math.max(0, withoutSlot.length - unread));
      const heldBack = withoutSlot.slice(inSqlOnly.length);
      unseen.push(...unreadSlots(slots, agent, redisKey("(unreadable)")));
      for (const id of heldBack) unseen.push({ subject: agent, key: sqlKey(id) });
      // A row without a readable id may be that of one slot, but not of two.
      const mayBeHere = hidden.filter((e) => e.id === null && (e.agent === agent || e.agent === null));
      const hiddenRows = mayBeHere.length;
      if (hiddenRows > 0) for (const id of inRedisOnly) unseen.push({ subject: agent, key: redisKey(id) });
      if (inRedisOnly.length <= hiddenRows) inRedisOnly.length = 0;
      if (inRedisOnly.length + inSqlOnly.length === 0) continue;
      findings.push({
        subject: agent,
        keys: [...inRedisOnly.map(redisKey), ...inSqlOnly.map(sqlKey)],
        observed: {
          agent_name: agent,
          redis_slot_count: held.length + unread,
          ...unreadSlotsShown(unread),
          sql_running_count: running.length + mayBeHere.filter((e) => e.agent === agent).length,
          in_redis_only: inRedisOnly,
          in_sql_only: inSqlOnly,
          ...(hiddenRows > 0 && { unreadable_running_rows: hiddenRows }),
        },
        signalQuery: `set(ZRANGE agent:slots:${agent}) - drain sentinels vs set(SELECT id FROM schedule_executions WHERE agent_name = '${agent}' AND status = 'running')`,
      });
    }
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize(findings) {
    const leaked = findings.reduce((n, f) => n + f.observed.in_redis_only.length, 0);
    const unslotted = findings.reduce((n, f) => n + f.observed.in_sql_only.length, 0);
    return `${leaked} slot(s) without a running row and ${unslotted} running row(s) without a slot across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`;
  },
  explain: ({ agent_name, redis_slot_count, sql_running_count, in_redis_only, in_sql_only, ...rest }) =>
    `${agent_name}: ${redis_slot_count} slot(s), ${sql_running_count} running row(s); in Redis only: ${in_redis_only.join(", ") || "none"}; in SQL only: ${in_sql_only.join(", ") || "none"}${rest.unreadable_running_rows ? `; ${rest.unreadable_running_rows} running row(s) whose id can't be read` : ""}`,

  narrow(finding, keep) {
    const { observed } = finding;
    const slotIds = observed.in_redis_only.filter((id) => keep.has(redisKey(id)));
    const inRedisOnly = slotIds.length > (observed.unreadable_running_rows ?? 0) ? slotIds : [];
    const inSqlOnly = observed.in_sql_only.filter((id) => keep.has(sqlKey(id)));
    return {
      ...finding,
      keys: [...inRedisOnly.map(redisKey), ...inSqlOnly.map(sqlKey)],
      observed: { ...observed, in_redis_only: inRedisOnly, in_sql_only: inSqlOnly },
    };
  },
});
