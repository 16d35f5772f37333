/** A database that is not the platform's: what is said, and how often. */
import { expect, test } from "vitest";
import { openDatabaseFile } from "../../../infra/platform/file-client.ts";
import { createSchema } from "../../../infra/platform/schema.ts";
import { collect } from "../../../shared/sources/collect.ts";
import { POSTGRES } from "../../../shared/sources/postgres/dialect.ts";
import type { Database, SqlRow } from "../../../shared/sources/sql/database.ts";
import { SQL_FACTS, sqlReader } from "../../../shared/sources/sql/reader.ts";
import { SQLITE } from "../../../shared/sources/sqlite/dialect.ts";

/** Reads all facts as a cycle does. */
async function read(database: Database) {
  const name = database.sql.backend;
  const { unavailable, readings } = await collect({
    sources: [{ name, gives: SQL_FACTS, read: sqlReader(name, database) }],
    wanted: new Set(SQL_FACTS),
    deadlineMs: 60_000,
    now: Date.now,
    since: { ended: null },
    redact: (line) => line,
    isStranger: () => false,
  });
  const reasons = SQL_FACTS.map((fact) => readings[fact]).map((reading) =>
    reading?.read === false ? reading.reason : "read",
  );
  return { unavailable, reasons: [...new Set(reasons)] };
}

function memory() {
  const client = openDatabaseFile("file::memory:");
  const batch: Database["batch"] = (statements) =>
    Promise.all(
      statements.map(async (statement) => {
        const { rows, columns } = await client.execute(statement);
        return rows.map((row) => columns.map((column) => row[column] as SqlRow[number]));
      }),
    );
  return { client, database: { sql: SQLITE, batch, separately: batch } };
}

test("it is said once for all facts, with the variable to check, and no longer once the platform is there", async () => {
  const { client, database } = memory();
  await client.execute("CREATE TABLE system_settings (key TEXT, value TEXT)");
  const said =
    "sqlite: it has no table agent_ownership and no table schedule_executions: check that LIBSQL_URL names the platform's database";
  for (const _ of [1, 2]) expect(await read(database)).toEqual({ unavailable: [said], reasons: [said] });
  await client.execute("DROP TABLE system_settings");
  await createSchema(client);
  expect(await read(database)).toEqual({ unavailable: [], reasons: ["read"] });
});

test("on PostgreSQL the role may not see the tables: that is to be checked too", async () => {
  const batch: Database["batch"] = async (statements) => statements.map(() => []);
  const { unavailable } = await read({ sql: POSTGRES, batch, separately: batch });
  expect(unavailable).toEqual([
    "postgres: it has no table agent_ownership and no table schedule_executions: check that DATABASE_URL names the platform's database, and that its role sees the tables there (USAGE on their schema, search_path)",
  ]);
});
