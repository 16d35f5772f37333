import type { Unseen } from "../facts/coverage.ts";
import { type Finding, invariant } from "./invariant.ts";
import {
  byAgent,
  countSubjects,
  hasUnseenSlots,
  nameSubjects,
  realSlots,
  secondsBetween,
  UNREADABLE_ID,
  unreadSlotCount,
  wholeOrText,
} from "./rules.ts";

interface Observed {
  agent_name: string;
  queued_count: number;
  slot_count: number;
  max_parallel_tasks: number;
  free_slots: number;
  drain_tick_at: number | string | null;
  drain_tick_age_seconds: number | string | null;
  drain_tick_grace_seconds: number;
}

/** The sweep runs this often. */
const GRACE_SECONDS = 60;
/** It begins up to 15 s later, and takes time itself: before this it is late at most. */
const LATE_SECONDS = 90;
/** Until here it may only be late, and a row counts only if it has waited itself. */
const DEAD_SECONDS = 120;

export const noQueuedWithoutSlotsFull = invariant({
  id: "B-02",
  title: "No queued without slots full",
  tier: "B",
  severity: "critical",
  guards: "Work waits while there is room for it and nobody drains the queue: the queue has stopped.",
  runbook:
    "Look at the capacity manager's maintenance loop (canary:drain_tick_at is written at the end of each good sweep): restart it if it hangs, fix the error that ends its sweeps if it doesn't.",
  reads: ["roster", "executions", "slots", "drainTick"],
  confirm: true,

  check({ roster, executions, slots, drainTick: { atSeconds } }, { times }) {
    // A row that can't be named waits like any other.
    const rowsOf = byAgent([...executions.live, ...executions.unreadable]);
    const readAtMs = times.drainTick.fromMs;
    const tickAgeSeconds = atSeconds === null ? null : secondsBetween(atSeconds * 1000, readAtMs);
    const unseen: Unseen[] = [];
    const findings: Finding<Observed>[] = [];
    for (const [agent, { maxParallelTasks }] of roster) {
      if (maxParallelTasks === null || hasUnseenSlots(slots, agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      const queued = (rowsOf.get(agent) ?? []).filter((e) => e.status === "queued");
      const slotCount = realSlots(slots, agent, times.slots).length + unreadSlotCount(slots, agent);
      const freeSlots = maxParallelTasks - slotCount;
      if (queued.length === 0 || freeSlots <= 0) continue;
      if (tickAgeSeconds !== null && tickAgeSeconds < LATE_SECONDS) continue;
      if (tickAgeSeconds !== null && tickAgeSeconds <= DEAD_SECONDS) {
        const since = queued.map((e) => ({ id: e.id ?? UNREADABLE_ID, ms: e.queuedAtMs ?? e.startedAtMs }));
        if (!since.some(({ ms }) => ms !== null && secondsBetween(ms, readAtMs) > GRACE_SECONDS)) {
          for (const { id, ms } of since) if (ms === null) unseen.push({ subject: agent, key: id });
          continue;
        }
      }
      const age = tickAgeSeconds === null ? "never" : `${tickAgeSeconds}s > ${GRACE_SECONDS}s`;
      findings.push({
        subject: agent,
        keys: [agent],
        observed: {
          agent_name: agent,
          queued_count: queued.length,
          slot_count: slotCount,
          max_parallel_tasks: maxParallelTasks,
          free_slots: freeSlots,
          drain_tick_at: atSeconds === null ? null : wholeOrText(atSeconds),
          drain_tick_age_seconds: tickAgeSeconds === null ? null : wholeOrText(tickAgeSeconds),
          drain_tick_grace_seconds: GRACE_SECONDS,
        },
        signalQuery: `agent ${agent}: queued=${queued.length}, slots=${slotCount}/${maxParallelTasks} (free=${freeSlots}), drain_tick_age=${age}`,
      });
    }
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize(findings) {
    const queued = findings.reduce((n, f) => n + f.observed.queued_count, 0);
    const age = findings[0]?.observed.drain_tick_age_seconds ?? null;
    const sweep = age === null ? "the drain never ran" : `the last drain was ${age} s ago`;
    return `${queued} queued run(s) wait beside free slots across ${countSubjects(findings)} agent(s), ${sweep}: ${nameSubjects(findings)}`;
  },
  explain: ({ agent_name, queued_count, slot_count, max_parallel_tasks, drain_tick_age_seconds }) =>
    `${agent_name}: ${queued_count} queued, ${slot_count} of ${max_parallel_tasks} slots taken, last drain ${drain_tick_age_seconds === null ? "never" : `${drain_tick_age_seconds} s ago`}`,
});
