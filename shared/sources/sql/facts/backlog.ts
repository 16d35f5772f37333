/** The queued rows whose backlog_metadata is wrong. It is looked at inside the database: it holds prompts, and never leaves it. */
import type { BacklogDefect } from "../../../facts/facts.ts";
import { needsColumns, needsExecutions, type SqlFact } from "../fact.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS } from "../values.ts";
import { isJson } from "./json.ts";

/** How much metadata one read parses: some 30 ms of a server's time, where all of it is one image. */
const MAX_PARSED_BYTES = 8_000_000;

/** The sum of the rows up to this one, of which one that is too large by itself is not part. */
export const sumUpTo = (bytes: string, most: number): string =>
  `sum(CASE WHEN ${bytes} > ${most} THEN 0 ELSE ${bytes} END) OVER (ORDER BY place)`;

/**
 * The table `queue`: the queued rows (their rowids in SQLite, the rows themselves in PostgreSQL), and whether their metadata is
 * more than is parsed. Neither loads the metadata for that.
 * @param columns what is looked at of each row: a role may be granted single columns
 */
export function queueOf({ sql, statusIndex }: Schema, columns: readonly string[]): string {
  const tooMuch = `bytes > ${MAX_PARSED_BYTES} OR ${sumUpTo("bytes", MAX_PARSED_BYTES)} > ${MAX_PARSED_BYTES} AS is_too_much`;
  if (sql.backend === "sqlite")
    return `queue AS (SELECT place, ${tooMuch} FROM (
SELECT rowid AS place, coalesce(octet_length(backlog_metadata), 0) AS bytes FROM ${EXECUTIONS} ${sql.indexedBy(statusIndex)}
WHERE status = 'queued'))`;
  const metadata = sql.text("backlog_metadata");
  return `queue AS MATERIALIZED (SELECT *, ${tooMuch} FROM (
SELECT id, agent_name, ${columns.join(", ")}, row_number() OVER () AS place, coalesce(octet_length(${metadata}), 0) AS bytes FROM ${EXECUTIONS} WHERE ${sql.text("status")} = 'queued') AS queued)`;
}

/** Joins a table of places with the rows. @param table what has a column `place` */
export const rowsAt = ({ sql }: Schema, table: string): string =>
  sql.backend === "sqlite" ? `${table} CROSS JOIN ${EXECUTIONS} ON rowid = place` : table;

/**
 * Selects what is wrong with queued rows.
 * @param tables defines `judged` with (place, wrong)
 */
export const wrongRows = ({ sql }: Schema, tables: readonly string[], columns: readonly string[]): string =>
  sql.rows(
    columns,
    `WITH ${tables.join(", ")} SELECT e.id AS id, e.agent_name AS agent, wrong AS ${columns.at(-1)}
FROM judged ${sql.backend === "sqlite" ? `CROSS JOIN ${EXECUTIONS} e ON e.rowid = place` : "JOIN queue e USING (place)"}
WHERE wrong IS NOT NULL`,
  );

const COLUMNS = ["id", "agent", "defect"] as const;

/** Selects the queued rows without queued_at, or whose backlog_metadata is NULL or not JSON. */
export const backlogDefectsQuery = (schema: Schema): string =>
  wrongRows(
    schema,
    [
      queueOf(schema, ["queued_at", "backlog_metadata"]),
      `judged AS MATERIALIZED (SELECT place, CASE WHEN queued_at IS NULL THEN 'queued_at_null'
WHEN backlog_metadata IS NULL THEN 'backlog_metadata_null' WHEN is_too_much THEN 'unread'
WHEN NOT ${isJson(schema, "backlog_metadata")} THEN 'backlog_metadata_invalid_json' END AS wrong
FROM ${rowsAt(schema, "queue")})`,
    ],
    COLUMNS,
  );

export const backlogDefects: SqlFact<readonly BacklogDefect[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "queued_at", "backlog_metadata"),
  statements: (schema) => [backlogDefectsQuery(schema)],
  parse([answer], { schema: { sql } }) {
    const rows: BacklogDefect[] = [];
    sql.eachRow(answer, COLUMNS, ({ id = null, agent = null, defect }) => {
      rows.push({ id, agent, defect: defect as BacklogDefect["defect"] });
    });
    return rows;
  },
};
