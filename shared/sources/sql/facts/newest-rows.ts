/**
 * The newest rows of the executions in PostgreSQL. SQLite finds them by rowid. PostgreSQL has nothing of the kind: a place
 * that VACUUM has freed is used again, and an update moves a row, so neither the end of the table nor the end of a list of
 * equal keys is new. The index over (agent_name, started_at) gives the newest of each agent, whatever their status.
 */
import { TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../../time.ts";
import type { QueryAnswer, Row } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted, secondText } from "../values.ts";

const ROSTER = "agent_ownership";

/** Rows that are looked at in all, and for each agent at the least. */
const MOST = 5_000;
const LEAST_OF_AGENT = 5;
/** Of these, the ones that began last say how new the table is. */
const NEWEST = 50;

/** Longer than any timeout, whatever time zone a start was written in. */
const LOOK_BACK_MS = 7 * DAY_MS;
/** How far back rows are compared; a little more than the check asks for. */
export const RECENT_MS = HOUR_MS + MINUTE_MS;
/** The text of an instant is at most this far from that of UTC. */
export const ZONES_MS = 14 * HOUR_MS;

/** The ends that must have a time. */
export const IS_WITHOUT_TIME = "status IN ('success', 'failed', 'cancelled')";

/** Whether the row began within some days, or when nobody knows. */
export const hasBegunOfLate = ({ sql }: Schema, nowMs: number): string =>
  `(${sql.isBefore(`'${secondText(nowMs - LOOK_BACK_MS)}'`, "started_at")} OR NOT ${sql.isUsualTimestamp("started_at")})`;

/** Whether the row ended before it began, and one of that may have been within the last hour. */
export function isBackwardOfLate({ sql }: Schema, nowMs: number): string {
  const early = `'${secondText(nowMs - RECENT_MS - ZONES_MS)}'`;
  return `completed_at IS NOT NULL AND ${sql.isOutOfOrder("started_at", "completed_at")}
AND (${sql.isBefore(early, "completed_at")} OR ${sql.isBefore(early, "started_at")} OR NOT ${sql.isUsualTimestamp("completed_at")})`;
}

const COLUMNS = ["id", "agent", "status", "started", "completed", "what"] as const;
export type NewestRow = Row<(typeof COLUMNS)[number]>;

/**
 * Selects of the newest rows those that began last (`start`), those whose retry was made (`retried`), and of late those
 * that ended without a time (`endless`) or before they began (`backward`). Several facts share the statement.
 * @returns null where the index, or a column, is missing
 */
export function newestRowsQuery(schema: Schema, nowMs: number): string | null {
  const { sql } = schema;
  const hasAll = ["started_at", "completed_at"].every((column) => schema.hasColumn(EXECUTIONS, column));
  // Without a roster to go by, the facts go without this.
  if (!hasAll || !schema.agentStartIndex || schema.isDenied(ROSTER, "agent_name")) return null;
  if (!schema.hasColumn(ROSTER, "agent_name")) return null;
  const hasRetries = schema.hasColumn(EXECUTIONS, "retry_scheduled_at");
  const retried = hasRetries ? "e.retry_scheduled_at IS NULL" : "false";
  // A role may be granted no other columns.
  const stored = `e.id, e.agent_name, e.status, e.started_at, e.completed_at${hasRetries ? ", e.retry_scheduled_at" : ""}`;
  const [status, started] = [sql.text("e.status"), sql.text("e.started_at")];
  const latest = secondText(nowMs + 2 * DAY_MS);
  // A start that is no time may be the last of its agent for ever: it must not hide the others.
  const ofAgent = (side: string, order: string, most: string) =>
    `(SELECT ${stored} FROM ${EXECUTIONS} e WHERE e.agent_name = o.agent_name AND e.started_at ${side} '${latest}'
ORDER BY e.started_at ${order} LIMIT ${most})`;
  const most = `greatest(${LEAST_OF_AGENT}, ${MOST} / (SELECT greatest(1, count(*)) FROM ${ROSTER}))`;
  return sql.rows(
    COLUMNS,
    `WITH newest AS MATERIALIZED (
SELECT e.id, e.agent_name, ${status} AS status, ${started} AS started_at, ${sql.text("e.completed_at")} AS completed_at, ${retried} AS is_retried
FROM ${ROSTER} o CROSS JOIN LATERAL (${ofAgent("<", "DESC", most)}
UNION ALL ${ofAgent(">=", "ASC", String(LEAST_OF_AGENT))}) e)
(SELECT id AS id, agent_name AS agent, status AS status, started_at AS started, completed_at AS completed, 'start' AS what
FROM newest WHERE started_at COLLATE "C" < '${latest}' ORDER BY started_at COLLATE "C" DESC LIMIT ${NEWEST})
UNION ALL SELECT id, agent_name, status, started_at, completed_at, what FROM (SELECT *, CASE
WHEN status = 'pending_retry' AND is_retried THEN 'retried'
WHEN ${IS_WITHOUT_TIME} AND completed_at IS NULL AND ${hasBegunOfLate(schema, nowMs)} THEN 'endless'
WHEN status IN (${quoted(TERMINAL_STATUSES)}) AND ${isBackwardOfLate(schema, nowMs)} THEN 'backward' END AS what
FROM newest) AS odd WHERE what IS NOT NULL`,
  );
}

/** Calls `visit` for each of the newest rows that were selected for that. */
export function eachNewest(
  { sql }: Schema,
  answer: QueryAnswer | undefined,
  what: "start" | "retried" | "endless" | "backward",
  visit: (row: NewestRow) => void,
): void {
  if (answer === undefined) return;
  sql.eachRow(answer, COLUMNS, (row) => {
    if (row.what === what) visit(row);
  });
}
