/** How PostgreSQL says it. Whatever type a column has, it is read as text: installations differ, and only text can be odd. */
import type { Dialect } from "../sql/dialect.ts";
import { MAX_BYTES } from "../sql/rows.ts";
import { parseSchema } from "../sql/schema.ts";
import { EXECUTIONS, quoted } from "../sql/values.ts";
import { isStatementError } from "./errors.ts";
import { eachRow } from "./rows.ts";

/** A text column stays itself: an index on it serves. */
const text = (column: string) => `${column}::text`;
/** One character more than a name may have bytes: what is cut is too long. The server loads no more of a long value. */
const bounded = (value: string) => `left(${text(value)}, ${MAX_BYTES + 1})`;

const USUAL = "^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}";
/**
 * As the backend and the scheduler write a timestamp. This test costs a tenth of a regular expression, and nearly
 * every row passes it. A letter in place of a digit passes: it is no time, and says nothing wrong.
 */
const isAsWritten = (column: string) =>
  `(${text(column)} LIKE '____-__-__T__:__:__.______Z' OR ${text(column)} LIKE '____-__-__T__:__:__.______')`;
const isUsualTimestamp = (column: string) =>
  `(${isAsWritten(column)} OR ${text(column)} ~ '${USUAL}' AND replace(substr(${text(column)}, 20), '+00:00', '') !~ '[^0-9.Z]')`;
const isBefore = (a: string, b: string) => `${text(a)} COLLATE "C" < ${text(b)} COLLATE "C"`;

/** Adds the parts up: a month of 99 is some month then, where a cast would fail, and with it the statement. */
function secondAfter(column: string, seconds: number): string {
  const value = text(column);
  const part = (from: number, length: number) => `substr(${value}, ${from}, ${length})::int`;
  const instant = `timestamp '2000-01-01' + make_interval(${part(1, 4)} - 2000, ${part(6, 2)} - 1, 0, ${part(9, 2)} - 1, ${part(12, 2)}, ${part(15, 2)}, ${part(18, 2)})`;
  const sign = `substring(${value} from 20) ~ '-[0-9:]*$'`;
  const zone = `coalesce(substring(substring(${value} from 20) from '[+-]([0-9]{2})(?::?[0-9]{2})?$')::int * 60, 0)
+ coalesce(substring(substring(${value} from 20) from '[+-][0-9]{2}:?([0-9]{2})$')::int, 0)`;
  return `CASE WHEN ${value} ~ '${USUAL}' THEN to_char(${instant} + make_interval(secs => ${seconds})
+ make_interval(mins => (CASE WHEN ${sign} THEN 1 ELSE -1 END) * (${zone})), 'YYYY-MM-DD"T"HH24:MI:SS') END`;
}

/**
 * Lists those of these tables that a statement finds by the bare name. There may be thousands of others, in the schema or beside
 * it: an index over the names leaves them out.
 */
export const visible = (tables: readonly string[]): string =>
  `pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname IN (${quoted(tables)}) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^(pg_|information_schema$)' AND pg_catalog.pg_table_is_visible(c.oid)`;

export const POSTGRES: Dialect = {
  backend: "postgres",
  introspection: (
    tables,
  ) => `SELECT CASE WHEN pg_catalog.has_column_privilege(t.oid, a.attnum, 'SELECT') THEN 'column' ELSE 'denied' END, t.relname, a.attname, NULL
FROM (SELECT c.oid, c.relname FROM ${visible(tables)}) t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid WHERE a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT 'index', '${EXECUTIONS}', i.relname, pg_catalog.pg_get_indexdef(i.oid)
FROM (SELECT c.oid FROM ${visible([EXECUTIONS])}) t
JOIN pg_catalog.pg_index x ON x.indrelid = t.oid AND x.indisvalid JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
UNION ALL SELECT 'json', NULL, NULL, NULL WHERE current_setting('server_version_num')::int >= 160000
ORDER BY 1, 2, 3`,
  parseSchema: (answer) => parseSchema(POSTGRES, answer),
  isOfStatement: isStatementError,

  rows: (columns, select) =>
    `SELECT ${columns.map((column) => bounded(`"${column}"`)).join(", ")} FROM (${select}) AS selected`,
  eachRow,

  text,
  bounded,
  bytes: (value) => `${bounded(value)} COLLATE "C"`,
  shown: (column) => `left(${text(column)}, 100)`,
  integer: (column) => column,
  isFilled: (column) => `(${column} IS NOT NULL AND ${text(column)} <> '')`,
  flag: (condition) => `(${condition})::int`,
  isOn: (column) => `${text(column)} NOT IN ('0', 'false')`,
  isBefore,
  isUsualTimestamp,
  isOutOfOrder: (
    first,
    second,
  ) => `CASE WHEN ${isAsWritten(first)} AND ${isAsWritten(second)} THEN ${isBefore(second, first)}
ELSE ${isBefore(second, first)} OR substr(${text(first)}, 11, 1) <> substr(${text(second)}, 11, 1)
OR NOT ${isUsualTimestamp(first)} OR NOT ${isUsualTimestamp(second)} END`,
  secondOf: (column) => `replace(substr(${text(column)}, 1, 19), ' ', 'T') COLLATE "C"`,
  secondAfter,
  indexedBy: () => "",
  fence: "OFFSET 0",
};
