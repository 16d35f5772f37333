/** Pieces of SQL, and the parsing of single values. */

import { formatInstant } from "../../time.ts";
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
/** 1 where the column is neither NULL nor empty, 0 otherwise. */
export const isFilled = (column: string) => `(${column} IS NOT NULL AND ${column} <> '')`;
export const indexedBy = (index: string | null) => (index ? `INDEXED BY ${identifier(index)}` : "");

/** Whether a timestamp is `2026-11-23T10:00:00.123456Z`, also with a space, naive, or with `+00:00`. */
export const isUsualTimestamp = (column: string) =>
  `(${column} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
AND replace(substr(${column}, 20), '+00:00', '') NOT GLOB '*[^0-9.Z]*')`;
/** A usual timestamp up to its second. These texts are in the order of their instants. */
export const secondOf = (column: string) => `replace(substr(${column}, 1, 19), ' ', 'T')`;
/** An instant (unix ms) as `secondOf` gives it. */
export const secondText = (ms: number) => formatInstant(ms).slice(0, 19);

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
