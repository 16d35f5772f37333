/** Runs executions in the background: submits, cancels and stops them. */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { Capacity } from "./capacity.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { cancelRow, insertRow } from "./execution-rows.ts";
import { CANCELLED, type Run, runInSlot, STOPPED, startRun } from "./run.ts";
import { newTask, type PlatformExecution, type Task } from "./task.ts";

export interface Submission {
  readonly agent: string;
  readonly task?: Partial<Task>;
  /** Default: the agent's own schedule. */
  readonly scheduleId?: string;
  readonly triggeredBy?: "schedule" | "manual";
}

export interface Executor {
  /**
   * Makes a running row and starts the run, which gets a slot or goes into the backlog.
   * @returns the execution's id once the row is there, or null where the agent is not on the roster
   */
  submit(submission: Submission): Promise<string | null>;
  /** Goes on with an execution that a drain has claimed. */
  resume(execution: PlatformExecution, timeoutSeconds: number): void;
  /** Cancels a live execution. Gives false where it had ended already. */
  cancel(executionId: string): Promise<boolean>;
  /** Ends the runs of executions whose rows are cancelled already. */
  interrupt(executionIds: Iterable<string>): void;
  /** Stops every run at once, and waits until no write is in progress. */
  stop(): Promise<void>;
}

/** The id of the schedule that every agent has. */
export const scheduleIdOf = (agent: string): string => `${agent}-schedule`;

/** @param capacity called when the first run needs it: executor and capacity need each other */
export function createExecutor(context: PlatformContext, capacity: () => Capacity): Executor {
  const controllers = new Map<string, AbortController>();
  const work = new Set<Promise<void>>();
  const stopping = new AbortController();
  // Every run that ends listens to it, so that many listeners are no leak.
  setMaxListeners(0, stopping.signal);

  /** Runs under the run's own signal. A failure is logged: it must not end the process. */
  function inBackground(execution: PlatformExecution, course: (run: Run) => Promise<void>): void {
    if (stopping.signal.aborted) return;
    const controller = new AbortController();
    const { signal } = controller;
    controllers.set(execution.id, controller);
    const done = course({ context, capacity: capacity(), execution, signal, stopping: stopping.signal })
      .catch((error) => {
        if (!signal.aborted)
          context.log(`execution ${execution.id} of ${execution.agent}: ${messageOf(error)}`);
      })
      .finally(() => {
        work.delete(done);
        if (controllers.get(execution.id) === controller) controllers.delete(execution.id);
      });
    work.add(done);
  }

  function interrupt(executionIds: Iterable<string>): void {
    for (const id of executionIds) controllers.get(id)?.abort(CANCELLED);
  }

  return {
    async submit({ agent, task = {}, scheduleId = scheduleIdOf(agent), triggeredBy = "manual" }) {
      if (stopping.signal.aborted) return null;
      const execution = { id: randomUUID(), agent, task: newTask(task) };
      if (!(await insertRow(context, execution, { scheduleId, triggeredBy }))) return null;
      inBackground(execution, startRun);
      return execution.id;
    },
    resume: (execution, timeoutSeconds) => inBackground(execution, (run) => runInSlot(run, timeoutSeconds)),
    async cancel(executionId) {
      const isCancelled = await cancelRow(context, executionId);
      if (isCancelled) interrupt([executionId]);
      return isCancelled;
    },
    interrupt,
    async stop() {
      stopping.abort(STOPPED);
      for (const controller of controllers.values()) controller.abort(STOPPED);
      while (work.size > 0) await Promise.all(work);
    },
  };
}
