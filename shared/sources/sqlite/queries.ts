/**
 * The SQL of a snapshot, made to fit the tables that an installation has. Two rules hold everywhere:
 * text is packed or selected as a blob (a server answers 500 for a row whose text is not UTF-8, and the snapshot with it),
 * and the rows of history are never visited (indexes are named, since the planner does not choose them by
 * itself).
 */
import { type EndedCursor, TERMINAL_STATUSES } from "../../facts/facts.ts";
import { formatInstant } from "../../time.ts";
import type { SqlRow } from "./database.ts";
import { eachRow, packed } from "./packing.ts";

const EXECUTIONS = "schedule_executions";
const KNOWN_STATUSES: readonly string[] = ["queued", "running", "pending_retry", ...TERMINAL_STATUSES];
/** Rows ended this long before the cursor are read again: the platform's clock and commit may lag behind ours. */
const OVERLAP_MS = 5 * 60_000;
/** What the first cycle, or one after a long pause, looks back at. */
const LOOK_BACK_MS = 60 * 60_000;
/** The newest rows are always searched for skipped ones, since VACUUM renumbers rowids under a cursor. */
const NEWEST_ROWS = 10_000;
/** A platform with more old live rows than this has a red E-01 or B-02 to tell of it. */
const MAX_OLD_LIVE = 2_000;

/** One statement; packed rows of (kind, table, name, sql). */
export const INTROSPECTION = packed(
  ["kind", "tbl", "name", "sql"],
  `SELECT 'column' AS kind, m.name AS tbl, p.name AS name, NULL AS sql
FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'
UNION ALL
SELECT 'index', tbl_name, name, sql FROM sqlite_master
WHERE type = 'index' AND tbl_name = '${EXECUTIONS}' AND sql IS NOT NULL`,
);

/** What an installation's database has, as far as a snapshot needs to know. */
export interface Schema {
  hasTable(table: string): boolean;
  hasColumn(table: string, column: string): boolean;
  /** An index whose first column is `status`, over all rows. */
  readonly statusIndex: string | null;
  /** An index on `completed_at` over terminal rows, with its condition: SQLite wants that repeated word for word. */
  readonly endedIndex: { readonly name: string; readonly where: string } | null;
}

type Four = [string, string, string, string];

