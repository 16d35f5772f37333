/** The course of one run that has its row: to its slot or into the backlog, then the work on it. */
import { CANCELLED, STOPPED } from "./background.ts";
import type { Capacity } from "./capacity.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { endRow, markDispatched, restartAge, writeSession } from "./execution-rows.ts";
import { renewSlot } from "./slots.ts";
import type { PlatformExecution } from "./task.ts";

/** Delays between the end of a row and the release of its slot, and before a dispatched run has its session. */
export const ROW_TO_RELEASE_MS = 5;
const DISPATCH_TO_SESSION_MS = 200;
/** While its dispatch is parked, a slot is renewed as often. */
const RENEW_EVERY_MS = 15_000;
/** A dispatch that was parked for at least this long restarts the age of its run. */
const LATE_DISPATCH_MS = 5_000;

export interface Run {
  readonly context: PlatformContext;
  readonly capacity: Capacity;
  readonly execution: PlatformExecution;
  /** Aborted where the run is cancelled or the platform stops. */
  readonly signal: AbortSignal;
  /** Aborted where the platform stops. */
  readonly stopping: AbortSignal;
  /** Called where the run has failed. */
  readonly onFailed: (execution: PlatformExecution) => void;
}

/** Takes a running row to its slot and runs it, or into the backlog. */
export async function takeSlot(run: Run): Promise<void> {
  const { context, capacity, execution } = run;
  // The agent's own workers claim it from there.
  if (context.pullAgents.has(execution.agent)) return capacity.enqueue(execution);
  const acquired = await capacity.acquire(execution).catch(async (error) => {
    await endRow(context, execution, "failed", `no slot could be taken: ${messageOf(error)}`);
    throw error;
  });
  if (acquired.kind === "full") await capacity.enqueue(execution);
  else if (acquired.kind === "gone") await endRow(context, execution, "cancelled", "the agent was deleted");
  else await runInSlot(run, acquired.timeoutSeconds);
}

/** Runs an execution that holds a slot under its own id, and gives the slot back in every case. */
export async function runInSlot(run: Run, timeoutSeconds: number): Promise<void> {
  const { capacity, execution } = run;
  await work(run, timeoutSeconds, () => capacity.release(execution.agent, execution.id));
}

/**
 * Dispatches a running row, works on it until it has ended, and gives back what it holds. Where it has timed out, waits
 * for the agent's late answer.
 * @param giveBack called a moment after the end of the row, in every case but a stop of the platform
 */
export async function work(
  run: Run,
  timeoutSeconds: number,
  giveBack: () => Promise<unknown>,
): Promise<void> {
  const { context, execution, signal, stopping, onFailed } = run;
  const { clock } = context;
  const { task } = execution;
  const timeoutMs = timeoutSeconds * 1000;
  const isTimedOut = task.runMs > timeoutMs;
  let hasFailed = false;
  try {
    if (await dispatch(run, timeoutSeconds)) {
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
      await giveBack();
    }
  }
  if (signal.aborted) return;
  if (hasFailed) onFailed(execution);
  if (isTimedOut && task.ends === "success") {
    await clock.sleep(task.runMs - timeoutMs, signal);
    await endRow(context, execution, "success");
  }
}

/**
 * Hands the run to its agent, which may take a while: until then it is parked. Gives false where the row has ended meanwhile.
 * The slot of a chat turn is not renewed: it has another id than the run.
 */
async function dispatch(run: Run, timeoutSeconds: number): Promise<boolean> {
  const { context, execution, signal } = run;
  const { clock, traits } = context;
  const { parkedMs } = execution.task;
  if (!(await markDispatched(context, execution))) return false;
  for (let leftMs = parkedMs; leftMs > 0; leftMs -= RENEW_EVERY_MS) {
    await clock.sleep(Math.min(leftMs, RENEW_EVERY_MS), signal);
    if (traits.renewsSlots) await renewSlot(context, execution, timeoutSeconds);
  }
  const isLate = traits.renewsSlots && parkedMs >= LATE_DISPATCH_MS;
  if (isLate && !(await restartAge(context, execution))) return false;
  await clock.sleep(DISPATCH_TO_SESSION_MS, signal);
  return writeSession(context, execution);
}
