/** Rows of agents that are not on the roster. */
import { describeError } from "../../../errors.ts";
import { type OrphanRef, type Orphans, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import type { SqlRow } from "../database.ts";
import type { Dialect } from "../dialect.ts";
import { deniedText, needsTable, type ParseContext, type SqlFact } from "../fact.ts";
import { textOf, UNREADABLE } from "../rows.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS } from "../values.ts";

/** A table that is searched for rows of agents that are not on the roster. */
interface OrphanTable {
  readonly table: string;
  readonly key: readonly string[];
  /** The column that the filter looks at, next to agent_name. */
  readonly filterColumn?: string;
  readonly filter?: (text: Dialect["text"]) => string;
}

/** History of deleted agents (health checks, dashboards, payment logs, chat messages) is kept on purpose and not searched. */
export const ORPHAN_TABLES: readonly OrphanTable[] = [
  {
    table: "access_requests",
    key: ["id"],
    filterColumn: "status",
    filter: (text) => `${text("t.status")} = 'pending'`,
  },
  { table: "agent_public_links", key: ["id"] },
  { table: "agent_reports", key: ["id"] },
  { table: "agent_schedules", key: ["id"] },
  { table: "agent_shared_files", key: ["id"] },
  { table: "agent_sharing", key: ["id"] },
  { table: "agent_skills", key: ["id"] },
  { table: "agent_tags", key: ["agent_name", "tag"] },
  {
    table: "chat_sessions",
    key: ["id"],
    filterColumn: "status",
    filter: (text) => `${text("t.status")} = 'active'`,
  },
  {
    table: "mcp_api_keys",
    key: ["id"],
    filterColumn: "scope",
    filter: (text) => `${text("t.scope")} = 'agent'`,
  },
  {
    table: "operator_queue",
    key: ["id"],
    filterColumn: "status",
    // The platform's own alarms stand there under names that no agent can have.
    filter: (text) => `${text("t.status")} = 'pending' AND substr(${text("t.agent_name")}, 1, 1) <> '_'`,
  },
  { table: EXECUTIONS, key: ["id"], filterColumn: "status" },
];
const SAMPLES = 10;
const ROSTER = "agent_ownership";

/** Rows whose retry was made stay so for ever: they are history like the terminal ones. */
const PENDING_RETRY = "pending_retry";
/**
 * The ranges between those statuses. Each is a seek in the index, where `NOT IN` would visit every row. In any collation these
 * words are in this order, and any other text is in one range.
 */
const liveRanges = (status: string) =>
  [...TERMINAL_STATUSES, PENDING_RETRY]
    .sort()
    .concat("")
    .map((next, i, all) => {
      const after = i > 0 ? `${status} > '${all[i - 1]}'` : null;
      return [after, next && `${status} < '${next}'`].filter(Boolean).join(" AND ");
    });

/** Picks the rows that wait for their retry. Without the column, nobody can say which do. */
const waitingRetries = (schema: Schema): readonly [index: string, where: string] => {
  const { sql, retryIndex, statusIndex } = schema;
  const isWaiting = schema.hasColumn(EXECUTIONS, "retry_scheduled_at")
    ? "t.retry_scheduled_at IS NOT NULL AND "
    : "";
  const index = isWaiting ? (retryIndex?.name ?? statusIndex) : statusIndex;
  return [sql.indexedBy(index), `${isWaiting}${sql.text("t.status")} = '${PENDING_RETRY}'`];
};

/** PostgreSQL could choose to walk the index on agent_name beside the roster: it is to find the rows first. */
const found = (sql: Dialect, { table, key }: OrphanTable, index: string, where: string): string =>
  sql.backend === "postgres" && table === EXECUTIONS
    ? `(SELECT ${["agent_name", ...key].join(", ")} FROM ${table} t WHERE ${where} ${sql.fence}) t WHERE true`
    : `${table} t ${index} WHERE ${where}`;

/** Selects (agent_name, count of its rows, key columns…), at most `SAMPLES` rows for each name. */
export function orphansQuery(schema: Schema, searched: OrphanTable): string {
  const { table, key, filter } = searched;
  const { sql } = schema;
  const columns = key.map((column, i) => `${sql.bytes(`t.${column}`)} AS key${i}`).join(", ");
  const select = (index: string, where: string) =>
    `SELECT ${sql.bytes("t.agent_name")} AS agent, ${columns} FROM ${found(sql, searched, index, where)} AND t.agent_name IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM ${ROSTER} o WHERE ${sql.text("o.agent_name")} = ${sql.text("t.agent_name")})`;
  const rows =
    table === EXECUTIONS
      ? [
          ...liveRanges(sql.text("t.status")).map((range) =>
            select(sql.indexedBy(schema.statusIndex), range),
          ),
          select(...waitingRetries(schema)),
        ].join("\nUNION ALL ")
      : select("", filter?.(sql.text) ?? "1 = 1");
  const keys = key.map((_, i) => `key${i}`);
  return `SELECT agent, total, ${keys.join(", ")} FROM (
SELECT agent, ${keys.join(", ")}, COUNT(*) OVER (PARTITION BY agent) AS total,
ROW_NUMBER() OVER (PARTITION BY agent ORDER BY ${keys.join(", ")}) AS place FROM (${rows}) AS found) AS counted
WHERE place <= ${SAMPLES}`;
}

const missingColumn = (schema: Schema, { table, key, filterColumn }: OrphanTable) =>
  ["agent_name", ...key, ...(filterColumn ? [filterColumn] : [])].find(
    (column) => !schema.hasColumn(table, column),
  );

const deniedIn = (schema: Schema, { table, key, filterColumn }: OrphanTable): string | null => {
  const columns = ["agent_name", ...key, ...(filterColumn ? [filterColumn] : [])];
  const column = columns.find((one) => schema.isDenied(table, one));
  if (column === undefined) return null;
  return deniedText({ table, column: schema.isDenied(table, null) ? null : column });
};

const searched = (schema: Schema) =>
  ORPHAN_TABLES.filter(
    (spec) => schema.hasTable(spec.table) && !missingColumn(schema, spec) && deniedIn(schema, spec) === null,
  );

interface Ghost {
  readonly rowsByTable: Map<string, number>;
  readonly samples: OrphanRef[];
}

/** Adds the rows that were found in one table. Returns whether some are of agents whose name can't be read. */
function addRows(
  ghosts: Map<string, Ghost>,
  { table, key }: OrphanTable,
  answer: readonly SqlRow[],
  report: ParseContext["report"],
): boolean {
  let hasUnreadable = false;
  for (const [nameBytes, total, ...keys] of answer) {
    const name = textOf(nameBytes);
    if (typeof name !== "string") {
      report(`orphans[${table}]: a row's agent_name ${UNREADABLE}`);
      hasUnreadable = true;
      continue;
    }
    const ghost: Ghost = ghosts.get(name) ?? { rowsByTable: new Map(), samples: [] };
    ghosts.set(name, ghost);
    ghost.rowsByTable.set(table, Number(total));
    const values = keys.map((value) => textOf(value) ?? "(unreadable)");
    const rowId =
      values.length === 1 ? values[0]! : values.map((value, k) => `${key[k]}=${value}`).join(", ");
    if (ghost.samples.length < SAMPLES) ghost.samples.push({ table, column: "agent_name", rowId });
  }
  return hasUnreadable;
}

export const orphans: SqlFact<Orphans> = {
  knowsDenied: true,
  missing: (schema) =>
    schema.isDenied(ROSTER, "agent_name")
      ? deniedText({ table: ROSTER, column: null })
      : needsTable(ROSTER)(schema),
  statements: (schema) => searched(schema).map((spec) => orphansQuery(schema, spec)),
  parse(answers, { schema, report }) {
    const ghosts = new Map<string, Ghost>();
    const unseenTables: string[] = [];
    const tablesWithUnreadable: string[] = [];
    const miss = (table: string, why: string) => {
      unseenTables.push(table);
      report(`orphans[${table}]: ${why}`);
    };
    for (const spec of ORPHAN_TABLES) {
      const column = schema.hasTable(spec.table) && missingColumn(schema, spec);
      const denied = deniedIn(schema, spec);
      if (column) miss(spec.table, `column ${column} is missing`);
      else if (denied !== null) miss(spec.table, denied);
    }
    for (const [i, spec] of searched(schema).entries()) {
      const answer = answers[i];
      if (!Array.isArray(answer)) miss(spec.table, describeError(answer));
      else if (addRows(ghosts, spec, answer, report)) tablesWithUnreadable.push(spec.table);
    }
    return { ghosts, unseenTables, tablesWithUnreadable };
  },
};
