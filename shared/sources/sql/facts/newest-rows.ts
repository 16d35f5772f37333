/**
 * The newest rows of the executions in PostgreSQL. SQLite finds them by rowid. PostgreSQL has nothing of the kind: a place
 * that VACUUM has freed is used again, and an update moves a row, so neither the end of the table nor the end of a list of
 * equal keys is new. The index over (agent_name, started_at) gives the newest of each agent, whatever their status.
 */
import { TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { DAY_MS } from "../../../time.ts";
import type { QueryAnswer, Row } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted, secondText } from "../values.ts";

/** Rows that are looked at in all, and for each agent at the least. */
const MOST = 5_000;
const LEAST_OF_AGENT = 5;
/** Of these, the ones that began last say how new the table is. */
const NEWEST = 50;

const COLUMNS = ["id", "agent", "status", "started", "completed", "what"] as const;
export type NewestRow = Row<(typeof COLUMNS)[number]>;

/**
 * Selects of the newest rows those that began last (`start`), those whose retry was made (`retried`), and those that ended
 * without a time or before they began (`end`). Several facts share the statement.
 * @returns null where the index, or a column, is missing
 */
export function newestRowsQuery(schema: Schema, nowMs: number): string | null {
  const { sql } = schema;
  const hasAll = ["started_at", "completed_at"].every((column) => schema.hasColumn(EXECUTIONS, column));
  if (!hasAll || !schema.agentStartIndex || !schema.hasColumn("agent_ownership", "agent_name")) return null;
  const retried = schema.hasColumn(EXECUTIONS, "retry_scheduled_at")
    ? "e.retry_scheduled_at IS NULL"
    : "false";
  const [status, started] = [sql.text("e.status"), sql.text("e.started_at")];
  const latest = secondText(nowMs + 2 * DAY_MS);
  // A start that is no time may be the last of its agent for ever: it must not hide the others.
  const ofAgent = (side: string, order: string, most: string) =>
    `(SELECT * FROM ${EXECUTIONS} e WHERE e.agent_name = o.agent_name AND e.started_at ${side} '${latest}'
ORDER BY e.started_at ${order} LIMIT ${most})`;
  const most = `greatest(${LEAST_OF_AGENT}, ${MOST} / (SELECT greatest(1, count(*)) FROM agent_ownership))`;
  return sql.rows(
    COLUMNS,
    `WITH newest AS MATERIALIZED (
SELECT e.id, e.agent_name, ${status} AS status, ${started} AS started_at, ${sql.text("e.completed_at")} AS completed_at, ${retried} AS is_retried
FROM agent_ownership o CROSS JOIN LATERAL (${ofAgent("<", "DESC", most)}
UNION ALL ${ofAgent(">=", "ASC", String(LEAST_OF_AGENT))}) e)
(SELECT id AS id, agent_name AS agent, status AS status, started_at AS started, completed_at AS completed, 'start' AS what
FROM newest WHERE started_at COLLATE "C" < '${latest}' ORDER BY started_at COLLATE "C" DESC LIMIT ${NEWEST})
UNION ALL SELECT id, agent_name, status, started_at, completed_at, 'retried' FROM newest WHERE status = 'pending_retry' AND is_retried
UNION ALL SELECT id, agent_name, status, started_at, completed_at, 'end' FROM newest
WHERE status IN (${quoted(TERMINAL_STATUSES)}) AND (completed_at IS NULL OR ${isOutOfOrder(schema)})`,
  );
}

/** Whether a row has ended before it began, by the texts, or has a time that is not of the usual shape. */
export function isOutOfOrder({ sql }: Schema): string {
  const [started, completed] = [sql.text("started_at"), sql.text("completed_at")];
  return `(${sql.isBefore(completed, started)} OR substr(${completed}, 11, 1) <> substr(${started}, 11, 1)
OR ${sql.isOddTimestamp("completed_at")} OR ${sql.isOddTimestamp("started_at")})`;
}

/** Calls `visit` for each of the newest rows that were selected for that. */
export function eachNewest(
  { sql }: Schema,
  answer: QueryAnswer | undefined,
  what: "start" | "retried" | "end",
  visit: (row: NewestRow) => void,
): void {
  if (answer === undefined) return;
  sql.eachRow(answer, COLUMNS, (row) => {
    if (row.what === what) visit(row);
  });
}
