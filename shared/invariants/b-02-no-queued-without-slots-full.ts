import type { Unseen } from "../facts/facts.ts";
import { type Finding, invariant } from "./invariant.ts";
import { byAgent, countSubjects, nameSubjects, realSlots, secondsBetween } from "./rules.ts";

interface Observed {
  agentName: string;
  queuedCount: number;
  slotCount: number;
  maxParallelTasks: number;
  freeSlots: number;
  drainTickAt: number | null;
  drainTickAgeSeconds: number | null;
  drainTickGraceSeconds: number;
}

/** The sweep runs this often. */
const GRACE_SECONDS = 60;
/** The sweep takes time itself: until here it may only be late, and a row counts only if it has waited itself. */
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
    const executionsOf = byAgent(executions.live);
    const readAtMs = times.drainTick.fromMs;
    const tickAgeSeconds = atSeconds === null ? null : secondsBetween(atSeconds * 1000, readAtMs);
    const unseen: Unseen[] = [];
    const findings: Finding<Observed>[] = [];
    for (const [agent, { maxParallelTasks }] of roster) {
      if (maxParallelTasks === null || slots.unseenAgents.has(agent) || executions.unseenAgents.has(agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      const queued = (executionsOf.get(agent) ?? []).filter((e) => e.status === "queued");
      const slotCount = realSlots(slots, agent, times.slots).length;
      const freeSlots = maxParallelTasks - slotCount;
      if (queued.length === 0 || freeSlots <= 0) continue;
      if (tickAgeSeconds !== null && tickAgeSeconds <= GRACE_SECONDS) continue;
      if (tickAgeSeconds !== null && tickAgeSeconds <= DEAD_SECONDS) {
        const since = queued.map((e) => ({ id: e.id, ms: e.queuedAtMs ?? e.startedAtMs }));
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
          agentName: agent,
          queuedCount: queued.length,
          slotCount,
          maxParallelTasks,
          freeSlots,
          drainTickAt: atSeconds,
          drainTickAgeSeconds: tickAgeSeconds,
          drainTickGraceSeconds: GRACE_SECONDS,
        },
        signalQuery: `agent ${agent}: queued=${queued.length}, slots=${slotCount}/${maxParallelTasks} (free=${freeSlots}), drain_tick_age=${age}`,
      });
    }
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize(findings) {
    const queued = findings.reduce((n, f) => n + f.observed.queuedCount, 0);
    const age = findings[0]?.observed.drainTickAgeSeconds ?? null;
    const sweep = age === null ? "the drain never ran" : `the last drain was ${age} s ago`;
    return `${queued} queued run(s) wait beside free slots across ${countSubjects(findings)} agent(s), ${sweep}: ${nameSubjects(findings)}`;
  },
  explain: ({ agentName, queuedCount, slotCount, maxParallelTasks, drainTickAgeSeconds }) =>
    `${agentName}: ${queuedCount} queued, ${slotCount} of ${maxParallelTasks} slots taken, last drain ${drainTickAgeSeconds === null ? "never" : `${drainTickAgeSeconds} s ago`}`,
});
