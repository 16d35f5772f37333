/** How one backend says what the facts need. Whole statements that differ stand side by side in the facts. */
import type { QueryAnswer, Row } from "./rows.ts";
import type { Schema } from "./schema.ts";

export type Backend = "sqlite" | "postgres";

export interface Dialect {
  readonly backend: Backend;
  /** Selects the columns of these tables and the indexes, for `parseSchema`. Its answer changes with them. */
  introspection(tables: readonly string[]): string;
  parseSchema(answer: QueryAnswer | undefined): Schema;
  /** Whether the error is that of a statement, so that others may succeed. */
  isOfStatement(error: Error): boolean;

  /** Makes the statement that gives the rows of a SELECT to `eachRow`. */
  rows(columns: readonly string[], select: string): string;
  /**
   * Calls `visit` for each row of a statement that `rows` has made. All rows share one object.
   * @param columns the columns that the statement was made with
   * @throws where the statement failed, or its answer is none of such a statement
   */
  eachRow<const C extends string>(
    answer: QueryAnswer | undefined,
    columns: readonly C[],
    visit: (row: Row<C>) => void,
  ): void;

  /** The column as text, whatever its type. An index on a text column serves it. */
  text(column: string): string;
  /** The value as text; where it is too long, something that `rows` and `bytes` give as unreadable. */
  bounded(value: string): string;
  /** The value for `textOf`. */
  bytes(value: string): string;
  /** The beginning of a text that is only shown, for `textOf`. */
  shown(column: string): string;
  /** A number, or something that `countOf` can't read. */
  integer(column: string): string;
  /** Whether the column is neither NULL nor empty. */
  isFilled(column: string): string;
  /** 1 where the condition holds, 0 otherwise. */
  flag(condition: string): string;
  /** Whether a column that is meant for 0 and 1 is not 0. */
  isOn(column: string): string;
  /** Whether the one text comes before the other, byte by byte. */
  isBefore(a: string, b: string): string;
  /** Whether a timestamp is `2026-11-23T10:00:00.123456Z`, also with a space, naive, or with `+00:00`. */
  isUsualTimestamp(column: string): string;
  /** Whether the second is before the first, by the texts, or one of them is no usual timestamp, or of another shape. */
  isOutOfOrder(first: string, second: string): string;
  /** A usual timestamp up to its second. These texts are in the order of their instants. */
  secondOf(column: string): string;
  /** The instant of a timestamp so many seconds later, as `secondOf` writes it; NULL where it is none. */
  secondAfter(column: string, seconds: number): string;
  /** Names the index that is to be used, where the backend takes such advice. */
  indexedBy(index: string | null): string;
  /** Ends a SELECT whose columns are to be computed once for each row. */
  readonly fence: string;
}
