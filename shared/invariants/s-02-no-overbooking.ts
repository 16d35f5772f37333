import { plural } from "../text.ts";
import { choice, remark } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { askAgent, firstIds, releaseSlot, showLiveRows, showRows, showSlots } from "./platform-commands.ts";
import {
  hasUnseenSlots,
  nameAgents,
  namesOf,
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
  impact:
    "The agent runs more tasks at once than it was sized for, which can exhaust its memory and its subscription, or leaked slots block it: get up if it is over its cap by several.",
  runbook:
    "Compare the agent's slots with its running rows, and give back those whose run has ended. If all are alive, let them end, and find the start that did not ask for a slot.",
  safe: "A run that is alive goes on without its slot: the agent stays over its cap until it ends, and may start one run more.",
  example: {
    agent_name: "<agent>",
    slot_count: 3,
    max_parallel_tasks: 2,
    overbooked_by: 1,
    slot_ids: ["<execution>"],
  },
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
    return { subjects: namesOf(roster), unseen, findings };
  },

  summarize(findings) {
    const slots = findings.reduce((n, f) => n + f.observed.overbooked_by, 0);
    return `${plural(slots, "slot")} above the cap across ${nameAgents(findings)}`;
  },
  size: ({ overbooked_by }) => overbooked_by,

  explain: ({ agent_name, slot_count, max_parallel_tasks, slot_ids }) =>
    `${agent_name}: ${plural(slot_count, "slot")} for a cap of ${max_parallel_tasks}: ${slot_ids.join(", ")}`,

  verify: ({ agent_name: agent, slot_ids }) => [
    showSlots(agent),
    showRows(agent, firstIds(slot_ids)),
    showLiveRows(agent),
    askAgent(agent),
  ],
  fix: ({ agent_name: agent, slot_ids }) => [
    remark("take the mark away before the lines of a run that has ended, and of no other"),
    remark("a chat turn that is alive has a slot under an id that no row has"),
    ...firstIds(slot_ids).flatMap((id) => releaseSlot(agent, id).map(choice)),
  ],
});
