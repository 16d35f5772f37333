/** The fleet of infra/fleet as agents of the simulated platform. */
import { loadFleet } from "../fleet/fleet.ts";
import type { AgentSpec } from "./agents.ts";
import { DEFAULT_MAX_PARALLEL_TASKS, ROSTER_TIMEOUT_SECONDS } from "./names.ts";
import type { Task } from "./task.ts";

/** The task of a run of each template, in the platform's own time. */
const RUNS: Readonly<Record<string, Partial<Task>>> = {
  "local:test-echo": { runMs: 5_000 },
  "local:sleep-echo": { runMs: 75_000 },
};

/** Trinity's defaults, for settings that the fleet leaves out. */
const DEFAULTS = {
  maxParallelTasks: DEFAULT_MAX_PARALLEL_TASKS,
  executionTimeoutSeconds: ROSTER_TIMEOUT_SECONDS,
};

/** @throws Error where RUNS has no entry for a template of the fleet */
export const localFleet = (): AgentSpec[] =>
  loadFleet().agents.map(({ name, template, schedule, model, maxParallelTasks, executionTimeoutSeconds }) => {
    const task = RUNS[template];
    if (!task)
      throw new Error(
        `${template} of ${name} is not known to the simulated platform: add it to local-fleet.ts`,
      );
    return {
      name,
      maxParallelTasks: maxParallelTasks ?? DEFAULTS.maxParallelTasks,
      executionTimeoutSeconds: executionTimeoutSeconds ?? DEFAULTS.executionTimeoutSeconds,
      schedule: { cron: schedule.cron, message: schedule.message, model },
      task,
    };
  });
