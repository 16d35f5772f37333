/** The facts of a database in memory, through the canary's own reader. */
import { openDatabaseFile, type SqlClient } from "../../infra/platform/file-client.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import type { FactName, Facts, Reading } from "../../shared/facts/facts.ts";
import type { Database, SqlRow } from "../../shared/sources/sql/database.ts";
import { sqlReader } from "../../shared/sources/sql/reader.ts";
import { SQLITE } from "../../shared/sources/sqlite/dialect.ts";

/** The time of every read, unix ms. */
export const READ_MS = Date.parse("2026-11-23T10:00:00Z");

/** The instant that many seconds before the read, as the platform writes it. */
export const ago = (seconds: number): string =>
  new Date(READ_MS - seconds * 1000).toISOString().replace("Z", "000Z");

export interface MemoryPlatform {
  readonly client: SqlClient;
  /** Inserts a row: the columns that are given. */
  insert(table: string, row: Readonly<Record<string, string | number | null>>): Promise<void>;
  /** Inserts a row of schedule_executions; by default a success that started a minute before the read. */
  addRun(row: Readonly<Record<string, string | number | null>>): Promise<void>;
  read<F extends FactName>(fact: F): Promise<{ reading: Reading<Facts[F]>; unavailable: readonly string[] }>;
  /** Reads the fact. @throws where it is unread */
  value<F extends FactName>(fact: F): Promise<Facts[F]>;
}

function databaseOf(client: SqlClient): Database {
  const rowsOf = async (statement: string): Promise<SqlRow[]> => {
    const { rows, columns } = await client.execute(statement).catch(({ message }) => {
      throw new Error(`SQLite error: ${message}`);
    });
    return rows.map((row) => columns.map((column) => row[column] as SqlRow[number]));
  };
  return {
    sql: SQLITE,
    batch: (statements) => Promise.all(statements.map(rowsOf)),
    separately: (statements) => Promise.all(statements.map((s) => rowsOf(s).catch((error: Error) => error))),
  };
}

/** Makes the platform's tables in memory. */
export async function memoryPlatform(): Promise<MemoryPlatform> {
  const client = openDatabaseFile("file::memory:");
  await createSchema(client);
  const reader = sqlReader("sqlite", databaseOf(client));
  const platform: MemoryPlatform = {
    client,
    async insert(table, row) {
      const names = Object.keys(row);
      await client.execute({
        sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
        args: Object.values(row),
      });
    },
    addRun: (row) =>
      platform.insert("schedule_executions", {
        schedule_id: "s",
        agent_name: "ruby",
        status: "success",
        started_at: ago(60),
        message: "m",
        triggered_by: "manual",
        ...row,
      }),
    async read<F extends FactName>(fact: F) {
      const { readings, unavailable } = await reader({
        signal: new AbortController().signal,
        now: () => READ_MS,
        wanted: new Set([fact]),
        since: { ended: null },
      });
      return { reading: readings[fact] as unknown as Reading<Facts[F]>, unavailable };
    },
    async value(fact) {
      const { reading } = await platform.read(fact);
      if (!reading.read) throw new Error(reading.reason);
      return reading.value;
    },
  };
  return platform;
}
