/** Runs executions, in the order of writes in which the platform makes them: the row first, then the slot. */
import { randomUUID } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { InValue } from "@libsql/client/http";
import type { Capacity } from "./capacity.ts";
import { timestamp } from "./clock.ts";
import { type PlatformContext, textOf } from "./context.ts";
import type { Change, ExecutionStatus } from "./journal.ts";
import { type Execution, newTask, type Task } from "./task.ts";

/** What lies between the writes of a start, of a stop, and before a run has its session. */
const ROW_TO_SLOT_MS = 30;
const ROW_TO_RELEASE_MS = 5;
const SLOT_TO_SESSION_MS = 200;

const CANCELLED = new Error("the run was cancelled");
const STOPPED = new Error("the platform was stopped");

export interface Submission {
  readonly agent: string;
  readonly task?: Partial<Task>;
  /** Default: the agent's own schedule. */
  readonly scheduleId?: string;
  readonly triggeredBy?: "schedule" | "manual";
}

export interface Executor {
  /**
   * Makes a running row and lets the run take its course: a slot, or the backlog.
   * @returns the execution's id once the row is there, or null where the agent is not on the roster
   */
  submit(submission: Submission): Promise<string | null>;
  /** Goes on with an execution that a drain has claimed. */
  resume(execution: Execution, timeoutSeconds: number): void;
  /** Cancels a live execution. @returns false where it had ended already */
  cancel(executionId: string): Promise<boolean>;
  /** Ends the runs of executions whose rows were cancelled by somebody else. */
  interrupt(executionIds: Iterable<string>): void;
  /** Cuts every run where it stands, and waits until no write is under way. */
  stop(): Promise<void>;
}

/** @returns the id of the schedule that every agent has */
export const scheduleIdOf = (agent: string): string => `${agent}-schedule`;

