import { queuedId, withBacklog } from "./backlog.ts";
import type { Fault } from "./fault.ts";

export const credentialInQueue: Fault = {
  ...withBacklog("a credential"),
  invariantId: "G-04",
  name: "queued credential",
  title: "a queued run whose backlog_metadata holds a token",
  expected: (agent) => ({ execution_id: queuedId(agent), matched_pattern: "ghp" }),
};
