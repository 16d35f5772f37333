import { between, type Fault } from "./fault.ts";
import { canaryReads, isPointedTo, readsElsewhere } from "./other-place.ts";
import { present } from "./target.ts";
import type { TestAgent } from "./test-agent.ts";

/** Gives the runs that begin once the database was left behind. */
const laterIds = ({ id }: TestAgent): string[] => [id(101), id(102)];

export const leftBehindDatabase: Fault = {
  invariantId: "H-02",
  name: "old database",
  title: "a canary that reads a copy of the database from a day ago, with all that ran and waited then",
  cured: "it reads the platform's database again",
  isPlatformWide: true,
  isExclusive: true,
  obstacle: canaryReads,
  subject: () => "database",
  // What a copy freezes: runs with slots, and a queue behind them.
  async prepare(agent) {
    const { twin, limits } = agent;
    await twin.enlist();
    for (let n = 1; n <= limits.maxParallelTasks; n += 1) {
      await agent.addRun(agent.id(n));
      await agent.addSlot(agent.id(n));
    }
    await agent.addRun(agent.id(limits.maxParallelTasks + 1), { status: "queued", session: null });
  },
  /** The platform goes on after the copy: what ran and waited ends, and other runs begin. */
  async provoke(agent) {
    await present(agent.target.controls).leaveDatabaseBehind();
    await agent.settle();
    for (const one of [agent, agent.twin])
      for (const id of laterIds(one)) {
        await one.addRun(id);
        await one.addSlot(id);
      }
    await readsElsewhere(agent, "database left behind");
  },
  async seen(agent) {
    const held = (await agent.slots()).length + (await agent.twin.slots()).length;
    return isPointedTo(agent, "database left behind") && held === 4
      ? `${held} slots of 2 agents, and a database whose newest row is a day old`
      : null;
  },
  key: () => "database",
  expected: () => ({
    slot_count: between(4, 1_000),
    agent_count: between(2, 1_000),
    behind_seconds: between(80_000, 90_000),
  }),
  async cure(agent) {
    const { twin } = agent;
    await readsElsewhere(agent, null);
    for (const one of [agent, twin]) await one.settle();
    await twin.unlist();
  },
};
