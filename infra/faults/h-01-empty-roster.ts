import type { Fault } from "./fault.ts";
import { canaryReads, isPointedTo, readsElsewhere } from "./other-place.ts";

export const emptyRoster: Fault = {
  invariantId: "H-01",
  name: "no roster",
  title: "a canary that reads a database without agents, while agents hold slots",
  cured: "it reads the platform's database again",
  isPlatformWide: true,
  isExclusive: true,
  holdSeconds: 60,
  obstacle: canaryReads,
  subject: () => "roster",
  async prepare(agent) {
    await agent.addRun(agent.id(1));
    await agent.addSlot(agent.id(1));
  },
  provoke: (agent) => readsElsewhere(agent, "database without agents"),
  seen: async (agent) =>
    isPointedTo(agent, "database without agents") && (await agent.slots()).length > 0
      ? "no agent on the roster that the canary reads, 1 slot"
      : null,
  key: () => "roster",
  expected: () => ({ known_agent_count: 0 }),
  async cure(agent) {
    await readsElsewhere(agent, null);
    await agent.settle();
  },
};
