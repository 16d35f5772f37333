import { type Finding, invariant } from "./invariant.ts";
import {
  countSubjects,
  hasUnseenSlots,
  nameSubjects,
  realSlots,
  unreadSlotCount,
  unreadSlotKeys,
  unreadSlotsShown,
} from "./rules.ts";

interface Observed {
  agent_name: string;
  slot_count: number;
  max_parallel_tasks: number;
  overbooked_by: number;
  slot_ids: string[];
  /** Slots that are counted, and whose ids could not be read. */
  unread_slot_count?: number;
}

export const noOverbooking = invariant({
  id: "S-02",
  title: "Slot overbooking",
  tier: "A",
  severity: "critical",
  guards:
    "An agent with more slots than its cap runs more tasks than it was sized for: capacity was bypassed.",
  runbook:
    "Compare slot_ids with the agent's running rows: release slots whose execution has ended; if all are alive, find the start that did not go through acquire.",
  reads: ["roster", "slots"],
  confirm: true,

  check({ roster, slots }, { times }) {
    const unseen = unreadSlotKeys(slots);
    const findings: Finding<Observed>[] = [];
    for (const [agent, { maxParallelTasks }] of roster) {
      if (maxParallelTasks === null || hasUnseenSlots(slots, agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      const slotIds = realSlots(slots, agent, times.slots)
        .map((slot) => slot.id)
        .sort();
      const unread = unreadSlotCount(slots, agent);
      const slotCount = slotIds.length + unread;
      if (slotCount <= maxParallelTasks) continue;
      findings.push({
        subject: agent,
        keys: [agent],
        observed: {
          agent_name: agent,
          slot_count: slotCount,
          max_parallel_tasks: maxParallelTasks,
          overbooked_by: slotCount - maxParallelTasks,
          slot_ids: slotIds,
          ...unreadSlotsShown(unread),
        },
        signalQuery: `ZCARD(agent:slots:${agent}) - drain sentinels = ${slotCount} > max_parallel_tasks = ${maxParallelTasks}`,
      });
    }
    return { subjects: roster.keys(), unseen, findings };
  },

  summarize(findings) {
    const slots = findings.reduce((n, f) => n + f.observed.overbooked_by, 0);
    return `${slots} slot(s) above the cap across ${countSubjects(findings)} agent(s): ${nameSubjects(findings)}`;
  },
  explain: ({ agent_name, slot_count, max_parallel_tasks, slot_ids }) =>
    `${agent_name}: ${slot_count} slots for a cap of ${max_parallel_tasks}: ${slot_ids.join(", ")}`,
});
