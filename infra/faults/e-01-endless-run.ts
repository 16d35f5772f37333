import { SLOT_TTL_BUFFER_SECONDS } from "../platform/names.ts";
import { between, type Fault } from "./fault.ts";

/** Longer than the longest timeout of any agent in the soak. */
const AGE_SECONDS = 2 * 3600;

export const endlessRun: Fault = {
  invariantId: "E-01",
  name: "endless run",
  title: "a run of two hours, far beyond its timeout",
  cured: "the row is failed",
  async provoke(agent) {
    await agent.addRun(agent.id(1), { ageSeconds: AGE_SECONDS });
    await agent.addSlot(agent.id(1));
  },
  async seen(agent) {
    const [run] = await agent.runs();
    return run?.status === "running" && run.ageSeconds >= AGE_SECONDS
      ? `a running row of ${run.ageSeconds} s, timeout ${agent.limits.executionTimeoutSeconds} s`
      : null;
  },
  key: (agent) => agent.id(1),
  expected: (agent) => ({
    execution_id: agent.id(1),
    age_seconds: between(AGE_SECONDS, AGE_SECONDS + 600),
    execution_timeout_seconds: agent.limits.executionTimeoutSeconds,
    slot_ttl_buffer_seconds: SLOT_TTL_BUFFER_SECONDS,
    timeout_source: "agent",
  }),
  cure: (agent) => agent.settle(),
};
