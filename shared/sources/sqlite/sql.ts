/** Pieces of SQL, and the parsing of single values. */
import type { SqlValue } from "./database.ts";
import { decoded, type Field } from "./packing.ts";

export const EXECUTIONS = "schedule_executions";

export const quoted = (values: readonly string[]) => values.map((v) => `'${v}'`).join(", ");
const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
/** The beginning of a text that is only shown, as a blob. */
export const shown = (column: string) => `CAST(substr(${column}, 1, 100) AS BLOB)`;
/** An INTEGER column can hold anything: what is not an integer becomes '?'. */
export const integer = (column: string) =>
  `CASE typeof(${column}) WHEN 'integer' THEN ${column} WHEN 'null' THEN NULL ELSE '?' END`;
export const indexedBy = (index: string | null) => (index ? `INDEXED BY ${identifier(index)}` : "");

/** Decodes a column that was selected as a blob. */
export function textOf(value: SqlValue | undefined): Field {
  if (value === null || value === undefined) return null;
  return typeof value === "object" ? decoded(value) : String(value);
}

/** Parses a number that counts something (0 or more): null for NULL, "unreadable" for anything else. */
export function countOf(value: Field): number | null | "unreadable" {
  if (value === null) return null;
  const n = value !== undefined && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(n) ? n : "unreadable";
}
