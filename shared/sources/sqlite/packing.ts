/**
 * Many rows in one text: a server writes each cell of an answer as an object of its own, refuses answers above its limit,
 * and answers 500 for text that is not UTF-8. A field is a netstring, so that nothing in a value can be taken for its end:
 * its length, a colon, and its characters; or its length, an x, and its bytes in hex, where they are not all printable
 * ASCII. A NULL is a colon alone.
 */
import { SourceError } from "../../errors.ts";
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

/** Makes a statement whose answer is one row with one text, for `eachRow`: the rows of a SELECT that gives these columns. */
export const packed = (columns: readonly string[], select: string): string =>
  `SELECT group_concat(${columns.map(netstring).join(" || ")}, '') FROM (${select})`;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeHex(hex: string): Field {
  try {
    return utf8.decode(Buffer.from(hex, "hex"));
  } catch {
    return undefined;
  }
}

/** The answer to one statement: rows, or why there are none. */
export type Answer = readonly SqlRow[] | Error;

/** Gives the rows of a statement that is not packed. @throws where it failed */
export function rowsOf(answer: Answer | undefined): readonly SqlRow[] {
  if (answer === undefined) throw new SourceError("the server left an answer out");
  if (answer instanceof Error) throw answer;
  return answer;
}

/** A row whose fields are decoded when they are asked for; it is valid during the call that it is given to. */
export type Row<C extends string> = Readonly<Record<C, Field>>;

/**
 * Calls `visit` for each row of a statement that `packed` made. An object of its own for each row would take several
 * times as long.
 * @param columns those that the statement was made with
 * @throws where the statement failed, or the answer is not that of such a statement
 */
export function eachRow<const C extends string>(
  answer: Answer | undefined,
  columns: readonly C[],
  visit: (row: Row<C>) => void,
): void {
  const given = rowsOf(answer);
  if (given.length !== 1 || given[0]!.length !== 1) throw new Error("the packed rows are not one text");
  const [[text]] = given as [[SqlRow[number]]];
  if (text === null) return;
  if (typeof text !== "string") throw new Error("the packed rows are not text");
  /** Where each field of this row starts and ends; a NULL starts at -1. */
  const starts = new Int32Array(columns.length);
  const ends = new Int32Array(columns.length);
  const field = (column: number): Field => {
    const start = starts[column]!;
    if (start < 0) return null;
    const characters = text.slice(start, ends[column]);
    return text.charCodeAt(start - 1) === HEX ? decodeHex(characters) : characters;
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
