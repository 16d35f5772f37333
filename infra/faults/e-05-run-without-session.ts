import { between, type Fault } from "./fault.ts";

const AGE_SECONDS = 180;

export const runWithoutSession: Fault = {
  invariantId: "E-05",
  name: "no session",
  title: "a run of three minutes without a session",
  cured: "the row is failed",
  async provoke(agent) {
    await agent.addRun(agent.id(1), { ageSeconds: AGE_SECONDS, session: null });
    await agent.addSlot(agent.id(1), { ageSeconds: AGE_SECONDS });
  },
  async seen(agent) {
    const [run] = await agent.runs();
    return run?.status === "running" && run.ageSeconds >= AGE_SECONDS && run.session === null
      ? `a running row of ${run.ageSeconds} s, claude_session_id NULL`
      : null;
  },
  key: (agent) => agent.id(1),
  expected: (agent) => ({
    execution_id: agent.id(1),
    age_seconds: between(AGE_SECONDS, AGE_SECONDS + 600),
    grace_seconds: 60,
  }),
  cure: (agent) => agent.settle(),
};
