/** How an agent's rows go: marked as deleted and purged later on newer releases, removed at once on older ones. */
import { WORDS } from "./backends.ts";
import { timestamp } from "./clock.ts";
import type { PlatformContext } from "./context.ts";
import type { Statement } from "./database.ts";
import type { SqlResult } from "./file-client.ts";
import type { Change } from "./journal.ts";
import { BELONGINGS, hasTable } from "./schema.ts";

/** Cancels the agent's live rows, and gives up its retries that wait. Its ended rows are kept, whatever happens to it. */
function endRowsOf(database: PlatformContext["database"], name: string, atMs: number): Statement[] {
  const { by } = WORDS[database.backend];
  return [
    {
      sql: `UPDATE schedule_executions ${by("idx_executions_status")} SET status = 'cancelled', completed_at = ?
            WHERE agent_name = ? AND status IN ('queued', 'running') RETURNING id`,
      args: [timestamp(atMs), name],
    },
    {
      sql: `UPDATE schedule_executions ${by("idx_executions_retry")} SET retry_scheduled_at = NULL
            WHERE agent_name = ? AND status = 'pending_retry' AND retry_scheduled_at IS NOT NULL RETURNING id`,
      args: [name],
    },
  ];
}

const idsOf = (answer: SqlResult | undefined): string[] => (answer?.rows ?? []).map(({ id }) => String(id));

const endedChanges = (
  agent: string,
  completedAtMs: number,
  [cancelled, abandoned]: readonly SqlResult[],
): Change[] => [
  ...idsOf(cancelled).map(
    (executionId): Change => ({ what: "row", agent, executionId, status: "cancelled", completedAtMs }),
  ),
  ...idsOf(abandoned).map(
    (executionId): Change => ({ what: "retry scheduled", agent, executionId, atMs: null }),
  ),
];

interface Deleted {
  /** The executions that were cancelled. */
  readonly cancelled: readonly string[];
  /** Whether there was such an agent. */
  readonly wasThere: boolean;
}

/** Ends the agent's rows, then marks it and its schedules as deleted. All its rows stay. */
export async function markDeleted({ database, clock }: PlatformContext, name: string): Promise<Deleted> {
  const atMs = clock.now();
  const mark = (table: string): Statement => ({
    sql: `UPDATE ${table} SET deleted_at = ? WHERE agent_name = ? AND deleted_at IS NULL`,
    args: [timestamp(atMs), name],
  });
  const answers = await database.write(
    [...endRowsOf(database, name, atMs), mark("agent_schedules"), mark("agent_ownership")],
    (own) => [
      ...endedChanges(name, atMs, own),
      ...(own.at(-1)!.rowsAffected > 0 ? [{ what: "agent deleted softly" as const, agent: name }] : []),
    ],
  );
  return { cancelled: idsOf(answers[0]), wasThere: answers.at(-1)!.rowsAffected > 0 };
}

/** Ends the agent's rows, then removes its row on the roster and its rows in the other tables. Executions are kept. */
export async function removeRows(
  { database, clock, traits, bugs }: PlatformContext,
  name: string,
): Promise<Deleted> {
  const atMs = clock.now();
  const leavesRows = bugs.deleteLeavesRows === true;
  const tables = leavesRows ? [] : BELONGINGS.filter((table) => hasTable(traits.release, table));
  const answers = await database.write(
    [
      ...endRowsOf(database, name, atMs),
      ...tables.map((table) => ({ sql: `DELETE FROM ${table} WHERE agent_name = ?`, args: [name] })),
      { sql: "DELETE FROM agent_ownership WHERE agent_name = ?", args: [name] },
    ],
    (own) => [
      ...endedChanges(name, atMs, own),
      ...(own.at(-1)!.rowsAffected > 0 ? [{ what: "agent removed" as const, agent: name, leavesRows }] : []),
    ],
  );
  return { cancelled: idsOf(answers[0]), wasThere: answers.at(-1)!.rowsAffected > 0 };
}
