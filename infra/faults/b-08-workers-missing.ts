import type { Fault } from "./fault.ts";

export const workersMissing: Fault = {
  invariantId: "B-08",
  name: "no workers",
  title: "a pull agent whose container runs without pull workers",
  cured: "the agent is no longer a pull agent",
  obstacle: ({ docker }) => ("absent" in docker ? docker.absent : null),
  prepare: (agent) => agent.startContainer(),
  provoke: (agent) => agent.setPoll(400),
  seen: async (agent) =>
    (await agent.polls()) ? "a key of pull workers, and a container without TRINITY_PULL_MODE" : null,
  expected: () => ({ kind: "workers_missing", container_pull_mode: false }),
  cure: (agent) => agent.setPoll(null),
};
