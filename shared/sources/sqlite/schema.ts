/** The tables, columns and indexes of an installation. */
import { TERMINAL_STATUSES } from "../../facts/facts.ts";
import { eachRow, packed, type QueryAnswer } from "./packing.ts";
import { EXECUTIONS } from "./sql.ts";

const COLUMNS = ["kind", "tbl", "name", "sql"] as const;
/** The columns of all tables, and the indexes of the executions with the statements that made them. */
export const INTROSPECTION = packed(
  COLUMNS,
  `SELECT 'column' AS kind, m.name AS tbl, p.name AS name, NULL AS sql
FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'
UNION ALL
SELECT 'index', tbl_name, name, sql FROM sqlite_master
WHERE type = 'index' AND tbl_name = '${EXECUTIONS}' AND sql IS NOT NULL`,
);

interface PartialIndex {
  readonly name: string;
  readonly where: string;
}

export interface Schema {
  hasTable(table: string): boolean;
  hasColumn(table: string, column: string): boolean;
  /** An index whose first column is `status`, over all rows. */
  readonly statusIndex: string | null;
  /** An index on `completed_at` over terminal rows, with its condition: a query must repeat that word for word. */
  readonly endedIndex: PartialIndex | null;
  /** An index on `retry_scheduled_at` over the rows that wait for a retry. */
  readonly retryIndex: PartialIndex | null;
  /** An index whose first columns are `agent_name` and `started_at`, over all rows. */
  readonly agentStartIndex: string | null;
}

/** Finds the columns of an index, and the condition of a partial one. */
function parseIndex(sql: string): { columns: readonly string[]; where: string } {
  const [, keys = "", where = ""] =
    /\bON\s+\S+\s*\(([^)]*)\)\s*(?:WHERE\s+([^;]*\S))?\s*;?\s*$/is.exec(sql) ?? [];
  const columns = keys.split(",").map((key) =>
    key
      .trim()
      .split(/\s+/)[0]!
      .replace(/["`[\]]/g, ""),
  );
  return { columns, where };
}

/** Whether the condition of an index holds for every row that waits for a retry. */
const coversRetries = (where: string): boolean =>
  /^retry_scheduled_at\s+IS\s+NOT\s+NULL(\s+AND\s+status\s*=\s*'pending_retry')?$/i.test(where);

/** Whether the condition of an index holds for every terminal row. */
function coversTerminal(where: string): boolean {
  const listed: readonly string[] =
    /^status\s+IN\s*\(\s*('\w+'(?:\s*,\s*'\w+')*)\s*\)$/i.exec(where)?.[1]?.match(/\w+/g) ?? [];
  return TERMINAL_STATUSES.every((status) => listed.includes(status));
}

/** Parses the answer to `INTROSPECTION`. */
export function parseSchema(answer: QueryAnswer | undefined): Schema {
  const columns = new Map<string, Set<string>>();
  let statusIndex = null as string | null;
  let [endedIndex, retryIndex] = [null, null] as [PartialIndex | null, PartialIndex | null];
  let agentStartIndex = null as string | null;
  eachRow(answer, COLUMNS, ({ kind, tbl, name, sql }) => {
    if (kind === "column") {
      const known = columns.get(tbl ?? "") ?? new Set();
      columns.set(tbl ?? "", known.add(name ?? ""));
      return;
    }
    const {
      columns: [first, second],
      where,
    } = parseIndex(sql ?? "");
    const named = { name: name ?? "", where };
    if (first === "status" && !where) statusIndex = named.name;
    if (first === "completed_at" && coversTerminal(where)) endedIndex = named;
    if (first === "retry_scheduled_at" && coversRetries(where)) retryIndex = named;
    if (first === "agent_name" && second === "started_at" && !where) agentStartIndex = named.name;
  });
  return {
    hasTable: (table) => columns.has(table),
    hasColumn: (table, column) => columns.get(table)?.has(column) ?? false,
    statusIndex,
    endedIndex,
    retryIndex,
    agentStartIndex,
  };
}
