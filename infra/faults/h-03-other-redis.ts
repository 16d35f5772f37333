import { between, type Fault } from "./fault.ts";
import { canaryReads, isPointedTo, readsElsewhere } from "./other-place.ts";

export const otherRedis: Fault = {
  invariantId: "H-03",
  name: "other Redis",
  title: "a canary that reads a Redis without any key of the platform",
  cured: "it reads the platform's Redis again",
  isPlatformWide: true,
  isExclusive: true,
  obstacle: canaryReads,
  subject: () => "redis",
  async prepare(agent) {
    const { twin } = agent;
    await twin.enlist();
    for (const one of [agent, twin]) {
      await one.addRun(one.id(1));
      await one.addSlot(one.id(1));
    }
  },
  provoke: (agent) => readsElsewhere(agent, "empty Redis"),
  async seen(agent) {
    const running = (await agent.runs()).length + (await agent.twin.runs()).length;
    return isPointedTo(agent, "empty Redis") && running === 2
      ? `${running} running rows of 2 agents, and a Redis without a key`
      : null;
  },
  key: () => "redis",
  expected: () => ({ running_row_count: between(2, 1_000), agent_count: between(2, 1_000) }),
  async cure(agent) {
    const { twin } = agent;
    await readsElsewhere(agent, null);
    for (const one of [agent, twin]) await one.settle();
    await twin.unlist();
  },
};
