import { queuedId, withBacklog } from "./backlog.ts";
import type { Fault } from "./fault.ts";

export const queuedWithoutTask: Fault = {
  ...withBacklog("nothing"),
  invariantId: "E-04",
  name: "queued without a task",
  title: "a queued run without backlog_metadata",
  expected: (agent) => ({ execution_id: queuedId(agent), reason: "backlog_metadata_null" }),
};
