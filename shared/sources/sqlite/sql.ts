/** Pieces of SQL, and what single values of an answer mean. */
import type { SqlValue } from "./database.ts";
import type { Field } from "./packing.ts";

export const EXECUTIONS = "schedule_executions";

export const quoted = (values: readonly string[]) => values.map((v) => `'${v}'`).join(", ");
const identifier = (name: string) => `"${name.replaceAll('"', '""')}"`;
export const blob = (column: string) => `CAST(${column} AS BLOB)`;
/** An INTEGER column can hold anything; what is no integer comes as '?'. */
export const integer = (column: string) =>
  `CASE typeof(${column}) WHEN 'integer' THEN ${column} WHEN 'null' THEN NULL ELSE '?' END`;
export const indexedBy = (index: string | null) => (index ? `INDEXED BY ${identifier(index)}` : "");

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes a column that was selected as a blob; undefined where its bytes are no UTF-8. */
export function textOf(value: SqlValue | undefined): string | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== "object") return String(value);
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}

/** Gives a number that counts something (0 or more), null for NULL, "unreadable" for anything else. */
export function countOf(value: Field): number | null | "unreadable" {
  if (value === null) return null;
  const n = value !== undefined && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(n) ? n : "unreadable";
}
