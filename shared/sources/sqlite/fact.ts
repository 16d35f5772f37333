/**
 * One fact of the database: its SQL, and the parsing of its rows. Two rules hold for every statement. Text is packed or
 * selected as a blob: for a row whose text is not UTF-8 a server answers 500 to the whole batch. The rows of history are
 * never visited: indexes are named, since the planner does not choose them by itself.
 */
import type { ReadingTime } from "../../facts/facts.ts";
import type { ReadContext } from "../source.ts";
import type { QueryAnswer } from "./packing.ts";
import type { Schema } from "./schema.ts";
import { EXECUTIONS } from "./sql.ts";

export interface ParseContext {
  readonly schema: Schema;
  readonly time: ReadingTime;
  /** Adds a line to `sources_unavailable`. */
  report(line: string): void;
  /** Notes that some entries of the fact could not be listed. */
  markUnlisted(why: string): void;
}

export interface SqlFact<T> {
  /** Returns the reason why this installation does not have the fact; null where it has it. */
  missing(schema: Schema): string | null;
  /** A statement that several facts share is sent once. */
  statements(schema: Schema, context: ReadContext): readonly string[];
  /** @param answers one for each statement */
  parse(answers: readonly (QueryAnswer | undefined)[], context: ParseContext): T;
}

export const needsTable = (table: string) => (schema: Schema) =>
  schema.hasTable(table) ? null : `table ${table} is missing`;

export const needsExecutions = needsTable(EXECUTIONS);

export const needsExecutionsColumn = (column: string) => (schema: Schema) =>
  needsExecutions(schema) ?? (schema.hasColumn(EXECUTIONS, column) ? null : `column ${column} is missing`);
