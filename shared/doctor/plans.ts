/** How the executions will be read: which indexes are used, and which statements visit the whole history. Pure. */
import type { SqlRow } from "../sources/sql/database.ts";
import type { Schema } from "../sources/sql/schema.ts";
import { EXECUTIONS } from "../sources/sql/values.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Lists the partial indexes of the executions. */
export const PARTIAL_INDEXES = `SELECT name FROM pragma_index_list('${EXECUTIONS}') WHERE partial`;

/** What a statement is planned with. Of SQLite: rows of `EXPLAIN QUERY PLAN`, whose fourth column is the text of a step. */
export interface Plan {
  readonly statement: string;
  readonly rows: readonly SqlRow[];
}

/** What a statement does with the executions. */
export interface Steps {
  /** It visits every row. */
  readonly isScan: boolean;
  /** The indexes that it uses. */
  readonly indexes: readonly string[];
}

const CLAUSES = new Set([
  "where",
  "indexed",
  "not",
  "order",
  "group",
  "limit",
  "left",
  "cross",
  "join",
  "on",
]);

/** The names that the executions have in a statement. */
function namesIn(statement: string): ReadonlySet<string> {
  const names = new Set([EXECUTIONS]);
  for (const [, name = ""] of statement.matchAll(new RegExp(`\\b${EXECUTIONS}\\s+(?:AS\\s+)?(\\w+)`, "gi")))
    if (!CLAUSES.has(name.toLowerCase())) names.add(name);
  return names;
}

/** Reads the newest rows and stops: a scan that ends after a few of them. */
const isBounded = (statement: string): boolean =>
  new RegExp(`\\bFROM ${EXECUTIONS} (ORDER BY rowid DESC )?LIMIT \\d+`).test(statement);

const STEP = /^(SCAN|SEARCH) (\S+)(?: USING (?:COVERING )?INDEX (\S+))?/;

/** Reads from SQLite's plan what a statement does with the executions. @param small partial indexes that hold a few live rows */
export function stepsOf({ statement, rows }: Plan, small: ReadonlySet<string>): Steps {
  const names = namesIn(statement);
  const steps = rows.flatMap((row) => {
    const [, kind, table = "", index] = STEP.exec(String(row[3])) ?? [];
    return names.has(table) ? [{ kind, index }] : [];
  });
  const isScan = steps.some(
    ({ kind, index }) =>
      kind === "SCAN" && !(index !== undefined && small.has(index)) && !isBounded(statement),
  );
  return { isScan, indexes: steps.flatMap(({ index }) => (index === undefined ? [] : [index])) };
}

/** The indexes that keep history from being visited: what comes after `CREATE INDEX`. */
const WANTED = [
  {
    of: ({ statusIndex }: Schema) => statusIndex,
    index: `idx_executions_status ON ${EXECUTIONS}(status)`,
    without: "each cycle visits every row",
  },
  {
    of: ({ endedIndex }: Schema) => endedIndex,
    index: `idx_executions_completed_terminal ON ${EXECUTIONS}(completed_at) WHERE status IN ('success', 'failed', 'cancelled', 'skipped')`,
    without: "each cycle visits every row that has ended",
  },
  {
    of: ({ retryIndex }: Schema) => retryIndex,
    index: `idx_executions_retry ON ${EXECUTIONS}(retry_scheduled_at) WHERE retry_scheduled_at IS NOT NULL AND status = 'pending_retry'`,
    without: "each cycle visits every row that was ever retried",
    needs: "retry_scheduled_at",
  },
  {
    of: ({ agentStartIndex }: Schema) => agentStartIndex,
    index: `idx_executions_agent_started ON ${EXECUTIONS}(agent_name, started_at DESC)`,
    without: "how many runs were under way when a chat turn began is not known (S-01)",
  },
];

/**
 * Says which indexes are used and which are missing.
 * @param steps of each statement, with the facts that it is for
 */
export function planFindings(
  schema: Schema,
  steps: readonly (Steps & { readonly facts: readonly string[] })[],
): Finding[] {
  if (!schema.hasTable(EXECUTIONS)) return [];
  const used = [...new Set(steps.flatMap(({ indexes }) => indexes))].sort();
  const scanning = [...new Set(steps.flatMap(({ isScan, facts }) => (isScan ? facts : [])))].sort();
  const missing = WANTED.filter(
    ({ of, needs }) => !of(schema) && (needs === undefined || schema.hasColumn(EXECUTIONS, needs)),
  );
  // While a PostgreSQL builds an index the plain way, the platform can write nothing.
  const create = schema.sql.backend === "postgres" ? "CREATE INDEX CONCURRENTLY" : "CREATE INDEX";
  return [
    ...(used.length > 0 ? [ok("indexes", `${EXECUTIONS} is read by ${used.join(", ")}`)] : []),
    ...missing.map(({ index, without }) => warning("index missing", `${without}: ${create} ${index}`)),
    ...(scanning.length > 0
      ? [warning("scan", `visits every row of ${EXECUTIONS} for ${scanning.join(", ")}`)]
      : []),
  ];
}
