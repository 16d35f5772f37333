import { present } from "../drill/scene.ts";
import type { Fault } from "./fault.ts";

export const halfDeletedAgent: Fault = {
  invariantId: "L-03",
  title: "an agent deleted from the roster only",
  async prepare(scene) {
    await scene.addRun({ id: scene.id(1) });
    await scene.addSlot(scene.id(1));
  },
  provoke: (scene) => scene.delist(),
  async seen(scene) {
    const { ground, agent } = scene;
    const sql = "SELECT 1 FROM agent_ownership WHERE agent_name = ?";
    const listed = await present(ground.database).read(sql, [agent]);
    const [runs, slots] = [await scene.runs(), await scene.slots()];
    return listed.length === 0 && runs.length > 0 && slots.length > 0
      ? `${runs.length} row and ${slots.length} slot of an agent that is off the roster`
      : null;
  },
  expected: (scene) => ({
    ghost_agent_name: scene.agent,
    orphan_count: 1,
    redis_slot_count: 1,
    tables_hit: ["redis:agent:slots", "schedule_executions"],
  }),
  // What the deletion left undone.
  async cure(scene) {
    await scene.removeRun(scene.id(1));
    await scene.removeSlot(scene.id(1));
  },
};
