/** When the newest rows of the executions began. */
import { type Facts, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { isRowsInstant } from "../../../facts/trust.ts";
import { DAY_MS, parseTimestamp } from "../../../time.ts";
import { needsExecutions, type SqlFact } from "../fact.ts";
import type { Field } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted, secondText } from "../values.ts";
import { eachExecution, executionsQuery } from "./executions.ts";
import { eachNewest, newestRowsQuery } from "./newest-rows.ts";

/** Rows that are looked at. */
const NEWEST = 50;
const COLUMNS = ["started", "ended"] as const;

const hasEnd = (schema: Schema): boolean => schema.hasColumn(EXECUTIONS, "completed_at");

/**
 * Selects the times of the newest rows. In SQLite they were inserted last, whatever their agents and ids. In PostgreSQL they
 * are those that ended last; the live ones, and those that began last, are in statements of other facts.
 * @returns null where no row has an end
 */
export function newestStartQuery(schema: Schema, nowMs: number): string | null {
  const { sql } = schema;
  if (sql.backend === "sqlite")
    return sql.rows(
      COLUMNS,
      `SELECT started_at AS started, ${hasEnd(schema) ? "completed_at" : "NULL"} AS ended FROM ${EXECUTIONS} ORDER BY rowid DESC LIMIT ${NEWEST}`,
    );
  if (!hasEnd(schema)) return null;
  const completed = sql.text("completed_at");
  return sql.rows(
    COLUMNS,
    `SELECT started_at AS started, completed_at AS ended FROM ${EXECUTIONS}
WHERE ${sql.text("status")} IN (${quoted(TERMINAL_STATUSES)}) AND ${completed} < '${secondText(nowMs + 2 * DAY_MS)}'
ORDER BY ${completed} DESC LIMIT ${NEWEST}`,
  );
}

export const newestStart: SqlFact<Facts["newestStart"]> = {
  missing: needsExecutions,
  statements: (schema, { now }) => {
    const newest = [newestStartQuery(schema, now())];
    if (schema.sql.backend === "postgres")
      newest.push(executionsQuery(schema), newestRowsQuery(schema, now()));
    return newest.filter((statement) => statement !== null);
  },
  parse(answers, { schema, time }) {
    const { sql } = schema;
    let newest: number | null = null;
    const look = (...texts: Field[]) => {
      for (const text of texts) {
        const ms = parseTimestamp(text ?? null);
        if (ms !== null && isRowsInstant(ms, time)) newest = Math.max(newest ?? ms, ms);
      }
    };
    const rest = [...answers];
    if (sql.backend === "sqlite" || hasEnd(schema))
      sql.eachRow(rest.shift(), COLUMNS, ({ started, ended }) => look(started, ended));
    if (sql.backend === "postgres") {
      eachExecution(schema, rest.shift(), ({ started }) => look(started));
      eachNewest(schema, rest.shift(), "start", ({ started, completed }) => look(started, completed));
    }
    return newest;
  },
};
