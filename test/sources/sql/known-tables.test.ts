/** Of a database that others share, the canary looks at the tables that its facts read, and at no other. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabaseFile, type SqlClient } from "../../../infra/platform/file-client.ts";
import { createSchema } from "../../../infra/platform/schema.ts";
import { POSTGRES } from "../../../shared/sources/postgres/dialect.ts";
import type { ReadContext } from "../../../shared/sources/source.ts";
import { introspectionOf, knownTables, planFor, SQL_FACTS } from "../../../shared/sources/sql/reader.ts";
import { SQLITE } from "../../../shared/sources/sqlite/dialect.ts";

let database: SqlClient;
beforeAll(async () => {
  database = openDatabaseFile("file::memory:");
  await createSchema(database);
});
afterAll(() => database.close());

test.each([SQLITE, POSTGRES])("each table that a statement reads is known ($backend)", async (sql) => {
  const named = await database.execute("SELECT name FROM sqlite_master WHERE type = 'table'");
  const platforms = named.rows.map(({ name }) => String(name));
  const { rows, columns } = await database.execute(SQLITE.introspection(platforms));
  const schema = SQLITE.parseSchema(rows.map((row) => columns.map((column) => row[column] as string)));
  const context = { now: Date.now, wanted: new Set(SQL_FACTS), since: { ended: null } };
  const { statements } = planFor({ ...schema, sql }, context as unknown as ReadContext);
  const words = new Set(statements.slice(1).flatMap((statement) => statement.match(/\w+/g) ?? []));
  expect(platforms.filter((table) => words.has(table)).sort()).toEqual(knownTables(sql));
});

test("the columns of other tables are not listed", async () => {
  await database.execute("CREATE TABLE bookings (id TEXT, guest TEXT)");
  const { rows } = await database.execute(introspectionOf(SQLITE));
  const listed = JSON.stringify(rows);
  expect(listed).toContain("max_parallel_tasks");
  expect(listed).not.toContain("guest");
});
