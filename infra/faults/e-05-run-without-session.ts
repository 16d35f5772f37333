import { between, type Fault } from "./fault.ts";

const AGE_SECONDS = 180;

export const runWithoutSession: Fault = {
  invariantId: "E-05",
  title: "a run of three minutes without a session",
  async provoke(scene) {
    await scene.addRun({ id: scene.id(1), ageSeconds: AGE_SECONDS, session: null });
    await scene.addSlot(scene.id(1), { ageSeconds: AGE_SECONDS });
  },
  async seen(scene) {
    const [run] = await scene.runs();
    return run?.status === "running" && run.ageSeconds >= AGE_SECONDS && run.session === null
      ? `a running row of ${run.ageSeconds} s, claude_session_id NULL`
      : null;
  },
  expected: ({ id }) => ({
    execution_id: id(1),
    age_seconds: between(AGE_SECONDS, AGE_SECONDS + 600),
    grace_seconds: 60,
  }),
  async cure(scene) {
    await scene.changeRun(scene.id(1), "status = 'failed', completed_at = started_at");
    await scene.removeSlot(scene.id(1));
  },
};
