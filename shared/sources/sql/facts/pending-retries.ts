/** The rows that wait for their retry, and those whose retry was made lately. */
import type { Facts, RowName } from "../../../facts/facts.ts";
import { needsExecutions, type SqlFact } from "../fact.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS } from "../values.ts";
import { eachNewest, newestRowsQuery } from "./newest-rows.ts";

const COLUMNS = ["id", "agent"] as const;

/** A row whose retry was made a moment ago is among these. Older ones are history, and are not visited. */
const NEWEST_RETRIED = 5_000;

/**
 * Selects the rows that wait for their retry, and those of the newest whose retry was made. In PostgreSQL, the latter are in
 * a statement of their own.
 */
export function pendingRetriesQuery({ sql, retryIndex, statusIndex }: Schema): string {
  const waiting = `SELECT id, agent_name AS agent FROM ${EXECUTIONS} ${sql.indexedBy(retryIndex?.name ?? statusIndex)}
WHERE retry_scheduled_at IS NOT NULL AND ${sql.text("status")} = 'pending_retry'`;
  if (sql.backend === "postgres") return sql.rows(COLUMNS, waiting);
  return sql.rows(
    COLUMNS,
    `${waiting}
UNION ALL SELECT id, agent_name FROM ${EXECUTIONS} ${statusIndex ? sql.indexedBy(statusIndex) : "NOT INDEXED"}
WHERE status = 'pending_retry' AND rowid > (SELECT max(rowid) FROM ${EXECUTIONS}) - ${NEWEST_RETRIED}
AND retry_scheduled_at IS NULL`,
  );
}

export const pendingRetries: SqlFact<Facts["pendingRetries"]> = {
  missing: needsExecutions,
  statements: (schema, { now }) => {
    if (!schema.hasColumn(EXECUTIONS, "retry_scheduled_at")) return [];
    const newest = schema.sql.backend === "postgres" ? newestRowsQuery(schema, now()) : null;
    return [pendingRetriesQuery(schema), ...(newest === null ? [] : [newest])];
  },
  parse([answer, newest], { schema }) {
    const rows: RowName[] = [];
    if (answer === undefined) return rows;
    schema.sql.eachRow(answer, COLUMNS, ({ id = null, agent = null }) => void rows.push({ id, agent }));
    eachNewest(schema, newest, "retried", ({ id = null, agent = null }) => void rows.push({ id, agent }));
    return rows;
  },
};
