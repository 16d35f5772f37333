/** What the faults of queued runs with a wrong backlog_metadata share. */
import type { Fault } from "./fault.ts";
import type { TestAgent } from "./test-agent.ts";

export const queuedId = ({ id, limits }: TestAgent) => id(limits.maxParallelTasks + 1);

/** The common part of these faults. No slot is free, so that no drain takes the row from the queue. */
export const withBacklog = (
  holds: "nothing" | "a credential",
): Pick<Fault, "cured" | "prepare" | "provoke" | "seen" | "key" | "cure"> => ({
  cured: "the row is failed",
  async prepare(agent) {
    for (let n = 1; n <= agent.limits.maxParallelTasks; n += 1) {
      await agent.addRun(agent.id(n));
      await agent.addSlot(agent.id(n));
    }
  },
  provoke: (agent) => agent.addRun(queuedId(agent), { status: "queued", session: null, backlog: holds }),
  async seen(agent) {
    const count = await agent.backlogs(holds);
    return count === 1 ? `${count} queued row whose backlog_metadata holds ${holds}` : null;
  },
  key: queuedId,
  cure: (agent) => agent.settle(),
});
