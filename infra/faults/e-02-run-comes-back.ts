import type { Fault } from "./fault.ts";

export const runComesBack: Fault = {
  invariantId: "E-02",
  name: "back to life",
  title: "a finished run that runs again",
  cured: "it is finished again",
  isSeenFirst: true,
  async prepare(agent) {
    await agent.addRun(agent.id(1), { status: "success" });
    const [run] = await agent.runs();
    if (run?.status !== "success") throw new Error("the run that is to come back has not ended");
  },
  async provoke(agent) {
    await agent.restartRun(agent.id(1));
    await agent.addSlot(agent.id(1), { ageSeconds: 0 });
  },
  async seen(agent) {
    const [run] = await agent.runs();
    return run?.status === "running" ? `a row that was success, and is ${run.status} now` : null;
  },
  key: (agent) => agent.id(1),
  expected: (agent) => ({
    execution_id: agent.id(1),
    previous_status: "success",
    current_status: "running",
  }),
  cure: (agent) => agent.settle(),
};
