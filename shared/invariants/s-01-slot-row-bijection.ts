import type { Execution, ReadingTime, Slot } from "../facts/facts.ts";
import { isChatTurn } from "../facts/runs.ts";
import { plural } from "../text.ts";
import { turnsWithoutSlot, withoutChatTurns } from "./chat-turns.ts";
import { remark } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import {
  askAgent,
  failRow,
  firstIds,
  releaseSlot,
  showLiveRows,
  showRows,
  showSlots,
} from "./platform-commands.ts";
import {
  DISPATCH_SECONDS,
  effectiveCap,
  hasUnseenSlots,
  isInFlight,
  liveByAgent,
  nameAgents,
  namesOf,
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
  /** Slots that were matched with a chat turn by time. */
  paired_chat_turns: number;
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
  impact:
    "The agent can start fewer runs than its cap, and none once all its slots have leaked, or it runs more than its cap: get up if it is at its cap, or if several agents are hit.",
  runbook:
    "A slot without a running row: where its run has ended, give the slot back, and look for the release that failed. A running row without a slot: ask whether the agent still works on it, and fail the row if not.",
  safe: "A run that is alive goes on: without its slot the agent may start one run more than its cap until it ends, and a late success of its own overwrites the failure.",
  example: {
    agent_name: "<agent>",
    redis_slot_count: 1,
    sql_running_count: 1,
    in_redis_only: ["<execution>"],
    in_sql_only: ["<other execution>"],
    paired_chat_turns: 0,
  },
  reads: ["roster", "slots", "executions", "platformSettings"],
  confirm: true,

  check({ roster, slots, executions, platformSettings }, { times }) {
    const executionsOf = liveByAgent(executions);
    const { unreadable } = executions;
    const idsOfHiddenAgents = new Set(unreadable.map((e) => e.id));
    const hidden = unreadable.filter(
      (e) => e.status === "running" && e.lease === null && (e.agent === null || roster.has(e.agent)),
    );
    const unseen = [...unreadSlotKeys(slots), ...partsOf(hidden, sqlKey)];
    const findings: Finding<Observed>[] = [];
    for (const [agent, limits] of roster) {
      if (hasUnseenSlots(slots, agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      const held = realSlots(slots, agent, times.slots);
      // A row claimed by a pull worker holds no slot.
      const running = (executionsOf.get(agent) ?? []).filter(
        (e) => e.status === "running" && e.lease === null,
      );
      const unread = unreadSlotCount(slots, agent);
      const slotCount = held.length + unread;
      const cap = effectiveCap(limits, platformSettings);
      const left = unmatched(held, running, { cap, slotCount, times, idsOfHiddenAgents });
      for (const id of left.hiddenIds) unseen.push({ subject: agent, key: redisKey(id) });
      for (const id of left.doubtfulIds) unseen.push({ subject: agent, key: sqlKey(id) });
      const inRedisOnly = [...left.inRedisOnly];
      // An unread member can be the slot of one of these rows, of any, but not of more than one.
      const inSqlOnly = left.inSqlOnly.slice(0, Math.max(0, left.inSqlOnly.length - unread));
      const heldBack = left.inSqlOnly.slice(inSqlOnly.length);
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
          redis_slot_count: slotCount,
          ...unreadSlotsShown(unread),
          sql_running_count: running.length + mayBeHere.filter((e) => e.agent === agent).length,
          in_redis_only: inRedisOnly,
          in_sql_only: inSqlOnly,
          paired_chat_turns: left.paired,
          ...(hiddenRows > 0 && { unreadable_running_rows: hiddenRows }),
        },
        signalQuery: `set(ZRANGE agent:slots:${agent}) - drain sentinels vs set(SELECT id FROM schedule_executions WHERE agent_name = '${agent.replaceAll("'", "''")}' AND status = 'running')`,
      });
    }
    return { subjects: namesOf(roster), unseen, findings };
  },

  summarize(findings) {
    const leaked = findings.reduce((n, f) => n + f.observed.in_redis_only.length, 0);
    const unslotted = findings.reduce((n, f) => n + f.observed.in_sql_only.length, 0);
    return `${plural(leaked, "slot")} without a running row and ${plural(unslotted, "running row")} without a slot across ${nameAgents(findings)}`;
  },
  explain: ({ agent_name, redis_slot_count, sql_running_count, in_redis_only, in_sql_only, ...rest }) =>
    `${agent_name}: ${plural(redis_slot_count, "slot")}, ${plural(sql_running_count, "running row")}; in Redis only: ${in_redis_only.join(", ") || "none"}; in SQL only: ${in_sql_only.join(", ") || "none"}${rest.unreadable_running_rows ? `; ${plural(rest.unreadable_running_rows, "running row")} whose id can't be read` : ""}`,

  verify: ({ agent_name: agent, in_redis_only, in_sql_only }) => [
    showSlots(agent),
    showRows(agent, [...firstIds(in_redis_only), ...firstIds(in_sql_only)]),
    showLiveRows(agent),
    askAgent(agent),
  ],
  fix: ({ agent_name: agent, in_redis_only, in_sql_only }) => [
    remark("only for a run that has ended, on which the agent does not work any more"),
    ...firstIds(in_redis_only).flatMap((id) => releaseSlot(agent, id)),
    ...firstIds(in_sql_only).map((id) => failRow(agent, id, "running")),
  ],

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

/** What the slots and the rows of one agent are compared by. */
interface Comparison {
  /** Null where it is not known. */
  readonly cap: number | null;
  readonly slotCount: number;
  readonly times: Readonly<Record<"slots" | "executions", ReadingTime>>;
  /** Ids of rows whose agent can't be read: it may be this one. */
  readonly idsOfHiddenAgents: ReadonlySet<string | null>;
}

/** Compares the slots and the running rows of one agent. Lists of ids are sorted. */
function unmatched(
  held: readonly Slot[],
  running: readonly Execution[],
  { cap, slotCount, times, idsOfHiddenAgents }: Comparison,
) {
  const heldIds = new Set(held.map((slot) => slot.id));
  const runningIds = new Set(running.map((e) => e.id));
  const hidden = held.filter((slot) => idsOfHiddenAgents.has(slot.id));
  const { slots, rows, paired } = withoutChatTurns(
    held.filter(({ id }) => !runningIds.has(id) && !idsOfHiddenAgents.has(id)),
    running.filter(({ id }) => !heldIds.has(id)),
  );
  const old = rows.filter((row) => !isStarting(row, times.executions));
  const without = turnsWithoutSlot(old, cap, slotCount);
  const lost = old.filter((row) => !without.has(row));
  // Where the cap can't be read, or nobody counted what ran at its start, a turn may or may not go on without a slot.
  const isDoubtful = (row: Execution) => isChatTurn(row) && (cap === null || row.runsAtStart === Infinity);
  return {
    inRedisOnly: idsOf(slots.filter(({ score }) => !isInFlight(score * 1000, times.slots))),
    inSqlOnly: idsOf(lost),
    hiddenIds: idsOf(hidden),
    doubtfulIds: idsOf([...without].filter(isDoubtful)),
    paired,
  };
}

/** Says whether a row may not have its slot yet: it has just begun, or is being dispatched. */
function isStarting({ startedAtMs, hasSession }: Execution, time: ReadingTime): boolean {
  if (startedAtMs === null) return false;
  const dispatchMs = hasSession ? 0 : DISPATCH_SECONDS * 1000;
  const isDispatched = startedAtMs <= time.fromMs - dispatchMs || startedAtMs >= time.toMs + dispatchMs;
  return isInFlight(startedAtMs, time) || !isDispatched;
}

const idsOf = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id).sort();
