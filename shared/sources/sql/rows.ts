/** Rows of an answer, and their fields. */
import { SourceError } from "../../errors.ts";
import type { SqlRow, SqlValue } from "./database.ts";

/** Text, null for NULL, undefined for what can't be read: bytes that are not UTF-8, or too many of them. */
export type Field = string | null | undefined;

/** A longer value is no name or id. It is not cut: what is left would be another name. */
export const MAX_BYTES = 1_000;
/** What a line says of a name or an id that can't be read. */
export const UNREADABLE = `can't be read (it is not UTF-8, or longer than ${MAX_BYTES} bytes)`;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes UTF-8. Returns undefined where the bytes are something else, or too many. */
export function decoded(bytes: ArrayBuffer | Uint8Array): string | undefined {
  if (bytes.byteLength > MAX_BYTES) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The answer to one statement: rows, or the error. */
export type QueryAnswer = readonly SqlRow[] | Error;

/** Returns the rows of a statement that was not made by `Dialect.rows`. @throws where it failed */
export function rowsOf(answer: QueryAnswer | undefined): readonly SqlRow[] {
  if (answer === undefined) throw new SourceError("the server left an answer out");
  if (answer instanceof Error) throw answer;
  return answer;
}

/** A row whose fields are decoded when they are read. It is valid only during the call that receives it. */
export type Row<C extends string> = Readonly<Record<C, Field>>;

/** Decodes a column that was selected with `Dialect.bytes`. */
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
