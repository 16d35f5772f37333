/** Agents that `npm start` runs beside the fleet, so that every check has something to look at in every cycle. */
import type { AgentSpec } from "../platform/agents.ts";
import type { Platform } from "../platform/platform.ts";

/** How many rows of one agent may wait: ruby's queue is neither empty nor long. */
export const MAX_QUEUED = 3;

/** All times are the platform's own. */
const RUBY = {
  name: "ruby",
  maxParallelTasks: 2,
  executionTimeoutSeconds: 3600,
  schedule: { cron: "* * * * *", message: "review what is new" },
  // A little longer than two free slots can keep up with: runs wait.
  task: { runMs: 125_000 },
} as const satisfies AgentSpec;
const NINA: AgentSpec = {
  name: "nina",
  maxParallelTasks: 2,
  executionTimeoutSeconds: 3600,
  schedule: { cron: "* * * * *", message: "answer what came in" },
  task: { runMs: 90_000 },
  isPull: true,
};

/**
 * The agents: ruby has a queue, nina's runs are claimed by pull workers.
 * @param hasContainers whether agents have containers; without one, nobody can tell whether an idle agent's workers are alive
 */
export const seeded = (hasContainers: boolean): readonly AgentSpec[] =>
  hasContainers ? [RUBY, NINA] : [RUBY];

/** Gives ruby's queue its first rows. */
export async function fillQueue(platform: Platform): Promise<void> {
  for (let n = 0; n < RUBY.maxParallelTasks + MAX_QUEUED - 1; n += 1)
    await platform.submit({ agent: RUBY.name, task: RUBY.task });
}
