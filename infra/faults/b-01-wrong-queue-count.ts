import { present } from "../drill/scene.ts";
import type { Fault } from "./fault.ts";

const RUNNING = [1, 2];
const QUEUED = 3;

export const wrongQueueCount: Fault = {
  invariantId: "B-01",
  title: "a queue accessor that says one less",
  obstacle: async ({ ground: { levers } }) =>
    "absent" in levers ? `the accessor is the platform's own code: ${levers.absent}` : null,
  // No free slot, so that nothing takes the row from the queue meanwhile.
  async prepare(scene) {
    for (const n of RUNNING) {
      await scene.addRun({ id: scene.id(n) });
      await scene.addSlot(scene.id(n));
    }
    await scene.addRun({ id: scene.id(QUEUED), status: "queued", session: null });
  },
  async provoke({ ground, agent }) {
    present(ground.levers).cachedCounts.set(agent, 0);
  },
  async seen(scene) {
    const said = await present(scene.ground.levers).countOf(scene.agent);
    const queued = (await scene.runs()).filter(({ status }) => status === "queued").length;
    return said === queued - 1 ? `${queued} queued row, the accessor says ${said}` : null;
  },
  expected: ({ id }) => ({ service_count: 0, snapshot_count: 1, snapshot_queued_ids: [id(QUEUED)] }),
  async cure({ ground, agent }) {
    present(ground.levers).cachedCounts.delete(agent);
  },
};
