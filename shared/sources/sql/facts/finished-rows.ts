/** Finished rows whose times are wrong. */
import { type FinishedRow, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { timestampReader } from "../../../time.ts";
import { needsColumns, needsExecutions, type SqlFact } from "../fact.ts";
import type { QueryAnswer, Row } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted, secondText } from "../values.ts";
import { endedCondition } from "./ended.ts";
import {
  eachNewest,
  hasBegunOfLate,
  IS_WITHOUT_TIME,
  isBackwardOfLate,
  newestRowsQuery,
  RECENT_MS,
  ZONES_MS,
} from "./newest-rows.ts";

/** How many of the rows that were made last a statement looks at. An old installation may have tens of thousands without an end. */
const NEWEST_ROWS = 5_000;
/** How many of the runs that ended last are looked at as well: they may have begun long before. */
const NEWEST_ENDED = 2_000;
const COLUMNS = ["id", "agent", "status", "started", "completed"] as const;
/** The same columns as they are stored. A role may be granted no others. */
const STORED = "id, agent_name, status, started_at, completed_at";
const SELECT =
  "SELECT e.id AS id, e.agent_name AS agent, e.status AS status, e.started_at AS started, e.completed_at AS completed";

const IS_NEW = `rowid > (SELECT max(rowid) FROM ${EXECUTIONS}) - ${NEWEST_ROWS}`;

/**
 * Selects the rows of some days that succeeded, failed or were cancelled and have no completed_at, of the newest. In
 * PostgreSQL: of those without one, of which a platform has none, or many old ones.
 */
export function endedWithoutTimeQuery(schema: Schema, nowMs: number): string {
  const { sql, endedIndex } = schema;
  const isRecent = hasBegunOfLate(schema, nowMs);
  if (sql.backend === "sqlite") {
    const index = endedIndex ? sql.indexedBy(endedIndex.name) : "NOT INDEXED";
    return sql.rows(
      COLUMNS,
      `${SELECT} FROM ${EXECUTIONS} e ${index}
WHERE ${endedCondition(schema)}completed_at IS NULL AND ${IS_NEW} AND ${IS_WITHOUT_TIME}
AND ${isRecent}`,
    );
  }
  // Equal keys are in the order of their places. Those at the end of the table are more likely to be new.
  return sql.rows(
    COLUMNS,
    `${SELECT} FROM (SELECT ${STORED} FROM ${EXECUTIONS} WHERE status::text IN (${quoted(TERMINAL_STATUSES)}) AND completed_at IS NULL
ORDER BY completed_at DESC NULLS FIRST LIMIT ${NEWEST_ROWS}) e WHERE ${IS_WITHOUT_TIME} AND ${isRecent}`,
  );
}

/**
 * Selects rows that began or ended within the last hour, and ended before they began, by the texts: the exact instants are
 * the check's to compare. Rows with a time of another shape than the usual ones are all selected. It looks at the rows that
 * began last, whose ends may be written in any time zone, and at those that ended last, however long ago they began. In
 * PostgreSQL, those that began last are in a statement of their own.
 */
export function endedBeforeStartQuery(schema: Schema, nowMs: number): string {
  const { sql, endedIndex } = schema;
  const [since, late] = [secondText(nowMs - RECENT_MS), secondText(nowMs + ZONES_MS)];
  const isTerminal = `${sql.text("status")} IN (${quoted(TERMINAL_STATUSES)})`;
  const isBackward = `${isTerminal} AND completed_at IS NOT NULL AND ${sql.isOutOfOrder("started_at", "completed_at")}`;
  const completed = sql.text("completed_at");
  const newestEnded = (
    columns: string,
  ) => `SELECT ${columns} FROM ${EXECUTIONS} ${sql.indexedBy(endedIndex?.name ?? null)}
WHERE ${endedCondition(schema)}${isTerminal} AND ${completed} >= '${since}' AND ${completed} < '${late}'
ORDER BY ${completed} DESC LIMIT ${NEWEST_ENDED}`;
  if (sql.backend === "postgres")
    return sql.rows(COLUMNS, `${SELECT} FROM (${newestEnded(STORED)}) e WHERE ${isBackward}`);
  const begun = `${SELECT} FROM ${EXECUTIONS} e NOT INDEXED
WHERE ${IS_NEW} AND ${isTerminal} AND ${isBackwardOfLate(schema, nowMs)}`;
  if (!endedIndex) return sql.rows(COLUMNS, begun);
  const ended = `${SELECT} FROM (${newestEnded("rowid AS place")})
CROSS JOIN ${EXECUTIONS} e ON e.rowid = place WHERE NOT ${IS_NEW} AND ${isBackward}`;
  return sql.rows(COLUMNS, `${begun}\nUNION ALL ${ended}`);
}

type FinishedFields = Row<(typeof COLUMNS)[number]>;

/** Reads the rows of a statement, and with them those of the newest rows. Each row once. */
function parseRows(
  schema: Schema,
  [answer, newest]: readonly (QueryAnswer | undefined)[],
  what: "endless" | "backward",
): FinishedRow[] {
  const rows: FinishedRow[] = [];
  const ids = new Set<string>();
  const timestamp = timestampReader();
  const add = ({ id = null, agent = null, status, started = null, completed = null }: FinishedFields) => {
    if (id !== null && ids.has(id)) return;
    if (id !== null) ids.add(id);
    rows.push({
      id,
      agent,
      status: TERMINAL_STATUSES.find((known) => known === status)!,
      startedAt: started,
      startedAtMs: timestamp(started),
      completedAt: completed,
      completedAtMs: timestamp(completed),
    });
  };
  schema.sql.eachRow(answer, COLUMNS, add);
  eachNewest(schema, newest, what, add);
  return rows;
}

/** In PostgreSQL, the newest rows are a statement that other facts share. */
const withNewest = (schema: Schema, nowMs: number, query: string): string[] => {
  const newest = schema.sql.backend === "postgres" ? newestRowsQuery(schema, nowMs) : null;
  return newest === null ? [query] : [query, newest];
};

export const endedWithoutTime: SqlFact<readonly FinishedRow[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "started_at", "completed_at"),
  statements: (schema, { now }) => withNewest(schema, now(), endedWithoutTimeQuery(schema, now())),
  parse: (answers, { schema }) => parseRows(schema, answers, "endless"),
};

export const endedBeforeStart: SqlFact<readonly FinishedRow[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "started_at", "completed_at"),
  statements: (schema, { now }) => withNewest(schema, now(), endedBeforeStartQuery(schema, now())),
  parse: (answers, { schema }) => parseRows(schema, answers, "backward"),
};
