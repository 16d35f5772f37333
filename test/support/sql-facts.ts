/** The facts of a database in memory, through the canary's own reader. */
import { PGlite } from "@electric-sql/pglite";
import { openDatabaseFile, type SqlClient } from "../../infra/platform/file-client.ts";
import { numbered } from "../../infra/platform/postgres-client.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import type { FactName, Facts, Reading } from "../../shared/facts/facts.ts";
import { POSTGRES } from "../../shared/sources/postgres/dialect.ts";
import { StatementError } from "../../shared/sources/postgres/errors.ts";
import type { SourceResult } from "../../shared/sources/source.ts";
import type { Database, SqlRow } from "../../shared/sources/sql/database.ts";
import type { Backend } from "../../shared/sources/sql/dialect.ts";
import { SQL_FACTS, sqlReader } from "../../shared/sources/sql/reader.ts";
import { SQLITE } from "../../shared/sources/sqlite/dialect.ts";

export const BACKENDS = ["sqlite", "postgres"] as const satisfies readonly Backend[];

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
  /** Inserts many rows of the same columns. */
  insertAll(table: string, rows: readonly Readonly<Record<string, string | number | null>>[]): Promise<void>;
  /** Reads all facts of the database at that instant (unix ms). */
  readAll(nowMs: number): Promise<SourceResult>;
  read<F extends FactName>(fact: F): Promise<{ reading: Reading<Facts[F]>; unavailable: readonly string[] }>;
  /** Reads the fact. @throws where it is unread */
  value<F extends FactName>(fact: F): Promise<Facts[F]>;
}

function sqliteDatabase(client: SqlClient): Database {
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

/** Gives cells as the protocol does: the bytes of their text. */
function postgresDatabase(engine: PGlite): Database {
  const rowsOf = async (statement: string): Promise<SqlRow[]> => {
    const { rows } = await engine.query<unknown[]>(statement, [], { rowMode: "array" });
    return rows.map((row) => row.map((cell) => (cell === null ? null : Buffer.from(String(cell)))));
  };
  const separately: Database["separately"] = async (statements) => {
    const answers: (SqlRow[] | Error)[] = [];
    await engine.exec("SAVEPOINT before");
    for (const statement of statements)
      answers.push(
        await rowsOf(statement).catch(async (error: Error) => {
          await engine.exec("ROLLBACK TO SAVEPOINT before");
          return new StatementError(error.message);
        }),
      );
    return answers;
  };
  return {
    sql: POSTGRES,
    separately,
    async batch(statements) {
      const answers = await separately(statements, new AbortController().signal);
      const failed = answers.find((answer) => answer instanceof Error);
      if (failed) throw failed;
      return answers as SqlRow[][];
    },
  };
}

/** The engine behind the interface of the platform's clients. */
const postgresClient = (engine: PGlite): SqlClient => ({
  backend: "postgres",
  async execute(statement) {
    const { sql, args = [] } = typeof statement === "string" ? { sql: statement } : statement;
    const {
      rows,
      fields,
      affectedRows = 0,
    } = await engine.query<Record<string, string>>(numbered(sql), args as unknown[]);
    return { columns: fields.map(({ name }) => name), rows, rowsAffected: affectedRows };
  },
  async batch(statements) {
    const answers: Awaited<ReturnType<SqlClient["execute"]>>[] = [];
    for (const statement of statements) answers.push(await this.execute(statement));
    return answers;
  },
  close: () => {},
});

/** It takes seconds to start, so that a file has one. Each platform is a transaction of its own, which is rolled back. */
let engine: Promise<PGlite> | undefined;

async function startEngine(): Promise<PGlite> {
  const started = await PGlite.create();
  await createSchema(postgresClient(started));
  await started.exec("BEGIN");
  return started;
}

async function postgresMemory() {
  engine ??= startEngine();
  const started = await engine;
  await started.exec("ROLLBACK; BEGIN");
  return { client: postgresClient(started), database: postgresDatabase(started) };
}

async function sqliteMemory() {
  const client = openDatabaseFile("file::memory:");
  await createSchema(client);
  return { client, database: sqliteDatabase(client) };
}

/** Makes the platform's tables in memory. With PostgreSQL, those of the platform that was made before are gone. */
export async function memoryPlatform(backend: Backend = "sqlite"): Promise<MemoryPlatform> {
  const { client, database } = backend === "postgres" ? await postgresMemory() : await sqliteMemory();
  const reader = sqlReader(backend, database);
  const platform: MemoryPlatform = {
    client,
    async insert(table, row) {
      const names = Object.keys(row);
      await client.execute({
        sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
        args: Object.values(row),
      });
    },
    async insertAll(table, rows) {
      if (rows.length === 0) return;
      const names = Object.keys(rows[0]!);
      const one = `(${names.map(() => "?").join(", ")})`;
      await client.execute({
        sql: `INSERT INTO ${table} (${names.join(", ")}) VALUES ${rows.map(() => one).join(", ")}`,
        args: rows.flatMap((row) => names.map((name) => row[name]!)),
      });
    },
    readAll: (nowMs) =>
      reader({
        signal: new AbortController().signal,
        now: () => nowMs,
        wanted: new Set(SQL_FACTS),
        since: { ended: null },
      }),
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
