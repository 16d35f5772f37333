/** The backlog of an agent: its queued rows. */
import { WORDS } from "./backends.ts";
import { instantOf, timestamp } from "./clock.ts";
import type { PlatformContext } from "./context.ts";
import type { SqlResult } from "./file-client.ts";
import { type PlatformExecution, parseTask } from "./task.ts";

const MAX_QUEUED_SECONDS = 24 * 3600;

/** A claimed row's former values, to be put back where it gets no slot. */
export interface Claim {
  readonly execution: PlatformExecution;
  readonly startedAt: string;
  readonly queuedAt: string | null;
  readonly metadata: string | null;
}

const isChanged = ([answer]: readonly SqlResult[]): boolean => (answer?.rowsAffected ?? 0) > 0;

/** Turns a running row into a queued one; into a skipped one where `maxQueued` rows of the agent are queued already. */
export async function enqueueRow(
  { database, clock, pullAgents }: PlatformContext,
  { id, agent, task }: PlatformExecution,
  maxQueued: number,
): Promise<void> {
  const queuedAtMs = clock.now();
  // Older releases have no such column, and no pull agents.
  const conversation = pullAgents.has(agent) ? [task.conversation] : [];
  await database.write(
    [
      {
        sql: `UPDATE schedule_executions SET status = 'queued', queued_at = ?, backlog_metadata = ?
              ${conversation.length > 0 ? ", conversation_key = ?" : ""} WHERE id = ? AND status = 'running' AND (SELECT COUNT(*) FROM schedule_executions
                ${WORDS[database.backend].by("idx_executions_queued")} WHERE agent_name = ? AND status = 'queued') < ?`,
        args: [timestamp(queuedAtMs), JSON.stringify(task), ...conversation, id, agent, maxQueued],
      },
      {
        sql: `UPDATE schedule_executions SET status = 'skipped', completed_at = ?, error = 'the backlog is full'
              WHERE id = ? AND status = 'running'`,
        args: [timestamp(queuedAtMs), id],
      },
    ],
    ([queued, skipped]) =>
      queued!.rowsAffected > 0
        ? [{ what: "row", agent, executionId: id, status: "queued", queuedAtMs }]
        : skipped!.rowsAffected > 0
          ? [{ what: "row", agent, executionId: id, status: "skipped", completedAtMs: queuedAtMs }]
          : [],
  );
}

/** Reads the oldest queued row. */
export async function oldestQueued({ database }: PlatformContext, agent: string): Promise<Claim | null> {
  const [row] = await database.read(
    `SELECT id, started_at, queued_at, backlog_metadata FROM schedule_executions ${WORDS[database.backend].by("idx_executions_queued")}
     WHERE agent_name = ? AND status = 'queued' ORDER BY queued_at LIMIT 1`,
    [agent],
  );
  if (!row) return null;
  const textOrNull = (value: unknown) => (value === null ? null : String(value));
  return {
    execution: { id: String(row.id), agent, task: parseTask(row.backlog_metadata) },
    startedAt: String(row.started_at),
    queuedAt: textOrNull(row.queued_at),
    metadata: textOrNull(row.backlog_metadata),
  };
}

/** Makes the oldest queued row a running one. Another drain may claim it first: then the next row is tried. */
export async function claimOldest(context: PlatformContext, agent: string): Promise<Claim | null> {
  for (;;) {
    const claim = await oldestQueued(context, agent);
    if (!claim) return null;
    const { id } = claim.execution;
    const startedAtMs = context.clock.now();
    const won = await context.database.write(
      [
        {
          sql: `UPDATE schedule_executions SET status = 'running', started_at = ?, queued_at = NULL,
                backlog_metadata = NULL, claude_session_id = NULL WHERE id = ? AND status = 'queued'`,
          args: [timestamp(startedAtMs), id],
        },
      ],
      (answers) =>
        isChanged(answers) ? [{ what: "row", agent, executionId: id, status: "running", startedAtMs }] : [],
    );
    if (isChanged(won)) return claim;
  }
}

/** Makes a claimed row a queued one again. */
export async function putBack(
  { database }: PlatformContext,
  { execution: { id, agent }, startedAt, queuedAt, metadata }: Claim,
): Promise<void> {
  const instants = { startedAtMs: instantOf(startedAt), queuedAtMs: instantOf(queuedAt ?? startedAt) };
  await database.write(
    [
      {
        sql: `UPDATE schedule_executions SET status = 'queued', started_at = ?, queued_at = ?, backlog_metadata = ?
              WHERE id = ? AND status = 'running'`,
        args: [startedAt, queuedAt, metadata, id],
      },
    ],
    (answers) =>
      isChanged(answers) ? [{ what: "row", agent, executionId: id, status: "queued", ...instants }] : [],
  );
}

/** Fails the rows of all agents that are queued for over 24 h. */
export async function failOverdue({ database, clock }: PlatformContext): Promise<void> {
  const now = clock.now();
  const { instantMs, by } = WORDS[database.backend];
  await database.write(
    [
      {
        sql: `UPDATE schedule_executions ${by("idx_executions_status")}
              SET status = 'failed', completed_at = ?, error = 'queued for over 24 h' WHERE status = 'queued'
              AND ${instantMs("COALESCE(queued_at, started_at)")} < ? RETURNING id, agent_name`,
        args: [timestamp(now), now - MAX_QUEUED_SECONDS * 1000],
      },
    ],
    ([answer]) =>
      answer!.rows.map((row) => ({
        what: "row",
        agent: String(row.agent_name),
        executionId: String(row.id),
        status: "failed",
        completedAtMs: now,
      })),
  );
}

/** Gives the agents that have queued rows. */
export async function agentsWithBacklog({ database }: PlatformContext): Promise<string[]> {
  const rows = await database.read(
    `SELECT agent_name FROM schedule_executions ${WORDS[database.backend].by("idx_executions_queued")}
     WHERE status = 'queued' GROUP BY agent_name`,
  );
  return rows.map(({ agent_name }) => String(agent_name));
}
