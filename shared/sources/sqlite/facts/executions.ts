/** The queued and running rows of the executions, and which of them have a Claude session. */
import {
  type Execution,
  type Facts,
  type LiveStatus,
  TERMINAL_STATUSES,
  type UnreadableRow,
} from "../../../facts/facts.ts";
import { type parseTimestamp, timestampReader } from "../../../time.ts";
import { needsExecutions, needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { eachRow, packed, type Row, rowsOf, UNREADABLE } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { countOf, EXECUTIONS, indexedBy, integer, isFilled, quoted, shown, textOf } from "../sql.ts";

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
  const filled = (column: string) => (schema.hasColumn(EXECUTIONS, column) ? isFilled(`e.${column}`) : "0");
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
    return `SELECT DISTINCT ${shown("status")} FROM ${EXECUTIONS} WHERE status NOT IN (${quoted(KNOWN_STATUSES)}) LIMIT 20`;
  const from = `FROM ${EXECUTIONS} ${indexedBy(schema.statusIndex)}`;
  return `WITH RECURSIVE distinct_status(value) AS (
SELECT (SELECT min(status) ${from})
UNION ALL
SELECT (SELECT min(status) ${from} WHERE status > value) FROM distinct_status WHERE value IS NOT NULL)
SELECT ${shown("value")} FROM distinct_status
WHERE value IS NOT NULL AND value NOT IN (${quoted(KNOWN_STATUSES)}) LIMIT 20`;
}

/** What a row says beside its id and its agent. */
function stateOf(row: Row<(typeof COLUMNS)[number]>, timestamp: typeof parseTimestamp) {
  const { started = null, lease } = row;
  return {
    status: row.status as LiveStatus,
    startedAt: started,
    startedAtMs: timestamp(started),
    queuedAtMs: timestamp(row.queued ?? null),
    lease: lease === null || lease === "" ? null : { expiresAtMs: timestamp(lease ?? null) },
    retryScheduled: row.retried === "1",
    scheduleTimeoutSeconds: countOf(row.timeout),
  };
}

export const executions: SqlFact<Facts["executions"]> = {
  missing: needsExecutions,
  statements: (schema) => [executionsQuery(schema), unknownStatusesQuery(schema)],
  parse([answer, unknownStatuses], { report }) {
    const live: Execution[] = [];
    const unreadable: UnreadableRow[] = [];
    const timestamp = timestampReader();
    eachRow(answer, COLUMNS, (row) => {
      const { id, agent } = row;
      const state = stateOf(row, timestamp);
      if (typeof id === "string" && typeof agent === "string") {
        live.push({ id, agent, ...state });
        return;
      }
      if (typeof agent !== "string") report(`sqlite.executions: a live row's agent_name ${UNREADABLE}`);
      else report(`sqlite.executions[${agent}]: a live row's id ${UNREADABLE}`);
      unreadable.push({ id: id ?? null, agent: agent ?? null, ...state });
    });
    for (const [status] of rowsOf(unknownStatuses))
      report(
        `sqlite.executions: unknown status ${JSON.stringify(textOf(status) ?? "(not UTF-8)")}, taken for neither live nor terminal`,
      );
    return { live, unreadable };
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
