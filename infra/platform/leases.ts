/** The rows of pull agents: a worker claims a queued one under a lease, renews the lease, and ends the row. */
import { randomUUID } from "node:crypto";
import { WORDS } from "./backends.ts";
import { timestamp } from "./clock.ts";
import type { PlatformContext } from "./context.ts";
import { writeRow } from "./execution-rows.ts";
import type { Change } from "./journal.ts";
import { type PlatformExecution, parseTask } from "./task.ts";

/** How often a row whose lease ran out is queued again before it is failed. */
const MOST_REDELIVERIES = 3;

/** A row that a worker has claimed. */
export interface LeasedRow {
  readonly execution: PlatformExecution;
  /** The worker's own: a row that is claimed again gets a new one. */
  readonly token: string;
  /** How many workers have lost it. */
  readonly redeliveries: number;
  readonly timeoutSeconds: number;
}

const expiryOf = ({ clock }: PlatformContext, leaseMs: number) => clock.now() + leaseMs / clock.scale;

/**
 * Claims the agent's oldest queued row, leaving out those of a conversation with a turn that runs. Gives null where there is
 * none.
 * @param leaseMs in ms of the platform's own time
 */
export async function claimRow(
  context: PlatformContext,
  agent: string,
  { leaseMs, timeoutSeconds }: { readonly leaseMs: number; readonly timeoutSeconds: number },
): Promise<LeasedRow | null> {
  const [token, startedAtMs, expiresAtMs] = [randomUUID(), context.clock.now(), expiryOf(context, leaseMs)];
  const [answer] = await context.database.write(
    [
      {
        sql: `UPDATE schedule_executions SET status = 'running', started_at = ?, claude_session_id = NULL,
              lease_expires_at = ?, claim_token = ? WHERE status = 'queued' AND id = (SELECT id FROM schedule_executions q
                ${WORDS[context.database.backend].by("idx_executions_queued")} WHERE agent_name = ? AND status = 'queued' AND NOT EXISTS (
                  SELECT 1 FROM schedule_executions r WHERE r.agent_name = q.agent_name AND r.status = 'running'
                  AND r.conversation_key = q.conversation_key) ORDER BY queued_at LIMIT 1)
              RETURNING id, backlog_metadata, redelivery_count`,
        args: [timestamp(startedAtMs), timestamp(expiresAtMs), token, agent],
      },
    ],
    ([own]) =>
      own!.rows.flatMap(({ id }): Change[] => {
        const of = { agent, executionId: String(id) };
        // The lease first: the row that a reader of the journal sees running has it.
        return [
          { what: "lease", ...of, expiresAtMs },
          { what: "row", ...of, status: "running", startedAtMs },
        ];
      }),
  );
  const [row] = answer!.rows;
  if (!row) return null;
  const task = parseTask(row.backlog_metadata);
  return {
    execution: { id: String(row.id), agent, task },
    token,
    redeliveries: Number(row.redelivery_count ?? 0),
    timeoutSeconds: task.timeoutSeconds ?? timeoutSeconds,
  };
}

/** Renews the lease. Gives false where the row is not the worker's any more. */
export function renewLease(
  context: PlatformContext,
  { execution: { id, agent }, token }: LeasedRow,
  leaseMs: number,
): Promise<boolean> {
  const expiresAtMs = expiryOf(context, leaseMs);
  return writeRow(
    context,
    "UPDATE schedule_executions SET lease_expires_at = ? WHERE id = ? AND status = 'running' AND claim_token = ?",
    [timestamp(expiresAtMs), id, token],
    { what: "lease", agent, executionId: id, expiresAtMs },
  );
}

/** Ends the row, with its session. Gives false where it is not the worker's any more. */
export function endLeased(
  context: PlatformContext,
  { execution: { id, agent }, token }: LeasedRow,
  status: "success" | "failed",
  error: string | null,
): Promise<boolean> {
  const completedAtMs = context.clock.now();
  const { instantMs } = WORDS[context.database.backend];
  const of = { agent, executionId: id };
  return writeRow(
    context,
    `UPDATE schedule_executions SET status = ?, completed_at = ?, error = ?, claude_session_id = ?,
     duration_ms = CAST(round(? - ${instantMs("started_at")}) AS INTEGER)
     WHERE id = ? AND status = 'running' AND claim_token = ?`,
    [status, timestamp(completedAtMs), error, randomUUID(), completedAtMs, id, token],
    { what: "row", ...of, status, completedAtMs },
    { what: "session", ...of },
  );
}

/** Queues rows again whose lease has run out, under the same id; fails those that were queued again three times. */
export async function reapLeases({ database, clock }: PlatformContext): Promise<void> {
  const nowMs = clock.now();
  const now = timestamp(nowMs);
  const { instantMs, by } = WORDS[database.backend];
  const ranOut = `status = 'running' AND ${instantMs("lease_expires_at")} < ?`;
  const from = `schedule_executions ${by("idx_executions_status")}`;
  await database.write(
    [
      {
        sql: `UPDATE ${from} SET status = 'failed', completed_at = ?, error = 'its workers were lost'
              WHERE ${ranOut} AND redelivery_count >= ${MOST_REDELIVERIES} RETURNING id, agent_name`,
        args: [now, nowMs],
      },
      {
        sql: `UPDATE ${from} SET status = 'queued', started_at = ?, queued_at = ?, lease_expires_at = NULL,
              claim_token = NULL, redelivery_count = redelivery_count + 1
              WHERE ${ranOut} RETURNING id, agent_name`,
        args: [now, now, nowMs],
      },
    ],
    ([failed, queued]) => {
      const of = (row: { id?: unknown; agent_name?: unknown }) => ({
        agent: String(row.agent_name),
        executionId: String(row.id),
      });
      return [
        ...failed!.rows.map(
          (row): Change => ({ what: "row", ...of(row), status: "failed", completedAtMs: nowMs }),
        ),
        ...queued!.rows.flatMap((row): Change[] => [
          { what: "row", ...of(row), status: "queued", startedAtMs: nowMs, queuedAtMs: nowMs },
          { what: "lease", ...of(row), expiresAtMs: null },
        ]),
      ];
    },
  );
}
