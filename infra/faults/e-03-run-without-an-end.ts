import type { Fault } from "./fault.ts";

export const runWithoutAnEnd: Fault = {
  invariantId: "E-03",
  name: "no completed_at",
  title: "a failed run that does not say when it ended",
  cured: "its completed_at is written",
  provoke: (agent) => agent.addRun(agent.id(1), { status: "failed", endedSecondsAgo: null }),
  async seen(agent) {
    const [run] = await agent.runs();
    return run?.status === "failed" && run.lengthSeconds === null
      ? `a ${run.status} row of ${run.ageSeconds} s, completed_at NULL`
      : null;
  },
  key: (agent) => agent.id(1),
  expected: (agent) => ({ execution_id: agent.id(1), status: "failed", completed_at: null }),
  cure: (agent) => agent.correctEnds(),
};
