/** The writes to an execution's row. Each says in its WHERE from which states its move is legal. */
import { randomUUID } from "node:crypto";
import type { InValue } from "@libsql/client/http";
import { timestamp } from "./clock.ts";
import type { PlatformContext } from "./context.ts";
import type { Change, ExecutionStatus } from "./journal.ts";
import type { PlatformExecution } from "./task.ts";

/** Writes, and gives whether the row was changed. */
async function writeRow(
  { database }: PlatformContext,
  sql: string,
  args: readonly InValue[],
  change: Change,
): Promise<boolean> {
  const [answer] = await database.write([{ sql, args }], ([own]) => (own!.rowsAffected > 0 ? [change] : []));
  return answer!.rowsAffected > 0;
}

const row = (
  { id, agent }: PlatformExecution,
  status: ExecutionStatus,
  times: { readonly startedAtMs?: number; readonly completedAtMs?: number } = {},
): Change => ({ what: "row", agent, executionId: id, status, ...times });

/** Makes a running row. Gives false where the agent is not on the roster. */
export function insertRow(
  context: PlatformContext,
  execution: PlatformExecution,
  { scheduleId, triggeredBy }: { readonly scheduleId: string; readonly triggeredBy: string },
): Promise<boolean> {
  const startedAtMs = context.clock.now();
  const { id, agent, task } = execution;
  return writeRow(
    context,
    `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
     SELECT ?, ?, agent_name, 'running', ?, ?, ? FROM agent_ownership WHERE agent_name = ? AND deleted_at IS NULL`,
    [id, scheduleId, timestamp(startedAtMs), task.message, triggeredBy, agent],
    row(execution, "running", { startedAtMs }),
  );
}

/** Gives the row its session. Gives false where the row is not running any more: then there is nothing to run. */
export const writeSession = (context: PlatformContext, { id, agent }: PlatformExecution): Promise<boolean> =>
  writeRow(
    context,
    "UPDATE schedule_executions SET claude_session_id = ? WHERE id = ? AND status = 'running'",
    [randomUUID(), id],
    { what: "session", agent, executionId: id },
  );

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
  const now = timestamp(completedAtMs);
  const from = status === "success" ? "('running', 'failed', 'skipped')" : "('running')";
  return writeRow(
    context,
    `UPDATE schedule_executions SET status = ?, completed_at = ?, error = ?,
     duration_ms = CAST(round((julianday(?) - julianday(started_at)) * 86400000) AS INTEGER)
     WHERE id = ? AND status IN ${from}`,
    [status, now, error, now, execution.id],
    row(execution, status, { completedAtMs }),
  );
}

/** Makes a failed row wait for its retry. Gives false where the agent is gone or the row is not failed. */
export const scheduleRetry = (context: PlatformContext, execution: PlatformExecution): Promise<boolean> =>
  writeRow(
    context,
    `UPDATE schedule_executions SET status = 'pending_retry', retry_scheduled_at = ? WHERE id = ? AND status = 'failed'
     AND EXISTS (SELECT 1 FROM agent_ownership o WHERE o.agent_name = schedule_executions.agent_name)`,
    [timestamp(context.clock.now() + execution.task.retryAfterMs / context.clock.scale), execution.id],
    row(execution, "pending_retry"),
  );

/** Makes a row that waits for its retry a running one. */
export function restartRow(context: PlatformContext, execution: PlatformExecution): Promise<boolean> {
  const startedAtMs = context.clock.now();
  return writeRow(
    context,
    `UPDATE schedule_executions SET status = 'running', started_at = ?, completed_at = NULL, duration_ms = NULL,
     error = NULL, claude_session_id = NULL WHERE id = ? AND status = 'pending_retry'`,
    [timestamp(startedAtMs), execution.id],
    row(execution, "running", { startedAtMs }),
  );
}

/** Cancels a live row. Gives false where it had ended already. */
export async function cancelRow({ database, clock }: PlatformContext, executionId: string): Promise<boolean> {
  const completedAtMs = clock.now();
  const [answer] = await database.write(
    [
      {
        sql: `UPDATE schedule_executions SET status = 'cancelled', completed_at = ?
              WHERE id = ? AND status IN ('queued', 'running', 'pending_retry') RETURNING agent_name`,
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
  return answer!.rows.length > 0;
}
