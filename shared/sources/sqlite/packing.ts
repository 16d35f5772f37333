/**
 * Many rows in one text: a server writes each cell of an answer as an object of its own, refuses answers above its limit,
 * and answers 500 for text that is not UTF-8. A field is a netstring, so that nothing in a value can be taken for its end:
 * its length, a colon, and its characters; or its length, an x, and its bytes in hex, where they are not all printable
 * ASCII. A NULL is a colon alone.
 */
import type { SqlRow } from "./database.ts";

/** Text, null for NULL, undefined for bytes that are no UTF-8. */
export type Field = string | null | undefined;

const COLON = 58;
const HEX = 120;
const ZERO = 48;

/** A text ends at its first NUL for `length` and GLOB, and a blob doesn't: neither may pass for printable. */
const netstring = (value: string) => `CASE WHEN ${value} IS NULL THEN ':'
WHEN typeof(${value}) <> 'blob' AND length(${value}) = length(CAST(${value} AS BLOB)) AND ${value} NOT GLOB '*[^ -~]*'
THEN length(${value}) || ':' || ${value} ELSE (2 * length(CAST(${value} AS BLOB))) || 'x' || hex(${value}) END`;

/**
 * @param columns names of the rows' columns
 * @param rows a SELECT that gives them
 * @returns a statement whose answer is one row with one text, for `eachRow`
 */
export const packed = (columns: readonly string[], rows: string): string =>
  `SELECT group_concat(${columns.map(netstring).join(" || ")}, '') FROM (${rows})`;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeHex(hex: string): Field {
  try {
    return utf8.decode(Buffer.from(hex, "hex"));
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
  if (rows.length !== 1 || rows[0]!.length !== 1) throw new Error("the packed rows are not one text");
  const [[text]] = rows as [[SqlRow[number]]];
  if (text === null) return;
  if (typeof text !== "string") throw new Error("the packed rows are not text");
  /** Where each field of this row starts and ends, and what stands before it. */
  const starts = new Int32Array(width);
  const ends = new Int32Array(width);
  const field = (column: number): Field => {
    const start = starts[column]!;
    if (start < 0) return null;
    const characters = text.slice(start, ends[column]);
    return text.charCodeAt(start - 1) === HEX ? decodeHex(characters) : characters;
  };
  for (let at = 0; at < text.length; ) {
    for (let column = 0; column < width; column += 1) {
      const from = at;
      let length = 0;
      let code = text.charCodeAt(at);
      for (; code !== COLON && code !== HEX; code = text.charCodeAt(at)) {
        const digit = code - ZERO;
        if (!(digit >= 0 && digit <= 9)) throw new Error("the packed rows can't be read");
        length = length * 10 + digit;
        at += 1;
      }
      if (at === from && code === HEX) throw new Error("the packed rows can't be read");
      starts[column] = at === from ? -1 : at + 1;
      at += 1 + length;
      ends[column] = at;
    }
    if (at > text.length) throw new Error("the packed rows are cut off");
    visit(field);
  }
}
