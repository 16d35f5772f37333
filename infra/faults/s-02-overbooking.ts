import { MAX_PARALLEL_TASKS } from "../drill/scene.ts";
import type { Fault } from "./fault.ts";

const RUNS = [1, 2, 3];

export const overbooking: Fault = {
  invariantId: "S-02",
  title: "three runs with slots where two may run",
  async provoke(scene) {
    for (const n of RUNS) {
      await scene.addRun({ id: scene.id(n) });
      await scene.addSlot(scene.id(n));
    }
  },
  async seen(scene) {
    const { length } = await scene.slots();
    return length > MAX_PARALLEL_TASKS ? `${length} slots, max_parallel_tasks ${MAX_PARALLEL_TASKS}` : null;
  },
  expected: (scene) => ({
    slot_count: 3,
    max_parallel_tasks: MAX_PARALLEL_TASKS,
    overbooked_by: 1,
    slot_ids: RUNS.map(scene.id),
  }),
  async cure(scene) {
    for (const n of RUNS) {
      await scene.removeRun(scene.id(n));
      await scene.removeSlot(scene.id(n));
    }
  },
};
