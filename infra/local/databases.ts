/** The database of an embedded platform, and others beside it, on either backend. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openPlatformDatabase, platformDatabase } from "../platform/database.ts";
import { type Backend, openDatabaseFile, type SqlClient } from "../platform/file-client.ts";
import type { Release } from "../platform/releases.ts";
import { createSchema } from "../platform/schema.ts";
import { LocalError } from "./local-error.ts";
import type { OnClose } from "./on-close.ts";
import { type LocalPostgres, startPostgres } from "./postgres.ts";

export interface LocalDatabase {
  /** For writers. It can hold a password. */
  readonly url: string;
  /** The variables of a canary that reads it. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface LocalDatabases {
  /** The platform's own, which is empty at first. */
  readonly platform: LocalDatabase;
  /** The engine, in words. */
  readonly engine: string;
  /** Where it is, without a password. */
  readonly address: string;
  /** Makes the platform's tables in its database. The caller closes the client. */
  open(): Promise<SqlClient>;
  /** Opens a client of its own, whose transactions contain nothing of another's. The caller closes it. */
  another(): Promise<SqlClient>;
  /** Makes a database with the platform's tables, and no row in them. */
  addEmpty(name: string): Promise<LocalDatabase>;
  /** Copies the platform's database as it is now, with every time in it a day earlier. */
  addCopy(name: string): Promise<LocalDatabase & { remove(): Promise<void> }>;
}

/** How long a second connection waits for a lock: it blocks the process, and with it perhaps the holder of the lock. */
const BUSY_TIMEOUT_MS = 20;

/** Opens the database for one piece of work. */
async function using<T>(
  opened: SqlClient | Promise<SqlClient>,
  work: (client: SqlClient) => Promise<T>,
): Promise<T> {
  const client = await opened;
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** The columns of times, and what moves one back by a day: only the date changes, so that each keeps its format. */
const AGEING: Readonly<Record<Backend, { readonly columns: string; dayBefore(column: string): string }>> = {
  sqlite: {
    columns: `SELECT t.name AS "table", c.name AS "column" FROM sqlite_master t JOIN pragma_table_info(t.name) c
     WHERE t.type = 'table' AND c.name GLOB '*_at'`,
    dayBefore: (column) =>
      `COALESCE(date(substr(${column}, 1, 10), '-1 day') || substr(${column}, 11), ${column})`,
  },
  postgres: {
    columns: `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
     WHERE table_schema = 'public' AND column_name LIKE '%\\_at'`,
    dayBefore: (column) =>
      `to_char(CAST(substr(${column}, 1, 10) AS DATE) - 1, 'YYYY-MM-DD') || substr(${column}, 11)`,
  },
};

async function ageByADay(database: SqlClient): Promise<void> {
  const { columns, dayBefore } = AGEING[database.backend ?? "sqlite"];
  const { rows } = await database.execute(columns);
  await database.batch(
    rows.map(({ table, column }) => `UPDATE ${table} SET ${column} = ${dayBefore(String(column))}`),
    "write",
  );
}

function databaseFiles(folder: string, release: Release): LocalDatabases {
  const pathOf = (name: string) => join(folder, `${name}.db`);
  const database = (name: string): LocalDatabase => {
    const url = `file:${pathOf(name)}`;
    return { url, variables: { LIBSQL_URL: url } };
  };
  const platform = database("trinity");
  const open = async ({ url }: LocalDatabase) => {
    const client = await openPlatformDatabase(url);
    await createSchema(client, release);
    return client;
  };
  const another = async () => openDatabaseFile(platform.url, BUSY_TIMEOUT_MS);
  return {
    platform,
    engine: "SQLite file",
    address: platform.url,
    open: () => open(platform),
    another,
    async addEmpty(name) {
      (await open(database(name))).close();
      return database(name);
    },
    async addCopy(name) {
      const path = pathOf(name);
      // A connection of its own leaves no lock.
      await using(another(), (client) =>
        platformDatabase(client, { record() {} }).read("VACUUM INTO ?", [path]),
      );
      await using(openDatabaseFile(`file:${path}`), ageByADay);
      return { ...database(name), remove: () => rm(path, { force: true }) };
    },
  };
}

/** Copies every row, as they were at one instant. */
async function copyRows(from: SqlClient, to: SqlClient): Promise<void> {
  const { rows } = await from.execute(
    "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'",
  );
  const tables = rows.map(({ name }) => String(name));
  const answers = await from.batch(
    tables.map((table) => `SELECT CAST(json_agg(t) AS TEXT) AS held FROM ${table} t`),
    "read",
  );
  await to.batch(
    tables.map((table, i) => ({
      sql: `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, CAST(CAST(? AS TEXT) AS JSON))`,
      args: [answers[i]!.rows[0]!.held ?? "[]"],
    })),
    "write",
  );
}

function postgresDatabases(server: LocalPostgres): LocalDatabases {
  const another = () => openPlatformDatabase(server.url);
  const database = ({ url, readerUrl }: Pick<LocalPostgres, "url" | "readerUrl">): LocalDatabase => ({
    url,
    variables: { DATABASE_URL: readerUrl },
  });
  const open = async ({ url }: LocalDatabase) => {
    const client = await openPlatformDatabase(url);
    await createSchema(client);
    return client;
  };
  const add = async (name: string) => {
    const { remove, ...added } = await server.addDatabase(name);
    return { ...database(added), remove };
  };
  const address = new URL(server.readerUrl);
  address.password = "";
  return {
    platform: database(server),
    engine: `PostgreSQL ${server.version}${server.engine === "pglite" ? ", embedded engine PGlite (no postgres on this machine)" : ""}`,
    address: String(address),
    open: () => open(database(server)),
    another,
    async addEmpty(name) {
      const added = await add(name);
      (await open(added)).close();
      return added;
    },
    async addCopy(name) {
      const copy = await add(name);
      await using(open(copy), async (to) => {
        await using(another(), (from) => copyRows(from, to));
        await ageByADay(to);
      });
      return copy;
    },
  };
}

/**
 * Makes where the platform's database is to be. The database is made by `open`.
 * @param folder for database files
 * @param onClose gets the function that ends what was started
 * @throws LocalError where there is no such platform
 */
export async function openDatabases(
  {
    backend,
    release,
    folder,
  }: { readonly backend: Backend; readonly release: Release; readonly folder: string },
  onClose: OnClose,
): Promise<LocalDatabases> {
  if (backend === "sqlite") return databaseFiles(folder, release);
  if (release !== "today")
    throw new LocalError(`the release ${release} has no PostgreSQL: leave --database or --release out`);
  const server = await startPostgres();
  onClose(server.close);
  return postgresDatabases(server);
}