/** @param capacity asked when the first run needs it: the two know each other */
export function createExecutor(context: PlatformContext, capacity: () => Capacity): Executor {
  const { database, clock, log } = context;
  const controllers = new Map<string, AbortController>();
  const work = new Set<Promise<void>>();
  const stopping = new AbortController();
  // As many as there are runs that end at once: no leak.
  setMaxListeners(0, stopping.signal);

  /** @returns whether the row was changed */
  async function writeRow(sql: string, args: readonly InValue[], change: Change): Promise<boolean> {
    const [answer] = await database.write([{ sql, args }], ([own]) =>
      own!.rowsAffected > 0 ? [change] : [],
    );
    return answer!.rowsAffected > 0;
  }

  const row = ({ id, agent }: Execution, status: ExecutionStatus, startedAtMs?: number): Change => ({
    what: "row",
    agent,
    executionId: id,
    status,
    ...(startedAtMs !== undefined && { startedAtMs }),
  });

  /** Lets a run go on by itself, under a signal of its own, and never lets it take the process down. */
  function inBackground(execution: Execution, run: (signal: AbortSignal) => Promise<void>): void {
    if (stopping.signal.aborted) return;
    const controller = new AbortController();
    controllers.set(execution.id, controller);
    const done = run(controller.signal)
      .catch((error) => {
        if (!controller.signal.aborted)
          log(`execution ${execution.id} of ${execution.agent}: ${textOf(error)}`);
      })
      .finally(() => {
        work.delete(done);
        if (controllers.get(execution.id) === controller) controllers.delete(execution.id);
      });
    work.add(done);
  }

  async function submit(submission: Submission): Promise<string | null> {
    if (stopping.signal.aborted) return null;
    const { agent, scheduleId = scheduleIdOf(agent), triggeredBy = "manual" } = submission;
    const execution = { id: randomUUID(), agent, task: newTask(submission.task ?? {}) };
    const startedAtMs = clock.now();
    const made = await writeRow(
      `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
       SELECT ?, ?, agent_name, 'running', ?, ?, ? FROM agent_ownership WHERE agent_name = ? AND deleted_at IS NULL`,
      [execution.id, scheduleId, timestamp(startedAtMs), execution.task.message, triggeredBy, agent],
      row(execution, "running", startedAtMs),
    );
    if (!made) return null;
    inBackground(execution, (signal) => start(execution, signal));
    return execution.id;
  }

  /** Takes a running row to its slot, or into the backlog. */
  async function start(execution: Execution, signal: AbortSignal): Promise<void> {
    await clock.sleep(ROW_TO_SLOT_MS, signal);
    const acquired = await capacity()
      .acquire(execution)
      .catch(async (error) => {
        await end(execution, "failed", `no slot could be taken: ${textOf(error)}`);
        throw error;
      });
    if (acquired.kind === "full") await capacity().enqueue(execution);
    else if (acquired.kind === "gone") await end(execution, "cancelled", "the agent was deleted");
    else await runInSlot(execution, acquired.timeoutSeconds, signal);
  }

  /** Runs an execution that holds a slot, and gives the slot back whatever comes. */
  async function runInSlot(execution: Execution, timeoutSeconds: number, signal: AbortSignal): Promise<void> {
    const { agent, id, task } = execution;
    const timeoutMs = timeoutSeconds * 1000;
    const isTimedOut = task.runMs > timeoutMs;
    let hasFailed = false;
    try {
      await clock.sleep(SLOT_TO_SESSION_MS, signal);
      if (await dispatch(execution)) {
        await clock.sleep(Math.min(task.runMs, timeoutMs), signal);
        const error = isTimedOut ? `timed out after ${timeoutSeconds} s` : "the task failed";
        if (isTimedOut || task.ends === "failed") hasFailed = await end(execution, "failed", error);
        else await end(execution, "success");
      }
    } catch (error) {
      if (!signal.aborted) await end(execution, "failed", textOf(error)).catch(() => {});
      if (signal.reason !== CANCELLED) throw error;
    } finally {
      if (signal.reason !== STOPPED) {
        // Not under the run's own signal: also a cancelled run gives its slot back.
        await clock.sleep(ROW_TO_RELEASE_MS, stopping.signal);
        await capacity().release(agent, id);
      }
    }
    if (signal.aborted) return;
    if (hasFailed && task.retries > 0) await retry(execution, signal);
    else if (isTimedOut && task.ends === "success") {
      await clock.sleep(task.runMs - timeoutMs, signal);
      await end(execution, "success");
    }
  }

  /** Gives the row its session. @returns false where the row is not running any more: then there is nothing to run */
  const dispatch = ({ id, agent }: Execution) =>
    writeRow(
      "UPDATE schedule_executions SET claude_session_id = ? WHERE id = ? AND status = 'running'",
      [randomUUID(), id],
      { what: "session", agent, executionId: id },
    );

  /**
   * Makes the row terminal where that is a legal move: an agent's own answer wins over a failure, even late; nothing
   * overwrites a cancelled row. @returns whether the row was changed
   */
  function end(
    execution: Execution,
    status: "success" | "failed" | "cancelled",
    error: string | null = null,
  ): Promise<boolean> {
    const now = timestamp(clock.now());
    const from = status === "success" ? "('running', 'failed', 'skipped')" : "('running')";
    return writeRow(
      `UPDATE schedule_executions SET status = ?, completed_at = ?, error = ?,
       duration_ms = CAST(round((julianday(?) - julianday(started_at)) * 86400000) AS INTEGER)
       WHERE id = ? AND status IN ${from}`,
      [status, now, error, now, execution.id],
      row(execution, status),
    );
  }

  async function retry(execution: Execution, signal: AbortSignal): Promise<void> {
    const { id, task } = execution;
    const scheduled = await writeRow(
      `UPDATE schedule_executions SET status = 'pending_retry', retry_scheduled_at = ? WHERE id = ? AND status = 'failed'
       AND EXISTS (SELECT 1 FROM agent_ownership o WHERE o.agent_name = schedule_executions.agent_name)`,
      [timestamp(clock.now() + task.retryAfterMs / clock.scale), id],
      row(execution, "pending_retry"),
    );
    if (!scheduled) return;
    await clock.sleep(task.retryAfterMs, signal);
    const startedAtMs = clock.now();
    const started = await writeRow(
      `UPDATE schedule_executions SET status = 'running', started_at = ?, completed_at = NULL, duration_ms = NULL,
       error = NULL, claude_session_id = NULL WHERE id = ? AND status = 'pending_retry'`,
      [timestamp(startedAtMs), id],
      row(execution, "running", startedAtMs),
    );
    if (started) await start({ ...execution, task: { ...task, retries: task.retries - 1 } }, signal);
  }

  function interrupt(executionIds: Iterable<string>): void {
    for (const id of executionIds) controllers.get(id)?.abort(CANCELLED);
  }

  async function cancel(executionId: string): Promise<boolean> {
    const now = timestamp(clock.now());
    const [answer] = await database.write(
      [
        {
          sql: `UPDATE schedule_executions SET status = 'cancelled', completed_at = ?
                WHERE id = ? AND status IN ('queued', 'running', 'pending_retry') RETURNING agent_name`,
          args: [now, executionId],
        },
      ],
      ([own]) =>
        own!.rows.map(({ agent_name }) => ({
          what: "row",
          agent: String(agent_name),
          executionId,
          status: "cancelled",
        })),
    );
    if (answer!.rows.length === 0) return false;
    interrupt([executionId]);
    return true;
  }

  return {
    submit,
    resume: (execution, timeoutSeconds) =>
      inBackground(execution, (signal) => runInSlot(execution, timeoutSeconds, signal)),
    cancel,
    interrupt,
    async stop() {
      stopping.abort(STOPPED);
      for (const controller of controllers.values()) controller.abort(STOPPED);
      while (work.size > 0) await Promise.all(work);
    },
  };
}
