/** The queued and running rows of the executions, and which of them have a Claude session. */
import { type Execution, type Facts, type LiveStatus, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { timestampReader } from "../../../time.ts";
import { needsExecutions, needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { eachRow, packed, rowsOf } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { blob, countOf, EXECUTIONS, indexedBy, integer, quoted, textOf } from "../sql.ts";

const KNOWN_STATUSES: readonly string[] = ["queued", "running", "pending_retry", ...TERMINAL_STATUSES];

/** `retried` and `session` are 0 or 1; `timeout` is that of the row's schedule. */
const COLUMNS = [
  "id",
  "agent",
  "status",
  "started",
  "queued",
  "lease",
  "retried",
  "session",
  "timeout",
] as const;

export function executionsQuery(schema: Schema): string {
  const text = (column: string) => (schema.hasColumn(EXECUTIONS, column) ? `e.${column}` : "NULL");
  const filled = (column: string) =>
    schema.hasColumn(EXECUTIONS, column) ? `(e.${column} IS NOT NULL AND e.${column} <> '')` : "0";
  const schedules =
    schema.hasColumn("agent_schedules", "timeout_seconds") && schema.hasColumn(EXECUTIONS, "schedule_id");
  return packed(
    COLUMNS,
    `SELECT e.id AS id, e.agent_name AS agent, e.status AS status, ${text("started_at")} AS started,
${text("queued_at")} AS queued, ${text("lease_expires_at")} AS lease, ${filled("retry_scheduled_at")} AS retried,
${filled("claude_session_id")} AS session, ${schedules ? integer("s.timeout_seconds") : "NULL"} AS timeout
FROM ${EXECUTIONS} e ${indexedBy(schema.statusIndex)}
${schedules ? "LEFT JOIN agent_schedules s ON s.id = e.schedule_id" : ""}
WHERE e.status IN ('queued', 'running')`,
  );
}

/** Selects the statuses that are not in the contract. It steps through the index from one distinct value to the next. */
export function unknownStatusesQuery(schema: Schema): string {
  if (!schema.statusIndex)
    return `SELECT DISTINCT ${blob("status")} FROM ${EXECUTIONS} WHERE status NOT IN (${quoted(KNOWN_STATUSES)}) LIMIT 20`;
  const from = `FROM ${EXECUTIONS} ${indexedBy(schema.statusIndex)}`;
  return `WITH RECURSIVE distinct_status(value) AS (
SELECT (SELECT min(status) ${from})
UNION ALL
SELECT (SELECT min(status) ${from} WHERE status > value) FROM distinct_status WHERE value IS NOT NULL)
SELECT ${blob("value")} FROM distinct_status
WHERE value IS NOT NULL AND value NOT IN (${quoted(KNOWN_STATUSES)}) LIMIT 20`;
}

export const executions: SqlFact<Facts["executions"]> = {
  missing: needsExecutions,
  statements: (schema) => [executionsQuery(schema), unknownStatusesQuery(schema)],
  parse([answer, unknownStatuses], { report }) {
    const live: Execution[] = [];
    const unseenAgents = new Set<string>();
    const unseenIds = new Set<string>();
    const parseTimestamp = timestampReader();
    eachRow(answer, COLUMNS, (row) => {
      const { id, agent, started = null, lease } = row;
      if (typeof agent !== "string") {
        if (typeof id === "string") unseenIds.add(id);
        report("sqlite.executions: a live row's agent_name can't be read");
      } else if (typeof id !== "string") {
        unseenAgents.add(agent);
        report(`sqlite.executions[${agent}]: a live row's id can't be read`);
      } else
        live.push({
          id,
          agent,
          status: row.status as LiveStatus,
          startedAt: started,
          startedAtMs: parseTimestamp(started),
          queuedAtMs: parseTimestamp(row.queued ?? null),
          lease: lease === null || lease === "" ? null : { expiresAtMs: parseTimestamp(lease ?? null) },
          retryScheduled: row.retried === "1",
          scheduleTimeoutSeconds: countOf(row.timeout),
        });
    });
    for (const [status] of rowsOf(unknownStatuses))
      report(
        `sqlite.executions: unknown status ${JSON.stringify(textOf(status) ?? "(no UTF-8)")}, taken for neither live nor terminal`,
      );
    return { live, unseenAgents, unseenIds };
  },
};

export const sessions: SqlFact<Facts["sessions"]> = {
  missing: needsExecutionsColumn("claude_session_id"),
  statements: (schema) => [executionsQuery(schema)],
  parse([answer]) {
    const ids = new Set<string>();
    eachRow(answer, COLUMNS, ({ id, session }) => {
      if (session === "1" && typeof id === "string") ids.add(id);
    });
    return ids;
  },
};
