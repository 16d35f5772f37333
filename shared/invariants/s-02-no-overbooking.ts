import type { Unseen } from "../facts/coverage.ts";
import { type Finding, invariant } from "./invariant.ts";
import { countSubjects, nameSubjects, realSlots } from "./rules.ts";

interface Observed {
  agent_name: string;
  slot_count: number;
  max_parallel_tasks: number;
  overbooked_by: number;
  slot_ids: string[];
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
    const unseen: Unseen[] = [];
    const findings: Finding<Observed>[] = [];
    for (const [agent, { maxParallelTasks }] of roster) {
      if (maxParallelTasks === null || slots.unseenAgents.has(agent)) {
        unseen.push({ subject: agent });
        continue;
      }
      const slotIds = realSlots(slots, agent, times.slots)
        .map((slot) => slot.id)
        .sort();
      if (slotIds.length <= maxParallelTasks) continue;
      findings.push({
        subject: agent,
        keys: [agent],
        observed: {
          agent_name: agent,
          slot_count: slotIds.length,
          max_parallel_tasks: maxParallelTasks,
          overbooked_by: slotIds.length - maxParallelTasks,
          slot_ids: slotIds,
        },
        signalQuery: `ZCARD(agent:slots:${agent}) - drain sentinels = ${slotIds.length} > max_parallel_tasks = ${maxParallelTasks}`,
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
