/**
 * One fact of the database: its SQL, and the parsing of its rows. Two rules hold for every statement, on both backends. An
 * odd value spoils its own row, never the statement: text is selected by `Dialect.rows` or as `Dialect.bytes`, and nothing is
 * cast that may not be what it seems. The rows of history are never visited: in SQLite indexes are named, since its planner
 * does not choose them by itself, and in PostgreSQL a statement is written so that no index but the right one is of use.
 */
import { DATABASE_VARIABLES } from "../../config/named-database.ts";
import type { ReadingTime } from "../../facts/facts.ts";
import type { ReadContext } from "../source.ts";
import type { Backend } from "./dialect.ts";
import type { QueryAnswer } from "./rows.ts";
import { type Place, placeText, type Schema } from "./schema.ts";
import { EXECUTIONS } from "./values.ts";

export interface ParseContext {
  readonly schema: Schema;
  readonly time: ReadingTime;
  /** Adds a line to `sources_unavailable`; the source's name is put before it. */
  report(line: string): void;
  /** Notes that some entries of the fact could not be listed. */
  markUnlisted(why: string): void;
}

export interface SqlFact<T> {
  /** Returns the reason why this installation does not have the fact; null where it has it. */
  missing(schema: Schema): string | null;
  /**
   * Returns the reason why this release of the platform has no such fact; null where it has it. What reads the fact is then
   * not run, in place of unknown. Only asked where nothing is missing. Left out: every release has the fact.
   */
  absent?(schema: Schema): string | null;
  /** It says itself what it can't know where something may not be read. Left out: the fact is unread then. */
  readonly knowsDenied?: true;
  /** A statement that several facts share is sent once. */
  statements(schema: Schema, context: ReadContext): readonly string[];
  /** @param answers one for each statement */
  parse(answers: readonly (QueryAnswer | undefined)[], context: ParseContext): T;
}

export const needsTable = (table: string) => (schema: Schema) =>
  schema.hasTable(table) ? null : `table ${table} is missing`;

/** What every release of the platform has. */
const ALWAYS = ["agent_ownership", EXECUTIONS];
/** PostgreSQL shows a role nothing of a schema that it may not use, or does not look in. */
const CHECKS: Readonly<Record<Backend, string>> = {
  sqlite: `check that ${DATABASE_VARIABLES.sqlite} names the platform's database`,
  postgres: `check that ${DATABASE_VARIABLES.postgres} names the platform's database, and that its role sees the tables there (USAGE on their schema, search_path)`,
};

/** Says what to check where the database is another's; null where it is the platform's. */
export const otherDatabase = (schema: Schema): string | null =>
  ALWAYS.some(schema.hasTable)
    ? null
    : `it has no table ${ALWAYS.join(" and no table ")}: ${CHECKS[schema.sql.backend]}`;

/** What is said of what is there and may not be read. */
export const deniedText = (place: Place): string =>
  `no right to read ${placeText(place)}: grant SELECT on it`;

export const needsColumns =
  (table: string, ...columns: readonly string[]) =>
  (schema: Schema): string | null => {
    const missing = columns.find((column) => !schema.hasColumn(table, column));
    return needsTable(table)(schema) ?? (missing === undefined ? null : `column ${missing} is missing`);
  };

export const needsExecutions = needsTable(EXECUTIONS);

export const needsExecutionsColumn = (column: string) => needsColumns(EXECUTIONS, column);
