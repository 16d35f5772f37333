/**
 * Retries of the scheduler's runs. A failed row waits as `pending_retry`; when its time comes a new row is made, and the
 * old one stays `pending_retry` for ever, without a retry_scheduled_at.
 */
import type { Background } from "./background.ts";
import { naiveTimestamp } from "./clock.ts";
import type { PlatformContext } from "./context.ts";
import { writeRow } from "./execution-rows.ts";
import type { Scheduler } from "./scheduler.ts";
import type { PlatformExecution } from "./task.ts";

/** The scheduler polls its runs: it notices a failure that much later, in ms of the platform's own time. */
const NOTICE_MS = 500;

/** Makes a failed row of the scheduler wait for its retry. Gives null where there is none to be. */
async function scheduleRetry(
  { database, clock, traits, bugs }: PlatformContext,
  { id: executionId, agent, task }: PlatformExecution,
): Promise<{ scheduleId: string; attempt: number } | null> {
  const atMs = clock.now() + task.retryAfterMs / clock.scale;
  const hasFailed = bugs.retriesAnyStatus ? "TRUE" : "status = 'failed'";
  const [answer] = await database.write(
    [
      {
        sql: `UPDATE schedule_executions AS e SET status = 'pending_retry', retry_scheduled_at = ?
              WHERE id = ? AND triggered_by IN ('schedule', 'retry') AND ${hasFailed}
              AND EXISTS (SELECT 1 FROM agent_ownership o WHERE o.agent_name = e.agent_name AND ${traits.isActive})
              RETURNING schedule_id, attempt_number`,
        args: [naiveTimestamp(atMs), executionId],
      },
    ],
    ([own]) =>
      own!.rows.length === 0
        ? []
        : [
            { what: "row", agent, executionId, status: "pending_retry" },
            { what: "retry scheduled", agent, executionId, atMs },
          ],
  );
  const [row] = answer!.rows;
  return row ? { scheduleId: String(row.schedule_id), attempt: Number(row.attempt_number ?? 1) } : null;
}

/** Marks a waiting row as retried. Gives false where it does not wait any more. */
const claimRetry = (context: PlatformContext, { id, agent }: PlatformExecution): Promise<boolean> =>
  writeRow(
    context,
    `UPDATE schedule_executions SET retry_scheduled_at = NULL
     WHERE id = ? AND status = 'pending_retry' AND retry_scheduled_at IS NOT NULL`,
    [id],
    { what: "retry scheduled", agent, executionId: id, atMs: null },
  );

/** Makes the function that is called with each failed run, and retries it where its task says so. */
export function createRetries(
  context: PlatformContext,
  { background, scheduler }: { readonly background: Background; readonly scheduler: Scheduler },
): (execution: PlatformExecution) => void {
  async function retry(execution: PlatformExecution, signal: AbortSignal): Promise<void> {
    const { agent, id, task } = execution;
    await context.clock.sleep(NOTICE_MS, signal);
    const waiting = await scheduleRetry(context, execution);
    if (!waiting) return;
    await context.clock.sleep(task.retryAfterMs, signal);
    if (!(await claimRetry(context, execution))) return;
    await scheduler.run({
      agent,
      scheduleId: waiting.scheduleId,
      task: { ...task, retries: task.retries - 1 },
      retry: { of: id, attempt: waiting.attempt + 1 },
    });
  }
  return (execution) => {
    if (execution.task.retries === 0) return;
    void background.start(execution.id, execution.agent, (signal) => retry(execution, signal));
  };
}
