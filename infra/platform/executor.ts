/** Runs executions in the background: takes tasks, goes on with drained ones, and cancels. */
import { randomUUID } from "node:crypto";
import type { Background } from "./background.ts";
import type { Capacity } from "./capacity.ts";
import type { PlatformContext } from "./context.ts";
import { cancelRow, insertRow } from "./execution-rows.ts";
import { type Run, runInSlot, takeSlot } from "./run.ts";
import { newTask, type PlatformExecution, type Task } from "./task.ts";

/** The delay between the row of a task and its slot. */
const ROW_TO_SLOT_MS = 60;

export interface Submission {
  readonly agent: string;
  readonly task?: Partial<Task>;
  /** Default: the agent's own schedule. */
  readonly scheduleId?: string;
  /** What asks for the task over HTTP. */
  readonly triggeredBy?: "manual" | "webhook";
}

export interface Executor {
  /**
   * Takes a task: makes a running row and starts the run, which gets a slot or goes into the backlog.
   * @returns the execution's id once the row is there, or null where the agent is not on the roster
   */
  submit(submission: Submission): Promise<string | null>;
  /** Makes what the course of a run needs. */
  runOf(execution: PlatformExecution, signal: AbortSignal): Run;
  /** Goes on with an execution that a drain has claimed. */
  resume(execution: PlatformExecution, timeoutSeconds: number): void;
  /** Cancels a live execution. Gives false where it had ended already. */
  cancel(executionId: string): Promise<boolean>;
}

/** The id of the schedule that every agent has. */
export const scheduleIdOf = (agent: string): string => `${agent}-schedule`;

export interface ExecutorParts {
  readonly background: Background;
  /** Called when the first run needs it: executor and capacity need each other. */
  readonly capacity: () => Capacity;
  /** Called with each run that has failed. */
  readonly onFailed: (execution: PlatformExecution) => void;
}

export function createExecutor(
  context: PlatformContext,
  { background, capacity, onFailed }: ExecutorParts,
): Executor {
  const { stopping } = background;
  const runOf = (execution: PlatformExecution, signal: AbortSignal): Run => ({
    context,
    capacity: capacity(),
    execution,
    signal,
    stopping,
    onFailed,
  });
  return {
    runOf,
    async submit({ agent, task = {}, scheduleId = scheduleIdOf(agent), triggeredBy = "manual" }) {
      if (stopping.aborted) return null;
      const execution = { id: randomUUID(), agent, task: newTask(task) };
      if (!(await insertRow(context, execution, { scheduleId, triggeredBy, by: "backend" }))) return null;
      void background.start(execution.id, agent, async (signal) => {
        await context.clock.sleep(ROW_TO_SLOT_MS, signal);
        await takeSlot(runOf(execution, signal));
      });
      return execution.id;
    },
    resume: (execution, timeoutSeconds) =>
      void background.start(execution.id, execution.agent, (signal) =>
        runInSlot(runOf(execution, signal), timeoutSeconds),
      ),
    async cancel(executionId) {
      const agent = await cancelRow(context, executionId);
      if (agent === null) return false;
      background.interrupt([executionId]);
      if (context.bugs.cancelClearsAllSlots) await capacity().removeSlots(agent);
      return true;
    },
  };
}
