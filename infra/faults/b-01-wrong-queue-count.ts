import type { Fault } from "./fault.ts";
import { present } from "./target.ts";

export const wrongQueueCount: Fault = {
  invariantId: "B-01",
  name: "wrong accessor",
  title: "a queue accessor that says one less",
  cured: "it says what the database says",
  obstacle: ({ controls }) =>
    "absent" in controls ? `the accessor is the platform's own code: ${controls.absent}` : null,
  // No slot is free, so that no drain takes the row from the queue.
  async prepare(agent) {
    const { maxParallelTasks } = agent.limits;
    for (let n = 1; n <= maxParallelTasks; n += 1) {
      await agent.addRun(agent.id(n));
      await agent.addSlot(agent.id(n));
    }
    await agent.addRun(agent.id(maxParallelTasks + 1), { status: "queued", session: null });
  },
  provoke: (agent) => agent.setCachedCount(0),
  async seen(agent) {
    const said = await present(agent.target.controls).countOf(agent.name);
    const queued = (await agent.runs()).filter(({ status }) => status === "queued").length;
    return queued === 1 && said === 0 ? `${queued} queued row, the accessor says ${said}` : null;
  },
  expected: ({ id, limits }) => ({
    service_count: 0,
    snapshot_count: 1,
    snapshot_queued_ids: [id(limits.maxParallelTasks + 1)],
  }),
  async cure(agent) {
    await agent.setCachedCount(null);
    await agent.settle();
  },
};
