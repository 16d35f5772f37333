/**
 * Many rows in one text: a server writes each cell of an answer as a JSON object, refuses answers above its limit, and
 * answers 500 for text that is not UTF-8. A value that is too long to be a name does not travel. A field is a netstring, so
 * that no value can end it early: its length, a colon, and its characters; or, where these are not all printable ASCII, its
 * length, an x, and its bytes in hex. A NULL is a colon alone.
 */
import type { SqlRow } from "../sql/database.ts";
import { decoded, type Field, MAX_BYTES, type QueryAnswer, type Row, rowsOf } from "../sql/rows.ts";

const COLON = 58;
const HEX = 120;
const ZERO = 48;

/** Whether the value is too long. It is not loaded for this: SQLite keeps the length of a value beside it. */
const isTooLong = (value: string) => `octet_length(${value}) > ${MAX_BYTES}`;

/** The value; where it is too long, a blob that is not UTF-8. */
export const bounded = (value: string): string =>
  `CASE WHEN ${isTooLong(value)} THEN x'ff' ELSE ${value} END`;
export const blob = (value: string): string => `CAST(${bounded(value)} AS BLOB)`;

/** For `length` and GLOB a text ends at its first NUL, and a blob does not: neither may count as printable. */
const netstring = (value: string) => `CASE WHEN ${value} IS NULL THEN ':'
WHEN ${isTooLong(value)} THEN '2xff'
WHEN typeof(${value}) <> 'blob' AND length(${value}) = octet_length(${value}) AND ${value} NOT GLOB '*[^ -~]*'
THEN length(${value}) || ':' || ${value} ELSE (2 * octet_length(${value})) || 'x' || hex(${value}) END`;

/** Packs the rows of a SELECT of these columns: the answer is one row with one text, for `eachRow`. */
export const packed = (columns: readonly string[], select: string): string =>
  `SELECT group_concat(${columns.map(netstring).join(" || ")}, '') FROM (${select})`;

/**
 * Calls `visit` for each row of a packed statement. All rows share one object: a new one for each takes several times as
 * long.
 * @param columns the columns that the statement was packed with
 * @throws where the statement failed, or its answer is not packed
 */
export function eachRow<const C extends string>(
  answer: QueryAnswer | undefined,
  columns: readonly C[],
  visit: (row: Row<C>) => void,
): void {
  const given = rowsOf(answer);
  if (given.length !== 1 || given[0]!.length !== 1) throw new Error("the packed rows are not one text");
  const [[text]] = given as [[SqlRow[number]]];
  if (text === null) return;
  if (typeof text !== "string") throw new Error("the packed rows are not text");
  /** Start and end of each field of this row; a NULL starts at -1. */
  const starts = new Int32Array(columns.length);
  const ends = new Int32Array(columns.length);
  const field = (column: number): Field => {
    const start = starts[column]!;
    if (start < 0) return null;
    const characters = text.slice(start, ends[column]);
    return text.charCodeAt(start - 1) === HEX ? decoded(Buffer.from(characters, "hex")) : characters;
  };
  const getters = columns.map((name, column) => [name, { get: () => field(column) }]);
  const row = Object.defineProperties({}, Object.fromEntries(getters)) as Row<C>;
  for (let at = 0; at < text.length; ) {
    for (let column = 0; column < columns.length; column += 1) {
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
    visit(row);
  }
}
