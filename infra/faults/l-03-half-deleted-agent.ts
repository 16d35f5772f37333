import { EXECUTIONS } from "../platform/names.ts";
import type { Fault } from "./fault.ts";

export const halfDeletedAgent: Fault = {
  invariantId: "L-03",
  name: "half-deleted agent",
  title: "an agent deleted from the roster only",
  cured: "it is put back, and its run ends",
  async prepare(agent) {
    await agent.addRun(agent.id(1));
    await agent.addSlot(agent.id(1));
  },
  provoke: (agent) => agent.delist(),
  async seen(agent) {
    const [runs, slots] = [await agent.runs(), await agent.slots()];
    return !(await agent.isListed()) && runs.length > 0 && slots.length > 0
      ? `${runs.length} row and ${slots.length} slot of an agent that is off the roster`
      : null;
  },
  expected: (agent) => ({
    ghost_agent_name: agent.name,
    orphan_count: 1,
    redis_slot_count: 1,
    tables_hit: ["redis:agent:slots", EXECUTIONS],
  }),
  async cure(agent) {
    if (!(await agent.isListed())) await agent.enlist();
    await agent.settle();
  },
};
