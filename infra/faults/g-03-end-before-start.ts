import type { Fault } from "./fault.ts";

const AGE_SECONDS = 10;
const SKEW_SECONDS = 20;

export const endBeforeStart: Fault = {
  invariantId: "G-03",
  name: "end before start",
  title: `a run that ended ${SKEW_SECONDS} s before it started`,
  cured: "its completed_at is written again",
  provoke: (agent) =>
    agent.addRun(agent.id(1), {
      status: "success",
      ageSeconds: AGE_SECONDS,
      endedSecondsAgo: AGE_SECONDS + SKEW_SECONDS,
    }),
  async seen(agent) {
    const [run] = await agent.runs();
    return run?.lengthSeconds === -SKEW_SECONDS ? `a row that took ${run.lengthSeconds} s` : null;
  },
  key: (agent) => agent.id(1),
  expected: (agent) => ({ execution_id: agent.id(1), status: "success", skew_seconds: SKEW_SECONDS }),
  cure: (agent) => agent.correctEnds(),
};
