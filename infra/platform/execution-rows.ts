/** The writes to an execution's row. Each says in its WHERE from which states its move is legal. */
import { randomUUID } from "node:crypto";
import type { InValue } from "@libsql/client/http";
import { WORDS } from "./backends.ts";
import { naiveTimestamp, timestamp } from "./clock.ts";
import type { PlatformContext } from "./context.ts";
import type { Change, ExecutionStatus, TriggeredBy } from "./journal.ts";
import type { PlatformExecution } from "./task.ts";

/** Writes, and gives whether the row was changed. */
export async function writeRow(
  { database }: PlatformContext,
  sql: string,
  args: readonly InValue[],
  ...changes: Change[]
): Promise<boolean> {
  const [answer] = await database.write([{ sql, args }], ([own]) => (own!.rowsAffected > 0 ? changes : []));
  return answer!.rowsAffected > 0;
}

const row = (
  { id, agent }: PlatformExecution,
  status: ExecutionStatus,
  more: { startedAtMs?: number; completedAtMs?: number; triggeredBy?: TriggeredBy } = {},
): Change => ({ what: "row", agent, executionId: id, status, ...more });

export interface NewRow {
  readonly scheduleId: string;
  readonly triggeredBy: TriggeredBy;
  /** The process that makes it. The scheduler's timestamps have no `Z`. */
  readonly by: "backend" | "scheduler";
  /** The run that failed, and the number of this attempt. */
  readonly retry?: { readonly of: string; readonly attempt: number };
}

/** Makes a running row. Gives false where the agent is not on the roster, or is on it as deleted. */
export function insertRow(
  context: PlatformContext,
  execution: PlatformExecution,
  { scheduleId, triggeredBy, by, retry }: NewRow,
): Promise<boolean> {
  const startedAtMs = context.clock.now();
  const startedAt = by === "backend" ? timestamp(startedAtMs) : naiveTimestamp(startedAtMs);
  const { id, agent, task } = execution;
  return writeRow(
    context,
    `INSERT INTO schedule_executions
       (id, schedule_id, agent_name, status, started_at, message, triggered_by, retry_of_execution_id, attempt_number)
     SELECT ?, ?, agent_name, 'running', ?, ?, ?, ?, ? FROM agent_ownership o
     WHERE agent_name = ? AND ${context.traits.isActive}`,
    [id, scheduleId, startedAt, task.message, triggeredBy, retry?.of ?? null, retry?.attempt ?? 1, agent],
    row(execution, "running", { startedAtMs, triggeredBy }),
  );
}

/** Marks the row as dispatched to its agent. Gives false where it is not running any more: then there is nothing to run. */
export const markDispatched = (
  context: PlatformContext,
  { id, agent }: PlatformExecution,
): Promise<boolean> =>
  writeRow(
    context,
    "UPDATE schedule_executions SET claude_session_id = 'dispatched' WHERE id = ? AND status = 'running'",
    [id],
    { what: "session", agent, executionId: id },
  );

/**
 * Restarts the age of a run whose dispatch was parked; queued_at keeps when it was admitted. Gives false where the row is not
 * running any more.
 */
export function restartAge(context: PlatformContext, { id, agent }: PlatformExecution): Promise<boolean> {
  const startedAtMs = context.clock.now();
  return writeRow(
    context,
    `UPDATE schedule_executions SET queued_at = COALESCE(queued_at, started_at), started_at = ?
     WHERE id = ? AND status = 'running'`,
    [timestamp(startedAtMs), id],
    { what: "start moved", agent, executionId: id, startedAtMs },
  );
}

/** Gives the row its session. Gives false where the row is not running any more. */
export const writeSession = (context: PlatformContext, { id, agent }: PlatformExecution): Promise<boolean> =>
  writeRow(
    context,
    "UPDATE schedule_executions SET claude_session_id = ? WHERE id = ? AND status = 'running'",
    [randomUUID(), id],
    { what: "session", agent, executionId: id },
  );

/** Fails a row that was not dispatched in time. Gives false where it was, or has ended. */
export function failUndispatched(
  context: PlatformContext,
  execution: PlatformExecution,
  limitMs: number,
): Promise<boolean> {
  const completedAtMs = context.clock.now();
  return writeRow(
    context,
    `UPDATE schedule_executions SET status = 'failed', completed_at = ?, error = ?
     WHERE id = ? AND status = 'running' AND claude_session_id IS NULL`,
    [timestamp(completedAtMs), `not dispatched within ${limitMs / 1000} s`, execution.id],
    row(execution, "failed", { completedAtMs }),
  );
}

/**
 * Makes the row terminal. The agent's own success wins over a failure, even late; nothing overwrites a cancelled row.
 * Gives whether the row was changed.
 */
export function endRow(
  context: PlatformContext,
  execution: PlatformExecution,
  status: "success" | "failed" | "cancelled",
  error: string | null = null,
): Promise<boolean> {
  const completedAtMs = context.clock.now();
  const { instantMs } = WORDS[context.database.backend];
  const from = status === "success" ? "('running', 'failed', 'skipped')" : "('running')";
  return writeRow(
    context,
    `UPDATE schedule_executions SET status = ?, completed_at = ?, error = ?,
     duration_ms = CAST(round(? - ${instantMs("started_at")}) AS INTEGER)
     WHERE id = ? AND status IN ${from}`,
    [status, timestamp(completedAtMs), error, completedAtMs, execution.id],
    row(execution, status, { completedAtMs }),
  );
}

/** Cancels a live row. Gives the name of its agent; null where the row had ended already. */
export async function cancelRow(
  { database, clock }: PlatformContext,
  executionId: string,
): Promise<string | null> {
  const completedAtMs = clock.now();
  const [answer] = await database.write(
    [
      {
        sql: `UPDATE schedule_executions SET status = 'cancelled', completed_at = ?
              WHERE id = ? AND status IN ('queued', 'running') RETURNING agent_name`,
        args: [timestamp(completedAtMs), executionId],
      },
    ],
    ([own]) =>
      own!.rows.map(({ agent_name }) => ({
        what: "row",
        agent: String(agent_name),
        executionId,
        status: "cancelled",
        completedAtMs,
      })),
  );
  const [cancelled] = answer!.rows;
  return cancelled ? String(cancelled.agent_name) : null;
}
