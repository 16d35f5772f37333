/** When the newest rows of the executions began. */
import { type Facts, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { isRowsInstant } from "../../../facts/trust.ts";
import { DAY_MS, parseTimestamp } from "../../../time.ts";
import { needsExecutions, type SqlFact } from "../fact.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted, secondText } from "../values.ts";
import { eachNewest, newestRowsQuery } from "./newest-rows.ts";

/** Rows that are looked at. */
const NEWEST = 50;
const COLUMNS = ["started", "ended"] as const;

/**
 * Selects the times of the newest rows. In SQLite they were inserted last, whatever their agents and ids. In PostgreSQL they
 * are those that ended last; those that began last are in a statement of their own.
 */
export function newestStartQuery(schema: Schema, nowMs: number): string {
  const { sql } = schema;
  const hasEnd = schema.hasColumn(EXECUTIONS, "completed_at");
  const times = `started_at AS started, ${hasEnd ? "completed_at" : "NULL"} AS ended`;
  if (sql.backend === "sqlite")
    return sql.rows(COLUMNS, `SELECT ${times} FROM ${EXECUTIONS} ORDER BY rowid DESC LIMIT ${NEWEST}`);
  const live = `SELECT ${times} FROM ${EXECUTIONS} WHERE ${sql.text("status")} IN ('queued', 'running')`;
  if (!hasEnd) return sql.rows(COLUMNS, live);
  const completed = sql.text("completed_at");
  return sql.rows(
    COLUMNS,
    `${live} UNION ALL (SELECT ${times} FROM ${EXECUTIONS}
WHERE ${sql.text("status")} IN (${quoted(TERMINAL_STATUSES)}) AND ${completed} < '${secondText(nowMs + 2 * DAY_MS)}'
ORDER BY ${completed} DESC LIMIT ${NEWEST})`,
  );
}

export const newestStart: SqlFact<Facts["newestStart"]> = {
  missing: needsExecutions,
  statements: (schema, { now }) => {
    const newest = schema.sql.backend === "postgres" ? newestRowsQuery(schema, now()) : null;
    return [newestStartQuery(schema, now()), ...(newest === null ? [] : [newest])];
  },
  parse([answer, newestRows], { schema, time }) {
    let newest: number | null = null;
    const look = (text: string | null) => {
      const ms = parseTimestamp(text);
      if (ms !== null && isRowsInstant(ms, time)) newest = Math.max(newest ?? ms, ms);
    };
    schema.sql.eachRow(answer, COLUMNS, ({ started = null, ended = null }) => {
      look(started);
      look(ended);
    });
    eachNewest(schema, newestRows, "start", ({ started = null, completed = null }) => {
      look(started);
      look(completed);
    });
    return newest;
  },
};
