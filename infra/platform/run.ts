/** The course of one run, with its writes in the platform's order: the row first, then the slot. */
import type { Capacity } from "./capacity.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { endRow, restartRow, scheduleRetry, writeSession } from "./execution-rows.ts";
import type { PlatformExecution } from "./task.ts";

/** Delays between the writes of a start and of an end, and before a run has its session. */
const ROW_TO_SLOT_MS = 30;
const ROW_TO_RELEASE_MS = 5;
const SLOT_TO_SESSION_MS = 200;

/** The reasons that a run's signal is aborted with. */
export const CANCELLED = new Error("the run was cancelled");
export const STOPPED = new Error("the platform was stopped");

export interface Run {
  readonly context: PlatformContext;
  readonly capacity: Capacity;
  readonly execution: PlatformExecution;
  /** Aborted where the run is cancelled or the platform stops. */
  readonly signal: AbortSignal;
  /** Aborted where the platform stops. */
  readonly stopping: AbortSignal;
}

/** Takes a running row to its slot, or into the backlog. */
export async function startRun(run: Run): Promise<void> {
  const { context, capacity, execution, signal } = run;
  await context.clock.sleep(ROW_TO_SLOT_MS, signal);
  const acquired = await capacity.acquire(execution).catch(async (error) => {
    await endRow(context, execution, "failed", `no slot could be taken: ${messageOf(error)}`);
    throw error;
  });
  if (acquired.kind === "full") await capacity.enqueue(execution);
  else if (acquired.kind === "gone") await endRow(context, execution, "cancelled", "the agent was deleted");
  else await runInSlot(run, acquired.timeoutSeconds);
}

/** Runs an execution that holds a slot, and gives the slot back in every case. */
export async function runInSlot(run: Run, timeoutSeconds: number): Promise<void> {
  const { context, capacity, execution, signal, stopping } = run;
  const { clock } = context;
  const { agent, id, task } = execution;
  const timeoutMs = timeoutSeconds * 1000;
  const isTimedOut = task.runMs > timeoutMs;
  let hasFailed = false;
  try {
    await clock.sleep(SLOT_TO_SESSION_MS, signal);
    if (await writeSession(context, execution)) {
      await clock.sleep(Math.min(task.runMs, timeoutMs), signal);
      const error = isTimedOut ? `timed out after ${timeoutSeconds} s` : "the task failed";
      if (isTimedOut || task.ends === "failed") hasFailed = await endRow(context, execution, "failed", error);
      else await endRow(context, execution, "success");
    }
  } catch (error) {
    if (!signal.aborted) await endRow(context, execution, "failed", messageOf(error)).catch(() => {});
    if (signal.reason !== CANCELLED) throw error;
  } finally {
    if (signal.reason !== STOPPED) {
      // Not under the run's own signal: a cancelled run gives its slot back too.
      await clock.sleep(ROW_TO_RELEASE_MS, stopping);
      await capacity.release(agent, id);
    }
  }
  if (signal.aborted) return;
  if (hasFailed && task.retries > 0) await retry(run);
  else if (isTimedOut && task.ends === "success") {
    await clock.sleep(task.runMs - timeoutMs, signal);
    await endRow(context, execution, "success");
  }
}

async function retry(run: Run): Promise<void> {
  const { context, execution, signal } = run;
  const { task } = execution;
  if (!(await scheduleRetry(context, execution))) return;
  await context.clock.sleep(task.retryAfterMs, signal);
  if (!(await restartRow(context, execution))) return;
  await startRun({ ...run, execution: { ...execution, task: { ...task, retries: task.retries - 1 } } });
}
