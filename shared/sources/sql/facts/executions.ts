/** The queued and running rows of the executions, and which of them have a Claude session. */
import {
  type Execution,
  type Facts,
  type LiveStatus,
  TERMINAL_STATUSES,
  type UnreadableRow,
} from "../../../facts/facts.ts";
import { admittedAtMs, CHAT_TRIGGERS, isChatTurn } from "../../../facts/runs.ts";
import { type parseTimestamp, timestampReader } from "../../../time.ts";
import type { Dialect } from "../dialect.ts";
import { deniedText, needsExecutions, needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { countOf, type QueryAnswer, type Row, rowsOf, textOf, UNREADABLE } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, quoted } from "../values.ts";

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
  "conversation",
  "session",
  "timeout",
] as const;

const SCHEDULES = "agent_schedules";

/** Where the schedules' timeouts may not be read, no row's is known. */
const deniedTimeout = (schema: Schema): string | null =>
  [null, "id", "timeout_seconds"]
    .map((column) => ({ table: SCHEDULES, column }))
    .filter(({ table, column }) => schema.isDenied(table, column))
    .map(deniedText)[0] ?? null;

export function executionsQuery(schema: Schema): string {
  const { sql } = schema;
  const text = (column: string) => (schema.hasColumn(EXECUTIONS, column) ? `e.${column}` : "NULL");
  const filled = (column: string) =>
    schema.hasColumn(EXECUTIONS, column) ? sql.flag(sql.isFilled(`e.${column}`)) : "NULL";
  const isDenied = deniedTimeout(schema) !== null;
  const schedules =
    !isDenied &&
    schema.hasColumn(SCHEDULES, "timeout_seconds") &&
    schema.hasColumn(EXECUTIONS, "schedule_id");
  return sql.rows(
    COLUMNS,
    `SELECT e.id AS id, e.agent_name AS agent, e.status AS status, ${text("started_at")} AS started,
${text("queued_at")} AS queued, ${text("lease_expires_at")} AS lease, ${text("triggered_by")} AS trigger,
${text("conversation_key")} AS conversation,
${filled("claude_session_id")} AS session, ${schedules ? sql.integer("s.timeout_seconds") : isDenied ? "'?'" : "NULL"} AS timeout
FROM ${EXECUTIONS} e ${sql.indexedBy(schema.statusIndex)}
${schedules ? `LEFT JOIN ${SCHEDULES} s ON ${sql.text("s.id")} = ${sql.text("e.schedule_id")}` : ""}
WHERE ${sql.text("e.status")} IN ('queued', 'running') ${sql.fence}`,
  );
}

/** Calls `visit` for each row of `executionsQuery`, as `Dialect.eachRow` does. */
export const eachExecution = (
  { sql }: Schema,
  answer: QueryAnswer | undefined,
  visit: (row: Row<(typeof COLUMNS)[number]>) => void,
): void => sql.eachRow(answer, COLUMNS, visit);

const TURN = ["id", "others"] as const;
/** Runs of an agent that are looked at for each turn: those that began before it, and those that were dispatched after it. */
const LOOKED_AT = { before: 100, after: 40 } as const;
/** Turns for which this is counted. What ran at the start of the others is not known. */
const MOST_TURNS = 100;
/** Runs that begin together acquire their slots in another order than their rows are made in. */
const BEGIN_TOGETHER_SECONDS = 3;
/** A run that ends releases its slot a little after its row says so. */
const RELEASE_SECONDS = 1;

/**
 * Counts for each running chat turn the runs of its agent that were under way when it began and have ended since. A turn that
 * found no free slot goes on without one, also when slots are free again: with the runs that are still live, this says whether
 * it may have been one. In doubt a run is counted. A run whose dispatch was parked restarts its age: queued_at keeps when it
 * was admitted.
 * @returns null where the installation lacks a column, or the index without which history would be visited
 */
export function endedSinceQuery(schema: Schema): string | null {
  const hasAll = ["triggered_by", "completed_at"].every((column) => schema.hasColumn(EXECUTIONS, column));
  if (!hasAll || !schema.agentStartIndex) return null;
  const { sql } = schema;
  const hasQueuedAt = schema.hasColumn(EXECUTIONS, "queued_at");
  const then = (seconds: number) => {
    const started = sql.secondAfter("e.started_at", seconds);
    return hasQueuedAt ? `COALESCE(${sql.secondAfter("e.queued_at", seconds)}, ${started})` : started;
  };
  const leased = schema.hasColumn(EXECUTIONS, "lease_expires_at") ? "o.lease_expires_at" : "NULL";
  /** Counts among the runs of the agent that began next to that instant, on one side of it. */
  const count = (
    side: "<=" | ">",
    order: "DESC" | "ASC",
    most: number,
    more: string,
  ) => `(SELECT COUNT(*) FROM (
SELECT o.status AS was, o.completed_at AS ended, ${leased} AS leased, ${hasQueuedAt ? "o.queued_at" : "NULL"} AS queued
FROM ${EXECUTIONS} o ${sql.indexedBy(schema.agentStartIndex)}
WHERE o.agent_name = turns.agent_name AND o.started_at ${side} turns.begun ORDER BY o.started_at ${order} LIMIT ${most}) AS others
WHERE ${sql.text("was")} IN ('success', 'failed', 'cancelled') AND leased IS NULL AND ${sql.text("ended")} >= turns.released${more})`;
  const parked = hasQueuedAt
    ? ` + ${count(">", "ASC", LOOKED_AT.after, ` AND ${sql.text("queued")} <= turns.begun`)}`
    : "";
  return sql.rows(
    TURN,
    // The limit keeps SQLite from computing the count again for each mention of its column.
    `WITH turns AS MATERIALIZED (SELECT e.id, e.agent_name, ${then(BEGIN_TOGETHER_SECONDS)} AS begun, ${then(-RELEASE_SECONDS)} AS released
FROM ${EXECUTIONS} e ${sql.indexedBy(schema.statusIndex)}
WHERE ${sql.text("e.status")} = 'running' AND ${sql.text("e.triggered_by")} IN (${quoted(CHAT_TRIGGERS)}) LIMIT ${MOST_TURNS})
SELECT turns.id AS id, ${count("<=", "DESC", LOOKED_AT.before, "")}${parked} AS others FROM turns LIMIT ${MOST_TURNS}`,
  );
}