/** @param rows the answer to `INTROSPECTION` */
export function parseSchema(rows: readonly SqlRow[]): Schema {
  const columns = new Map<string, Set<string>>();
  let statusIndex = null as string | null;
  let endedIndex = null as Schema["endedIndex"];
  eachRow(rows, 4, (field) => {
    const [kind, table, name, sql] = [0, 1, 2, 3].map((column) => field(column) ?? "") as Four;
    if (kind === "column") {
      const known = columns.get(table) ?? new Set();
      columns.set(table, known.add(name));
      return;
    }
    const [, keys = "", where = ""] =
      /\bON\s+\S+\s*\(([^)]*)\)\s*(?:WHERE\s+([^;]*\S))?\s*;?\s*$/is.exec(sql) ?? [];
    const first = keys
      .split(",")[0]!
      .trim()
      .split(/\s+/)[0]!
      .replace(/["`[\]]/g, "");
    if (first === "status" && !where) statusIndex = name;
    const listed: readonly string[] =
      /^status\s+IN\s*\(\s*('\w+'(?:\s*,\s*'\w+')*)\s*\)$/i.exec(where)?.[1]?.match(/\w+/g) ?? [];
    if (first === "completed_at" && TERMINAL_STATUSES.every((s) => listed.includes(s)))
      endedIndex = { name, where };
  });
  return {
    hasTable: (table) => columns.has(table),
    hasColumn: (table, column) => columns.get(table)?.has(column) ?? false,
    statusIndex,
    endedIndex,
  };
}

const quoted = (values: readonly string[]) => values.map((v) => `'${v}'`).join(", ");
const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
const blob = (column: string) => `CAST(${column} AS BLOB)`;
/** An INTEGER column can hold anything; what is no integer comes as '?'. */
const integer = (column: string) =>
  `CASE typeof(${column}) WHEN 'integer' THEN ${column} WHEN 'null' THEN NULL ELSE '?' END`;
const indexedBy = (index: string | null) => (index ? `INDEXED BY ${identifier(index)}` : "");

export const ROSTER_COLUMNS = 3;
/** Packed rows of (agent_name, max_parallel_tasks, execution_timeout_seconds). */
export function rosterQuery(schema: Schema): string {
  const number = (column: string) => (schema.hasColumn("agent_ownership", column) ? integer(column) : "NULL");
  return packed(
    ["agent", "parallel", "timeout"],
    `SELECT agent_name AS agent, ${number("max_parallel_tasks")} AS parallel, ${number("execution_timeout_seconds")} AS timeout
FROM agent_ownership`,
  );
}

export const EXECUTION_COLUMNS = 9;
/**
 * Packed rows of (id, agent_name, status, started_at, queued_at, lease_expires_at, retry scheduled 0/1, has session 0/1,
 * timeout_seconds of the schedule), for queued and running rows.
 */
export function executionsQuery(schema: Schema): string {
  const text = (column: string) => (schema.hasColumn(EXECUTIONS, column) ? `e.${column}` : "NULL");
  const filled = (column: string) =>
    schema.hasColumn(EXECUTIONS, column) ? `(e.${column} IS NOT NULL AND e.${column} <> '')` : "0";
  const schedules =
    schema.hasColumn("agent_schedules", "timeout_seconds") && schema.hasColumn(EXECUTIONS, "schedule_id");
  return packed(
    ["id", "agent", "status", "started", "queued", "lease", "retried", "session", "timeout"],
    `SELECT e.id AS id, e.agent_name AS agent, e.status AS status, ${text("started_at")} AS started,
${text("queued_at")} AS queued, ${text("lease_expires_at")} AS lease, ${filled("retry_scheduled_at")} AS retried,
${filled("claude_session_id")} AS session, ${schedules ? integer("s.timeout_seconds") : "NULL"} AS timeout
FROM ${EXECUTIONS} e ${indexedBy(schema.statusIndex)}
${schedules ? "LEFT JOIN agent_schedules s ON s.id = e.schedule_id" : ""}
WHERE e.status IN ('queued', 'running')`,
  );
}

/** Rows of (status) for statuses that are not in the contract. Steps from one distinct value to the next. */
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

export const ENDED_COLUMNS = 2;
/**
 * Packed rows of (id, index into TERMINAL_STATUSES) for rows that became terminal since the cursor.
 * A terminal write sets completed_at, but for `skipped`: a row with none became so after the cursor only if it was
 * live then, or made since, and both have a rowid above the cursor's.
 * @param since where the last read stopped; null for the first
 */
export function endedQuery(schema: Schema, since: EndedCursor | null, nowMs: number): string {
  const boundMs = Math.max((since?.readAtMs ?? 0) - OVERLAP_MS, nowMs - LOOK_BACK_MS);
  const bound = formatInstant(boundMs).slice(0, 19);
  const day = bound.slice(0, 10);
  const { endedIndex } = schema;
  const status = `CASE status ${TERMINAL_STATUSES.map((s, i) => `WHEN '${s}' THEN ${i}`).join(" ")} END`;
  const ended = `SELECT id, ${status} AS status FROM ${EXECUTIONS} ${indexedBy(endedIndex?.name ?? null)}
WHERE ${endedIndex ? `${endedIndex.where} AND ` : ""}status IN (${quoted(TERMINAL_STATUSES)})`;
  // By their rowids, of which SQLite would make a scan where there are none.
  const oldLive = since?.oldLive.length
    ? `
UNION ALL SELECT id, ${status} FROM ${EXECUTIONS}
WHERE rowid IN (${since.oldLive.join(", ")}) AND status IN (${quoted(TERMINAL_STATUSES)})`
    : "";
  // SQLite's own datetime() writes a space where the platform writes a T; a space sorts before a T of the same day.
  return packed(
    ["id", "status"],
    `${ended} AND completed_at >= '${bound}'
UNION ALL ${ended} AND completed_at >= '${bound.replace("T", " ")}' AND completed_at < '${day}T'
UNION ALL ${ended} AND completed_at IS NULL
AND rowid > min(${since?.rowid ?? Number.MAX_SAFE_INTEGER}, (SELECT max(rowid) FROM ${EXECUTIONS}) - ${NEWEST_ROWS})${oldLive}`,
  );
}

/** Rows of (highest rowid, rowid of a live row that is not among the newest or null): where the next `endedQuery` starts. */
export function endedCursorQuery(schema: Schema): string {
  const highest = `(SELECT max(rowid) FROM ${EXECUTIONS})`;
  return `SELECT ${highest}, NULL UNION ALL SELECT * FROM (
SELECT ${highest}, rowid FROM ${EXECUTIONS} ${indexedBy(schema.statusIndex)}
WHERE status IN ('queued', 'running', 'pending_retry') AND rowid <= ${highest} - ${NEWEST_ROWS} LIMIT ${MAX_OLD_LIVE})`;
}

export const QUEUE_COLUMNS = 2;
/** Packed rows of (agent_name, count): the statement of the platform's `get_queued_count`, for all agents at once. */
export function queuedCountsQuery(): string {
  // The + keeps the planner from walking the agent_name index, and with it the whole history, for the grouping.
  return packed(
    ["agent_name", "total"],
    `SELECT agent_name, COUNT(*) AS total FROM ${EXECUTIONS} WHERE status = 'queued' GROUP BY +agent_name`,
  );
}

/** A table that is searched for rows of agents that are not on the roster. */
export interface OrphanTable {
  readonly table: string;
  readonly key: readonly string[];
  /** The column that the filter looks at besides agent_name. */
  readonly filterColumn?: string;
  readonly filter?: string;
}

/** History of deleted agents (health checks, dashboards, payment logs, chat messages) is kept on purpose: not here. */
export const ORPHAN_TABLES: readonly OrphanTable[] = [
  { table: "access_requests", key: ["id"], filterColumn: "status", filter: "t.status = 'pending'" },
  { table: "agent_public_links", key: ["id"] },
  { table: "agent_schedules", key: ["id"] },
  { table: "agent_shared_files", key: ["id"] },
  { table: "agent_sharing", key: ["id"] },
  { table: "agent_skills", key: ["id"] },
  { table: "agent_tags", key: ["agent_name", "tag"] },
  { table: "chat_sessions", key: ["id"], filterColumn: "status", filter: "t.status = 'active'" },
  { table: "mcp_api_keys", key: ["id"], filterColumn: "scope", filter: "t.scope = 'agent'" },
  { table: "operator_queue", key: ["id"], filterColumn: "status", filter: "t.status = 'pending'" },
  { table: EXECUTIONS, key: ["id"], filterColumn: "status" },
];
export const ORPHAN_SAMPLES = 10;

/** The ranges between the terminal statuses: `NOT IN` would visit every row, each range is a seek in the index. */
const NOT_TERMINAL = [...TERMINAL_STATUSES, null].map((status, i) => {
  const after = i > 0 ? `t.status > '${TERMINAL_STATUSES[i - 1]}'` : null;
  return [after, status && `t.status < '${status}'`].filter(Boolean).join(" AND ");
});

/** Rows of (agent_name, count of its rows, key columns…), at most `ORPHAN_SAMPLES` for each name. */
export function orphansQuery(schema: Schema, { table, key, filter }: OrphanTable): string {
  const columns = key.map((column, i) => `t.${column} AS key${i}`).join(", ");
  const select = (index: string, where: string) =>
    `SELECT t.agent_name AS agent, ${columns} FROM ${table} t ${index} WHERE ${where} AND t.agent_name IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM agent_ownership o WHERE o.agent_name = t.agent_name)`;
  const rows =
    table === EXECUTIONS
      ? NOT_TERMINAL.map((range) => select(indexedBy(schema.statusIndex), range)).join("\nUNION ALL ")
      : select("", filter ?? "1");
  const keys = key.map((_, i) => `key${i}`);
  return `SELECT ${blob("agent")}, total, ${keys.map(blob).join(", ")} FROM (
SELECT agent, ${keys.join(", ")}, COUNT(*) OVER (PARTITION BY agent) AS total,
ROW_NUMBER() OVER (PARTITION BY agent ORDER BY ${keys.join(", ")}) AS place FROM (${rows}))
WHERE place <= ${ORPHAN_SAMPLES}`;
}
