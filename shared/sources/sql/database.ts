/** The platform's database behind one interface, whichever backend it has. */
import type { Dialect } from "./dialect.ts";

/** A column of a row. Text that may hold broken bytes comes as bytes, or packed (`sqlite/packing.ts`). */
export type SqlValue = string | number | bigint | ArrayBuffer | Uint8Array | null;
export type SqlRow = readonly SqlValue[];

export interface Database {
  /** How this backend says things. */
  readonly sql: Dialect;
  /**
   * Runs the statements in one read transaction, in one round trip.
   * @returns the rows of each statement
   * @throws the first failure; no statement has an answer then
   */
  batch(statements: readonly string[], signal: AbortSignal): Promise<SqlRow[][]>;
  /**
   * Runs the statements in one read transaction, one after the other. One that fails does not stop the others.
   * @returns for each statement its rows or its error
   */
  separately(statements: readonly string[], signal: AbortSignal): Promise<(SqlRow[] | Error)[]>;
}