/** Selects the statuses that are not in the contract. It steps through the index from one distinct value to the next. */
export function unknownStatusesQuery(schema: Schema): string {
  const { sql } = schema;
  const status = sql.text("status");
  if (!schema.statusIndex)
    return `SELECT DISTINCT ${sql.shown("status")} FROM ${EXECUTIONS} WHERE ${status} NOT IN (${quoted(KNOWN_STATUSES)}) LIMIT 20`;
  const from = `FROM ${EXECUTIONS} ${sql.indexedBy(schema.statusIndex)}`;
  return `WITH RECURSIVE distinct_status(value) AS (
SELECT (SELECT min(${status}) ${from})
UNION ALL
SELECT (SELECT min(${status}) ${from} WHERE ${status} > value) FROM distinct_status WHERE value IS NOT NULL)
SELECT ${sql.shown("value")} FROM distinct_status
WHERE value IS NOT NULL AND value NOT IN (${quoted(KNOWN_STATUSES)}) LIMIT 20`;
}

/** The counts of `endedSinceQuery`, by the row's id. */
function endedSinceOf(sql: Dialect, answer: QueryAnswer | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  if (answer === undefined) return counts;
  sql.eachRow(answer, TURN, ({ id, others }) => {
    if (typeof id === "string") counts.set(id, Number(others));
  });
  return counts;
}

/** Adds to each chat turn how many other runs of its agent were under way when it began: those that ended since, and the live ones. */
function withRunsAtStart(live: readonly Execution[], endedSince: ReadonlyMap<string, number>): Execution[] {
  if (endedSince.size === 0) return [...live];
  const startsOf = new Map<string, number[]>();
  for (const row of live) {
    if (row.status !== "running" || row.lease !== null) continue;
    const starts = startsOf.get(row.agent) ?? [];
    startsOf.set(row.agent, starts);
    // When a row without a readable start began is not known: it is counted.
    starts.push(admittedAtMs(row) ?? -Infinity);
  }
  const areMore = endedSince.size >= MOST_TURNS;
  return live.map((row) => {
    const ended = endedSince.get(row.id);
    const isUncounted = ended === undefined && areMore && row.status === "running" && isChatTurn(row);
    if (isUncounted) return { ...row, runsAtStart: Infinity };
    if (ended === undefined || row.startedAtMs === null) return row;
    const until = admittedAtMs(row)! + BEGIN_TOGETHER_SECONDS * 1000;
    const stillLive = (startsOf.get(row.agent) ?? []).filter((ms) => ms <= until).length;
    // The row itself is one of these.
    return { ...row, runsAtStart: ended + stillLive - 1 };
  });
}

/** What a row says beside its id and its agent. */
function stateOf(row: Row<(typeof COLUMNS)[number]>, timestamp: typeof parseTimestamp) {
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
    conversation: row.conversation ?? null,
    hasSession: row.session === null ? null : row.session === "1",
    runsAtStart: null,
    scheduleTimeoutSeconds: countOf(row.timeout),
  };
}

export const executions: SqlFact<Facts["executions"]> = {
  missing: needsExecutions,
  statements: (schema) => {
    const endedSince = endedSinceQuery(schema);
    return [
      executionsQuery(schema),
      unknownStatusesQuery(schema),
      ...(endedSince === null ? [] : [endedSince]),
    ];
  },
  parse([answer, unknownStatuses, endedSince], { schema, report }) {
    const { sql } = schema;
    const denied = deniedTimeout(schema);
    if (denied !== null) report(`executions: ${denied}, so the timeouts of schedules are not known`);
    const live: Execution[] = [];
    const unreadable: UnreadableRow[] = [];
    const timestamp = timestampReader();
    eachExecution(schema, answer, (row) => {
      const { id, agent } = row;
      const state = stateOf(row, timestamp);
      if (typeof id === "string" && typeof agent === "string") {
        live.push({ id, agent, ...state });
        return;
      }
      if (typeof agent !== "string") report(`executions: a live row's agent_name ${UNREADABLE}`);
      else report(`executions[${agent}]: a live row's id ${UNREADABLE}`);
      unreadable.push({ id: id ?? null, agent: agent ?? null, ...state });
    });
    for (const [status] of rowsOf(unknownStatuses))
      report(
        `executions: unknown status ${JSON.stringify(textOf(status) ?? "(not UTF-8)")}, taken for neither live nor terminal`,
      );
    return { live: withRunsAtStart(live, endedSinceOf(sql, endedSince)), unreadable };
  },
};

export const sessions: SqlFact<Facts["sessions"]> = {
  missing: needsExecutionsColumn("claude_session_id"),
  statements: (schema) => [executionsQuery(schema)],
  parse([answer], { schema }) {
    const ids = new Set<string>();
    eachExecution(schema, answer, ({ id, session }) => {
      if (session === "1" && typeof id === "string") ids.add(id);
    });
    return ids;
  },
};
