import type { Fault } from "./fault.ts";

export const leakedSlot: Fault = {
  invariantId: "S-01",
  title: "a slot that no run has",
  provoke: (scene) => scene.addSlot(scene.id(1)),
  async seen(scene) {
    const slots = await scene.slots();
    const runs = await scene.runs();
    return slots.length === 1 && runs.length === 0 ? `${slots.length} slot, ${runs.length} rows` : null;
  },
  expected: (scene) => ({
    redis_slot_count: 1,
    sql_running_count: 0,
    in_redis_only: [scene.id(1)],
    in_sql_only: [],
  }),
  cure: (scene) => scene.removeSlot(scene.id(1)),
};
