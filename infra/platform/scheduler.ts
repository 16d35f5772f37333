/**
 * The scheduler, a process of its own: it makes the row first, with timestamps that have no `Z`, and then dispatches the
 * run to the backend over HTTP. The backend takes the slot when the dispatch reaches it, seconds later.
 */
import { randomUUID } from "node:crypto";
import type { Background } from "./background.ts";
import type { PlatformContext } from "./context.ts";
import { failUndispatched, insertRow, type NewRow } from "./execution-rows.ts";
import { scheduleIdOf } from "./executor.ts";
import { type Run, takeSlot } from "./run.ts";
import { newTask, type PlatformExecution, type Task } from "./task.ts";

/** The platform fails a row that is not dispatched in that time. */
const DISPATCH_LIMIT_MS = 60_000;
const DISPATCH_MS = { least: 100, median: 4_700, most: 12_000 };
/** Of the logarithm: nine of ten dispatches then take less than 8.9 s. */
const DISPATCH_SPREAD = 0.5;

export interface ScheduledRun {
  readonly agent: string;
  readonly task?: Partial<Task>;
  /** Default: the agent's own schedule. */
  readonly scheduleId?: string;
  /** Left out: the schedule's own run. */
  readonly retry?: NewRow["retry"];
}

export interface Scheduler {
  /**
   * Makes a running row and dispatches it.
   * @returns the execution's id once the row is there, or null where the agent is not on the roster
   */
  run(scheduled: ScheduledRun): Promise<string | null>;
}

/**
 * Draws how long a dispatch takes, as it was measured in bursts: log-normal, cut at both ends.
 * @param random gives numbers from 0 to below 1
 * @returns ms of the platform's own time
 */
export function drawDispatch(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const ms = DISPATCH_MS.median * Math.exp(DISPATCH_SPREAD * normal);
  return Math.min(DISPATCH_MS.most, Math.max(DISPATCH_MS.least, ms));
}

interface Parts {
  readonly background: Background;
  readonly runOf: (execution: PlatformExecution, signal: AbortSignal) => Run;
  /** How long the next dispatch takes, in ms of the platform's own time. */
  readonly dispatchMs: () => number;
}

export function createScheduler(
  context: PlatformContext,
  { background, runOf, dispatchMs }: Parts,
): Scheduler {
  const { clock } = context;

  async function dispatch(execution: PlatformExecution, tookMs: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(Math.min(tookMs, DISPATCH_LIMIT_MS), signal);
    if (tookMs < DISPATCH_LIMIT_MS) await takeSlot(runOf(execution, signal));
    else await failUndispatched(context, execution, DISPATCH_LIMIT_MS);
  }

  return {
    async run({ agent, task = {}, scheduleId = scheduleIdOf(agent), retry }) {
      if (background.stopping.aborted) return null;
      const execution = { id: randomUUID(), agent, task: newTask(task) };
      const row = { scheduleId, triggeredBy: retry ? "retry" : "schedule", by: "scheduler" } as const;
      if (!(await insertRow(context, execution, { ...row, ...(retry && { retry }) }))) return null;
      void background.start(execution.id, agent, (signal) => dispatch(execution, dispatchMs(), signal));
      return execution.id;
    },
  };
}
