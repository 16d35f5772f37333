/** The queued and running rows of the executions, and which of them have a Claude session. */
import {
  CHAT_TRIGGERS,
  type Execution,
  type Facts,
  type LiveStatus,
  type RowName,
  TERMINAL_STATUSES,
  type UnreadableRow,
} from "../../../facts/facts.ts";
import { HOUR_MS, parseTimestamp, timestampReader } from "../../../time.ts";
import { needsExecutions, needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { eachRow, packed, type QueryAnswer, type Row, rowsOf, UNREADABLE } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { countOf, EXECUTIONS, indexedBy, integer, isFilled, quoted, shown, textOf } from "../sql.ts";

const KNOWN_STATUSES: readonly string[] = ["queued", "running", "pending_retry", ...TERMINAL_STATUSES];

/** `session` is 0 or 1; `timeout` is that of the row's schedule. */
const COLUMNS = [
  "id",
  "agent",
  "status",
  "started",
  "queued",
  "lease",
  "trigger",
  "session",
  "timeout",
] as const;

export function executionsQuery(schema: Schema): string {
  // The limit keeps SQLite from merging this query into the packing, which would ask for each column several times.
  const text = (column: string) => (schema.hasColumn(EXECUTIONS, column) ? `e.${column}` : "NULL");
  const filled = (column: string) =>
    schema.hasColumn(EXECUTIONS, column) ? isFilled(`e.${column}`) : "NULL";
  const schedules =
    schema.hasColumn("agent_schedules", "timeout_seconds") && schema.hasColumn(EXECUTIONS, "schedule_id");
  return packed(
    COLUMNS,
    `SELECT e.id AS id, e.agent_name AS agent, e.status AS status, ${text("started_at")} AS started,
${text("queued_at")} AS queued, ${text("lease_expires_at")} AS lease, ${text("triggered_by")} AS trigger,
${filled("claude_session_id")} AS session, ${schedules ? integer("s.timeout_seconds") : "NULL"} AS timeout
FROM ${EXECUTIONS} e ${indexedBy(schema.statusIndex)}
${schedules ? "LEFT JOIN agent_schedules s ON s.id = e.schedule_id" : ""}
WHERE e.status IN ('queued', 'running') LIMIT -1`,
  );
}

const TURN = ["id", "others"] as const;
/** No run is longer, and so none that began earlier is looked for. */
const LONGEST_RUN_HOURS = 3;
/** More runs of one agent at once than any cap allows. */
const MOST_AT_ONCE = 100;
/** Runs that begin together acquire their slots in another order than their rows are made in. */
const BEGIN_TOGETHER_SECONDS = 3;
/** A run that ends releases its slot a little after its row says so. */
const RELEASE_SECONDS = 1;
/** More chat turns at once than a platform of any size has. */
const MOST_TURNS = 20_000;

/**
 * Counts for each running chat turn the other runs of its agent that were under way when it began. A turn that found no free
 * slot goes on without one, also when slots are free again: this says whether it may have been one. In doubt a run is counted.
 * @returns null where the installation lacks a column, or the index without which history would be visited
 */
export function runsAtStartQuery(schema: Schema): string | null {
  const hasAll = ["triggered_by", "completed_at"].every((column) => schema.hasColumn(EXECUTIONS, column));
  if (!hasAll || !schema.agentStartIndex) return null;
  const then = (seconds: string) => `strftime('%Y-%m-%dT%H:%M:%S', e.started_at, '${seconds}')`;
  return packed(
    TURN,
    // The limit keeps SQLite from computing the count again for each mention of its column.
    `SELECT e.id AS id, (SELECT COUNT(*) FROM (SELECT 1 FROM ${EXECUTIONS} o ${indexedBy(schema.agentStartIndex)}
WHERE o.agent_name = e.agent_name AND o.id <> e.id AND o.status <> 'queued'
AND o.started_at >= ${then(`-${LONGEST_RUN_HOURS} hours`)} AND o.started_at <= ${then(`+${BEGIN_TOGETHER_SECONDS} seconds`)}
AND (o.status = 'running' OR o.completed_at >= ${then(`-${RELEASE_SECONDS} seconds`)}) LIMIT ${MOST_AT_ONCE})) AS others
FROM ${EXECUTIONS} e ${indexedBy(schema.statusIndex)}
WHERE e.status = 'running' AND e.triggered_by IN (${quoted(CHAT_TRIGGERS)}) LIMIT ${MOST_TURNS}`,
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

/** The counts of `runsAtStartQuery`, by the row's id. */
function runsAtStartOf(answer: QueryAnswer | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (answer === undefined) return counts;
  eachRow(answer, TURN, ({ id, others }) => {
    if (typeof id === "string") counts.set(id, Number(others));
  });
  return counts;
}

/** What a row says beside its id and its agent. */
function stateOf(
  row: Row<(typeof COLUMNS)[number]>,
  counts: ReadonlyMap<string, number>,
  timestamp: typeof parseTimestamp,
) {
  const { started = null, lease } = row;
  return {
    status: row.status as LiveStatus,
    startedAt: started,
    startedAtMs: timestamp(started),
    queuedAtMs: timestamp(row.queued ?? null),
    lease:
      lease === null || lease === ""
        ? null
        : { expiresAt: lease ?? "(unreadable)", expiresAtMs: timestamp(lease ?? null) },
    triggeredBy: row.trigger ?? null,
    hasSession: row.session === null ? null : row.session === "1",
    runsAtStart: counts.get(row.id ?? "") ?? null,
    scheduleTimeoutSeconds: countOf(row.timeout),
  };
}

export const executions: SqlFact<Facts["executions"]> = {
  missing: needsExecutions,
  statements: (schema) => {
    const runsAtStart = runsAtStartQuery(schema);
    return [
      executionsQuery(schema),
      unknownStatusesQuery(schema),
      ...(runsAtStart === null ? [] : [runsAtStart]),
    ];
  },
  parse([answer, unknownStatuses, runsAtStart], { report }) {
    const counts = runsAtStartOf(runsAtStart);
    const live: Execution[] = [];
    const unreadable: UnreadableRow[] = [];
    const timestamp = timestampReader();
    eachRow(answer, COLUMNS, (row) => {
      const { id, agent } = row;
      const state = stateOf(row, counts, timestamp);
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

/** Rows that are looked at: the newest were inserted last, whatever their agents and ids. */
const NEWEST = 50;
const START = ["started"] as const;
/** A row that begins later than this can't be one of a platform whose clock is right. */
const MAX_AHEAD_MS = HOUR_MS;

export const newestStart: SqlFact<Facts["newestStart"]> = {
  missing: needsExecutions,
  statements: () => [
    packed(START, `SELECT started_at AS started FROM ${EXECUTIONS} ORDER BY rowid DESC LIMIT ${NEWEST}`),
  ],
  parse([answer], { time }) {
    let newest: number | null = null;
    eachRow(answer, START, ({ started = null }) => {
      const ms = parseTimestamp(started);
      if (ms !== null && ms <= time.toMs + MAX_AHEAD_MS) newest = Math.max(newest ?? ms, ms);
    });
    return newest;
  },
};

const RETRY = ["id", "agent"] as const;

/** Rows whose retry was made stay `pending_retry` for ever: they are history, and are not visited. */
export function waitingRetriesQuery({ retryIndex, statusIndex }: Schema): string {
  return packed(
    RETRY,
    `SELECT id, agent_name AS agent FROM ${EXECUTIONS} ${indexedBy(retryIndex?.name ?? statusIndex)}
WHERE retry_scheduled_at IS NOT NULL AND status = 'pending_retry'`,
  );
}

export const waitingRetries: SqlFact<Facts["waitingRetries"]> = {
  missing: needsExecutions,
  statements: (schema) =>
    schema.hasColumn(EXECUTIONS, "retry_scheduled_at") ? [waitingRetriesQuery(schema)] : [],
  parse([answer]) {
    const rows: RowName[] = [];
    if (answer === undefined) return rows;
    eachRow(answer, RETRY, ({ id, agent }) => void rows.push({ id: id ?? null, agent: agent ?? null }));
    return rows;
  },
};
