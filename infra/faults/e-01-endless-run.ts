import { TIMEOUT_SECONDS } from "../drill/scene.ts";
import { between, type Fault } from "./fault.ts";

const AGE_SECONDS = 2 * 3600;

export const endlessRun: Fault = {
  invariantId: "E-01",
  title: "a run of two hours where a minute is allowed",
  async provoke(scene) {
    await scene.addRun({ id: scene.id(1), ageSeconds: AGE_SECONDS });
    await scene.addSlot(scene.id(1));
  },
  async seen(scene) {
    const [run] = await scene.runs();
    return run?.status === "running" && run.ageSeconds >= AGE_SECONDS
      ? `a running row of ${run.ageSeconds} s, timeout ${TIMEOUT_SECONDS} s`
      : null;
  },
  expected: ({ id }) => ({
    execution_id: id(1),
    age_seconds: between(AGE_SECONDS, AGE_SECONDS + 600),
    execution_timeout_seconds: TIMEOUT_SECONDS,
    slot_ttl_buffer_seconds: 300,
    timeout_source: "agent",
  }),
  async cure(scene) {
    await scene.changeRun(scene.id(1), "status = 'failed', completed_at = started_at");
    await scene.removeSlot(scene.id(1));
  },
};
