import type { Fault } from "./fault.ts";
import type { TestAgent } from "./test-agent.ts";

/** One run more than the limit. */
const idsOf = ({ id, limits }: TestAgent) =>
  Array.from({ length: limits.maxParallelTasks + 1 }, (_, i) => id(i + 1));

export const overbooking: Fault = {
  invariantId: "S-02",
  name: "overbooking",
  title: "three runs with slots where two may run",
  cured: "they end",
  async provoke(agent) {
    for (const id of idsOf(agent)) {
      await agent.addRun(id);
      await agent.addSlot(id);
    }
  },
  async seen(agent) {
    const { length } = await agent.slots();
    const { maxParallelTasks } = agent.limits;
    return length > maxParallelTasks ? `${length} slots, max_parallel_tasks ${maxParallelTasks}` : null;
  },
  expected: (agent) => ({
    slot_count: agent.limits.maxParallelTasks + 1,
    max_parallel_tasks: agent.limits.maxParallelTasks,
    overbooked_by: 1,
    slot_ids: idsOf(agent),
  }),
  cure: (agent) => agent.settle(),
};
