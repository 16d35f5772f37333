import { timestamp } from "../platform/clock.ts";
import type { Fault } from "./fault.ts";

export const runComesBack: Fault = {
  invariantId: "E-02",
  title: "a finished run that runs again",
  async prepare(scene) {
    await scene.addRun({ id: scene.id(1), status: "success" });
    const [run] = await scene.runs();
    if (run?.status !== "success") throw new Error("the run that is to come back has not ended");
  },
  async provoke(scene) {
    const startedAt = timestamp(Date.now());
    await scene.changeRun(scene.id(1), "status = 'running', started_at = ?, completed_at = NULL", [
      startedAt,
    ]);
    await scene.addSlot(scene.id(1), { ageSeconds: 0 });
  },
  async seen(scene) {
    const [run] = await scene.runs();
    return run?.status === "running" ? `a row that was success, and is ${run.status} now` : null;
  },
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
