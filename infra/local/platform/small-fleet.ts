/** Four agents with a little traffic, some of which queues. */
import type { AgentSpec } from "./agents.ts";

export const SMALL_FLEET: readonly AgentSpec[] = [
  {
    name: "burst",
    maxParallelTasks: 3,
    executionTimeoutSeconds: 3600,
    // Five at once where there is room for three: the rest queues for a while.
    schedule: { cron: "0,2,4,6,8,30,32,34,36,38 * * * * *" },
    task: { runMs: 9_000 },
  },
  {
    name: "slow",
    maxParallelTasks: 1,
    executionTimeoutSeconds: 180,
    schedule: { cron: "*/2 * * * *" },
    task: { runMs: 75_000 },
  },
  {
    name: "cornelius-m",
    maxParallelTasks: 2,
    executionTimeoutSeconds: 900,
    schedule: { cron: "*/10 * * * * *" },
    task: { runMs: 9_000 },
  },
  {
    name: "ruby",
    maxParallelTasks: 2,
    executionTimeoutSeconds: 600,
    schedule: { cron: "7,22,37,52 * * * * *" },
    task: { runMs: 2_000, ends: "failed", retries: 1, retryAfterMs: 6_000 },
  },
];
