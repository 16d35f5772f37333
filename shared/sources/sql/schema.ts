/** The tables, columns and indexes of an installation. */
import { TERMINAL_STATUSES } from "../../facts/facts.ts";
import type { Dialect } from "./dialect.ts";
import type { QueryAnswer } from "./rows.ts";

export interface PartialIndex {
  readonly name: string;
  readonly where: string;
}

/** The indexes of the executions that keep history from being visited. */
export interface ExecutionIndexes {
  /** An index whose first column is `status`, over all rows. */
  readonly statusIndex: string | null;
  /** An index on `completed_at` over terminal rows, with its condition: SQLite wants it repeated word for word. */
  readonly endedIndex: PartialIndex | null;
  /** An index on `retry_scheduled_at` over the rows that wait for a retry. */
  readonly retryIndex: PartialIndex | null;
  /** An index whose first columns are `agent_name` and `started_at`, over all rows. */
  readonly agentStartIndex: string | null;
}

/** A table, or a column of one. */
export interface Place {
  readonly table: string;
  /** Null for the table itself. */
  readonly column: string | null;
}

/** Writes the place as operators know it: `table agent_reports`, `column agent_schedules.enabled`. */
export const placeText = ({ table, column }: Place): string =>
  column === null ? `table ${table}` : `column ${table}.${column}`;

export interface Schema extends ExecutionIndexes {
  /** How the backend says things. */
  readonly sql: Dialect;
  hasTable(table: string): boolean;
  hasColumn(table: string, column: string): boolean;
  /** Whether it is there and may not be read. @param column null for the table as a whole */
  isDenied(table: string, column: string | null): boolean;
  /** Whether the server tells text that is JSON by itself. */
  readonly knowsJson: boolean;
}

/** Finds the columns of an index, and the condition of a partial one. */
function parseIndex(sql: string): { columns: readonly string[]; where: string } {
  const [, keys = "", where = ""] =
    /\bON\s+\S+\s*(?:USING\s+btree\s*)?\(([^)]*)\)\s*(?:WHERE\s+([^;]*\S))?\s*;?\s*$/is.exec(sql) ?? [];
  const columns = keys.split(",").map((key) =>
    key
      .trim()
      .split(/\s+/)[0]!
      .replace(/["`[\]]/g, ""),
  );
  return { columns, where };
}

/** Writes the condition of an index as the migrations do: PostgreSQL gives it back in words of its own. */
const plainCondition = (where: string): string =>
  where
    .replaceAll("::text", "")
    .replace(/= ANY \(ARRAY\[(.*?)\]\)/gi, "IN ($1)")
    .replace(/^\((.*)\)$/, "$1")
    .replace(/\(([^()']* IS NOT NULL)\)/gi, "$1")
    .replace(/\(([^()]* = '[^']*')\)/gi, "$1");

/** Whether the condition of an index holds for every row that waits for a retry. */
const coversRetries = (where: string): boolean =>
  /^retry_scheduled_at\s+IS\s+NOT\s+NULL(\s+AND\s+status\s*=\s*'pending_retry')?$/i.test(
    plainCondition(where),
  );

/** Whether the condition of an index holds for every terminal row. */
function coversTerminal(where: string): boolean {
  const listed: readonly string[] =
    /^status\s+IN\s*\(\s*('\w+'(?:\s*,\s*'\w+')*)\s*\)$/i.exec(plainCondition(where))?.[1]?.match(/\w+/g) ??
    [];
  return TERMINAL_STATUSES.every((status) => listed.includes(status));
}

/** Finds the indexes by what they are on. @param made their names, and the statements that made them */
export function executionIndexes(
  made: Iterable<{ readonly name: string; readonly sql: string }>,
): ExecutionIndexes {
  let statusIndex = null as string | null;
  let [endedIndex, retryIndex] = [null, null] as [PartialIndex | null, PartialIndex | null];
  let agentStartIndex = null as string | null;
  for (const { name, sql } of made) {
    const {
      columns: [first, second],
      where,
    } = parseIndex(sql);
    if (first === "status" && !where) statusIndex = name;
    if (first === "completed_at" && coversTerminal(where)) endedIndex = { name, where };
    if (first === "retry_scheduled_at" && coversRetries(where)) retryIndex = { name, where };
    if (first === "agent_name" && second === "started_at" && !where) agentStartIndex = name;
  }
  return { statusIndex, endedIndex, retryIndex, agentStartIndex };
}

/** A schema without anything in it. */
export const emptySchema = (sql: Dialect): Schema => ({
  sql,
  ...executionIndexes([]),
  knowsJson: false,
  hasTable: () => false,
  hasColumn: () => false,
  isDenied: () => false,
});

/**
 * A schema in which everything is there, except what `lacks` names. It has no index.
 * @param onAsked called with each place that the schema is asked for
 */
export function wholeSchema(sql: Dialect, lacks: Place | null, onAsked: (place: Place) => void): Schema {
  const has = (table: string, column: string | null): boolean => {
    onAsked({ table, column });
    return lacks?.table !== table || (lacks.column !== null && lacks.column !== column);
  };
  return {
    ...emptySchema(sql),
    hasTable: (table) => has(table, null),
    hasColumn: (table, column) => has(table, column),
  };
}

/** A schema that says what it is asked for. */
export const watched = (schema: Schema, onAsked: (place: Place) => void): Schema => ({
  ...schema,
  hasTable(table) {
    onAsked({ table, column: null });
    return schema.hasTable(table);
  },
  hasColumn(table, column) {
    onAsked({ table, column });
    return schema.hasColumn(table, column);
  },
});

/** What the introspection of either backend gives. */
export const SCHEMA_COLUMNS = ["kind", "tbl", "name", "sql"] as const;

/**
 * Parses the answer to an introspection. Its kinds of rows are `column`, `denied` (a column that may not be read), `index`
 * (of the executions, with the statement that made it) and `json` (the server tells JSON).
 */
export function parseSchema(sql: Dialect, answer: QueryAnswer | undefined): Schema {
  const columns = new Map<string, Set<string>>();
  const denied = new Map<string, Set<string>>();
  const indexes: { name: string; sql: string }[] = [];
  let knowsJson = false;
  const add = (to: typeof columns, table: string, column: string) =>
    void to.set(table, (to.get(table) ?? new Set()).add(column));
  sql.eachRow(answer, SCHEMA_COLUMNS, ({ kind, tbl, name, sql: made }) => {
    if (kind === "index") indexes.push({ name: name ?? "", sql: made ?? "" });
    if (kind === "column" || kind === "denied") add(columns, tbl ?? "", name ?? "");
    if (kind === "denied") add(denied, tbl ?? "", name ?? "");
    if (kind === "json") knowsJson = true;
  });
  return {
    sql,
    ...executionIndexes(indexes),
    knowsJson,
    hasTable: (table) => columns.has(table),
    hasColumn: (table, column) => columns.get(table)?.has(column) ?? false,
    isDenied: (table, column) =>
      column === null
        ? columns.has(table) && denied.get(table)?.size === columns.get(table)?.size
        : (denied.get(table)?.has(column) ?? false),
  };
}
