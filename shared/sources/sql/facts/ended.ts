/** The rows that became terminal since the last cycle, and the cursor for the next. */
import { type Ended, type EndedCursor, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { formatInstant } from "../../../time.ts";
import { needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { UNREADABLE } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted } from "../values.ts";

/** Rows that ended this long before the cursor are read again: the platform's clock and commit may lag behind ours. */
const OVERLAP_MS = 5 * 60_000;
/** How far the first cycle, or one after a long pause, looks back. */
const LOOK_BACK_MS = 60 * 60_000;

/** `status` is an index into TERMINAL_STATUSES. */
const COLUMNS = ["id", "status"] as const;

/**
 * The condition of the index on completed_at, for the planner to see that it may use it. PostgreSQL sees that by
 * `status IN (…)`.
 */
export const endedCondition = ({ sql, endedIndex }: Schema): string =>
  sql.backend === "sqlite" && endedIndex ? `${endedIndex.where} AND ` : "";

/**
 * The upper end of a range of completed_at that has none. It leaves nothing out. With two ends, PostgreSQL's planner takes
 * the range for small also where it has no statistics yet, as just after a migration.
 */
const upTo = ({ sql }: Schema, isTerminal: string): string =>
  sql.backend === "sqlite"
    ? ""
    : ` AND ${sql.text("completed_at")} <= (SELECT max(${sql.text("completed_at")}) FROM ${EXECUTIONS} WHERE ${isTerminal})`;

/**
 * Selects the rows that became terminal since the cursor. Every terminal write sets completed_at; a row without one is E-03's.
 * The order of usual timestamps is the same in every collation: digits are compared with digits, and a space with a T.
 * @param since where the last read stopped; null for the first
 */
export function endedQuery(schema: Schema, since: EndedCursor | null, nowMs: number): string {
  const { sql, endedIndex } = schema;
  const boundMs = Math.max((since?.readAtMs ?? 0) - OVERLAP_MS, nowMs - LOOK_BACK_MS);
  const bound = formatInstant(boundMs).slice(0, 19);
  const day = bound.slice(0, 10);
  const completed = sql.text("completed_at");
  const isTerminal = `${sql.text("status")} IN (${quoted(TERMINAL_STATUSES)})`;
  const status = `CASE ${sql.text("status")} ${TERMINAL_STATUSES.map((s, i) => `WHEN '${s}' THEN ${i}`).join(" ")} END`;
  const ended = `SELECT id, ${status} AS status FROM ${EXECUTIONS} ${sql.indexedBy(endedIndex?.name ?? null)}
WHERE ${endedCondition(schema)}${isTerminal}`;
  // SQLite's own datetime() writes a space where the platform writes a T; a space sorts before a T of the same day.
  return sql.rows(
    COLUMNS,
    `${ended} AND ${completed} >= '${bound}'${upTo(schema, isTerminal)}
UNION ALL ${ended} AND ${completed} >= '${bound.replace("T", " ")}' AND ${completed} < '${day}T'`,
  );
}

export const ended: SqlFact<Ended> = {
  missing: needsExecutionsColumn("completed_at"),
  statements: (schema, { since, now }) => [endedQuery(schema, since.ended, now())],
  parse([answer], { schema: { sql }, time, report }) {
    const rows: Ended["rows"][number][] = [];
    sql.eachRow(answer, COLUMNS, ({ id, status }) => {
      if (typeof id === "string") rows.push({ id, status: TERMINAL_STATUSES[Number(status)]! });
      else report(`ended: a row's id ${UNREADABLE}`);
    });
    return { rows, cursor: { readAtMs: time.fromMs } };
  },
};
