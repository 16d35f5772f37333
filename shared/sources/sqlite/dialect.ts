/** How SQLite says it. It enforces no types, and its planner does not choose by itself the indexes that keep history out. */
import type { Dialect } from "../sql/dialect.ts";
import { parseSchema, SCHEMA_COLUMNS } from "../sql/schema.ts";
import { EXECUTIONS, quoted } from "../sql/values.ts";
import { blob, bounded, eachRow, packed } from "./packing.ts";

const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** As the backend writes a timestamp, with D for a digit. This is quick, and nearly every row has it. */
const AS_WRITTEN = "DDDD-DD-DDTDD:DD:DD.DDDDDDZ".replaceAll("D", "[0-9]");

const isOddTimestamp = (column: string): string =>
  `NOT (${column} GLOB '${AS_WRITTEN}' OR ${SQLITE.isUsualTimestamp(column)})`;

export const SQLITE: Dialect = {
  backend: "sqlite",
  introspection: (tables) =>
    packed(
      SCHEMA_COLUMNS,
      `SELECT 'column' AS kind, m.name AS tbl, p.name AS name, NULL AS sql
FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name IN (${quoted(tables)})
UNION ALL
SELECT 'index', tbl_name, name, sql FROM sqlite_master
WHERE type = 'index' AND tbl_name = '${EXECUTIONS}' AND sql IS NOT NULL`,
    ),
  parseSchema: (answer) => parseSchema(SQLITE, answer),
  isOfStatement: ({ message }) => /SQL_|SQLITE|SQLite error|HTTP 500|RESPONSE_TOO_LARGE/.test(message),

  rows: packed,
  eachRow,

  text: (column) => column,
  bounded,
  bytes: blob,
  shown: (column) => `CAST(substr(${column}, 1, 100) AS BLOB)`,
  // An INTEGER column can hold anything: what is not an integer becomes '?'.
  integer: (column) =>
    `CASE typeof(${column}) WHEN 'integer' THEN ${column} WHEN 'null' THEN NULL ELSE '?' END`,
  isFilled: (column) => `(${column} IS NOT NULL AND ${column} <> '')`,
  flag: (condition) => condition,
  isOn: (column) => `${column} <> 0`,
  isBefore: (a, b) => `${a} < ${b}`,
  isUsualTimestamp: (column) =>
    `(${column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
AND replace(substr(${column}, 20), '+00:00', '') NOT GLOB '*[^0-9.Z]*')`,
  isOutOfOrder: (
    first,
    second,
  ) => `(${second} < ${first} OR substr(${second}, 11, 1) <> substr(${first}, 11, 1)
OR ${isOddTimestamp(second)} OR ${isOddTimestamp(first)})`,
  secondOf: (column) => `replace(substr(${column}, 1, 19), ' ', 'T')`,
  secondAfter: (column, seconds) =>
    `strftime('%Y-%m-%dT%H:%M:%S', ${column}, '${seconds < 0 ? "" : "+"}${seconds} seconds')`,
  indexedBy: (index) => (index ? `INDEXED BY ${identifier(index)}` : ""),
  fence: "LIMIT -1",
};
