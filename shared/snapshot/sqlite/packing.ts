/**
 * Many rows in one blob: a server writes each cell of an answer as an object of its own, refuses answers above its limit,
 * and answers 500 for text that is not UTF-8. A field is a netstring (its length in bytes, a colon, the bytes), a NULL is
 * a colon alone, so that no byte in a value can be taken for the end of it.
 */
import type { SqlRow } from "./database.ts";

/** Text, null for NULL, undefined for bytes that are no UTF-8. */
export type Field = string | null | undefined;

const COLON = 58;
const ZERO = 48;

const netstring = (expression: string) =>
  `CASE WHEN ${expression} IS NULL THEN ':' ELSE length(CAST(${expression} AS BLOB)) || ':' || ${expression} END`;

/**
 * @param columns expressions of the rows; each is evaluated more than once
 * @param from what follows in a SELECT, without an order
 * @returns a statement whose answer is one row with one blob, for `eachRow`
 */
export const packed = (columns: readonly string[], from: string): string =>
  `SELECT CAST(group_concat(${columns.map(netstring).join(" || ")}, '') AS BLOB) ${from}`;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Latin-1 has a character for each byte; those of ASCII are the same in UTF-8. */
const NOT_ASCII = /[\u0080-\u00ff]/;

function decode(latin1: string): Field {
  if (!NOT_ASCII.test(latin1)) return latin1;
  try {
    return utf8.decode(Buffer.from(latin1, "latin1"));
  } catch {
    return undefined;
  }
}

/**
 * Calls `visit` for each row, with what gives the fields of that row by their place.
 * @param rows the answer to a statement of `packed`
 * @param width how many columns it has
 * @throws where the answer is not that of such a statement
 */
export function eachRow(
  rows: readonly SqlRow[],
  width: number,
  visit: (field: (column: number) => Field) => void,
): void {
  const [[blob] = [null]] = rows;
  if (blob === null) return;
  if (typeof blob !== "object") throw new Error("the packed rows are not a blob");
  const bytes = ArrayBuffer.isView(blob)
    ? Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength)
    : Buffer.from(blob);
  const text = bytes.toString("latin1");
  /** Where each field of this row starts and ends; a NULL starts at -1. */
  const starts = new Int32Array(width);
  const ends = new Int32Array(width);
  const field = (column: number): Field =>
    starts[column]! < 0 ? null : decode(text.slice(starts[column], ends[column]));
  for (let at = 0; at < bytes.length; ) {
    for (let column = 0; column < width; column += 1) {
      const from = at;
      let length = 0;
      for (; bytes[at] !== COLON; at += 1) {
        const digit = bytes[at]! - ZERO;
        if (!(digit >= 0 && digit <= 9)) throw new Error("the packed rows can't be read");
        length = length * 10 + digit;
      }
      starts[column] = at === from ? -1 : at + 1;
      at += 1 + length;
      ends[column] = at;
    }
    if (at > bytes.length) throw new Error("the packed rows are cut off");
    visit(field);
  }
}
