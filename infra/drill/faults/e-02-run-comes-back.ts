import { timestamp } from "../../local/platform/clock.ts";
import type { Fault } from "../fault.ts";

export const runComesBack: Fault = {
  invariantId: "E-02",
  title: "a finished run that runs again",
  prepare: (scene) => scene.addRun({ id: scene.id(1), status: "success" }),
  async provoke(scene) {
    const startedAt = timestamp(Date.now());
    await scene.changeRun(scene.id(1), "status = 'running', started_at = ?, completed_at = NULL", [
      startedAt,
    ]);
    await scene.addSlot(scene.id(1), { ageSeconds: 0 });
  },
  seen: async (scene) => ((await scene.count("running")) === 1 ? "success, and running now" : null),
  expected: ({ id }) => ({
    execution_id: id(1),
    previous_status: "success",
    current_status: "running",
  }),
  async cure(scene) {
    await scene.changeRun(scene.id(1), "status = 'success', completed_at = ?", [timestamp(Date.now())]);
    await scene.removeSlot(scene.id(1));
  },
};
