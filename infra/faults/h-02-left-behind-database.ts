import { between, type Fault } from "./fault.ts";
import { canaryReads, isPointedTo, readsElsewhere } from "./other-place.ts";

export const leftBehindDatabase: Fault = {
  invariantId: "H-02",
  name: "old database",
  title: "a canary that reads a database that the platform no longer writes",
  cured: "it reads the platform's database again",
  isPlatformWide: true,
  isExclusive: true,
  obstacle: canaryReads,
  subject: () => "database",
  async prepare(agent) {
    const { twin } = agent;
    await twin.enlist();
    for (const one of [agent, twin])
      for (const n of [1, 2]) {
        await one.addRun(one.id(n));
        await one.addSlot(one.id(n));
      }
  },
  provoke: (agent) => readsElsewhere(agent, "database left behind"),
  async seen(agent) {
    const held = (await agent.slots()).length + (await agent.twin.slots()).length;
    return isPointedTo(agent, "database left behind") && held === 4
      ? `${held} slots of 2 agents, and a database whose newest row is a day old`
      : null;
  },
  key: () => "database",
  expected: () => ({ slot_count: between(4, 1_000), agent_count: between(2, 1_000) }),
  async cure(agent) {
    const { twin } = agent;
    await readsElsewhere(agent, null);
    for (const one of [agent, twin]) await one.settle();
    await twin.unlist();
  },
};
