/** A run that ended is found by the next read; what ended long ago is not read again. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabaseFile, type SqlClient } from "../../../infra/platform/file-client.ts";
import { createSchema } from "../../../infra/platform/schema.ts";
import type { EndedCursor } from "../../../shared/facts/facts.ts";
import { ended } from "../../../shared/sources/sql/facts/ended.ts";
import { introspectionOf } from "../../../shared/sources/sql/reader.ts";
import type { Schema } from "../../../shared/sources/sql/schema.ts";
import { SQLITE } from "../../../shared/sources/sqlite/dialect.ts";
import { MINUTE_MS } from "../../../shared/time.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");

describe("the rows that ended since the last read", () => {
  let database: SqlClient;
  let schema: Schema;
  beforeEach(async () => {
    database = openDatabaseFile("file::memory:");
    await createSchema(database);
    schema = SQLITE.parseSchema(await rowsOf(introspectionOf(SQLITE)));
  });
  afterEach(() => database.close());

  async function rowsOf(sql: string) {
    const { rows, columns } = await database.execute(sql);
    return rows.map((row) => columns.map((column) => row[column] as string));
  }
  async function read(since: EndedCursor | null, nowMs: number) {
    const context = { since: { ended: since }, now: () => nowMs, signal: never, wanted: new Set<never>() };
    const answers = await Promise.all(ended.statements(schema, context).map(rowsOf));
    const { rows, cursor } = ended.parse(answers, {
      schema,
      time: { fromMs: nowMs, toMs: nowMs },
      report: () => {},
      markUnlisted: () => {},
    });
    return { ids: [...new Set(rows.map(({ id }) => id))].sort(), cursor };
  }
  const never = new AbortController().signal;
  const add = (id: string, status: string, completedAt: string | number | null) =>
    database.execute({
      sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, completed_at, message, triggered_by)
            VALUES (?, 's', 'ruby', ?, '2026-11-23T09:00:00Z', ?, 'm', 'manual')`,
      args: [id, status, completedAt],
    });
  const addHistory = (n: number) =>
    database.execute(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n})
INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, completed_at, message, triggered_by)
SELECT 'old-' || hex(randomblob(8)), 's', 'ruby', 'success', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z', 'm', 'manual' FROM n`);

  test.for([
    ["as the backend writes it", "2026-11-23T10:03:00.123456Z"],
    ["as the scheduler writes it, naive", "2026-11-23T10:03:00.123456"],
    ["as SQLite's datetime() writes it", "2026-11-23 10:03:00"],
    ["with +00:00", "2026-11-23T10:03:00+00:00"],
  ] as const)("completed_at %s", async ([, completedAt]) => {
    await add("long", "running", null);
    await addHistory(1_500);
    await add("short", "queued", null);
    const { cursor } = await read(null, NOW);
    await database.execute({
      sql: "UPDATE schedule_executions SET status = 'failed', completed_at = ? WHERE id IN ('long', 'short')",
      args: [completedAt],
    });
    await add("new", "success", completedAt);
    const { ids } = await read(cursor, NOW + 5 * MINUTE_MS);
    expect(ids).toEqual(["long", "new", "short"]);
  });

  test("what ended long ago is not read again", async () => {
    await add("old", "success", "2026-11-23T08:59:59Z");
    await add("new", "skipped", "2026-11-23T09:54:59Z");
    const { ids, cursor } = await read(null, NOW);
    expect(ids).toEqual(["new"]);
    expect((await read(cursor, NOW)).ids).toEqual([]);
  });

  test("a row without completed_at is E-03's, not one that just ended", async () => {
    await add("unpopulated", "failed", null);
    expect((await read(null, NOW)).ids).toEqual([]);
  });
});
