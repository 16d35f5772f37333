/** The query plans of a snapshot's statements, by a real SQLite: history must cost nothing. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabaseFile, type SqlClient } from "../../../infra/platform/file-client.ts";
import { createSchema } from "../../../infra/platform/schema.ts";
import { backlogDefectsQuery } from "../../../shared/sources/sql/facts/backlog.ts";
import { credentialsInQueueQuery } from "../../../shared/sources/sql/facts/credentials.ts";
import { endedQuery } from "../../../shared/sources/sql/facts/ended.ts";
import {
  endedSinceQuery,
  executionsQuery,
  unknownStatusesQuery,
} from "../../../shared/sources/sql/facts/executions.ts";
import {
  endedBeforeStartQuery,
  endedWithoutTimeQuery,
} from "../../../shared/sources/sql/facts/finished-rows.ts";
import { ORPHAN_TABLES, orphansQuery } from "../../../shared/sources/sql/facts/orphans.ts";
import { pendingRetriesQuery } from "../../../shared/sources/sql/facts/pending-retries.ts";
import { queuedCountsQuery } from "../../../shared/sources/sql/facts/queue-counts.ts";
import { introspectionOf } from "../../../shared/sources/sql/reader.ts";
import type { Schema } from "../../../shared/sources/sql/schema.ts";
import { SQLITE } from "../../../shared/sources/sqlite/dialect.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");

describe("on the indexes that a platform has", () => {
  let database: SqlClient;
  let schema: Schema;
  beforeAll(async () => {
    database = openDatabaseFile("file::memory:");
    await createSchema(database);
    schema = await introspect();
  });
  afterAll(() => database.close());

  async function introspect() {
    const { rows, columns } = await database.execute(introspectionOf(SQLITE));
    return SQLITE.parseSchema(rows.map((row) => columns.map((column) => row[column] as string)));
  }
  const plan = async (statement: string) =>
    (await database.execute(`EXPLAIN QUERY PLAN ${statement}`)).rows.map((row) => String(row.detail));

  test("the indexes are found by what they are on, not by their names", () => {
    expect(schema.statusIndex).toBe("idx_executions_status");
    expect(schema.endedIndex).toEqual({
      name: "idx_executions_completed_terminal",
      where: "status IN ('success', 'failed', 'cancelled', 'skipped')",
    });
  });

  const withoutIndex = (): Schema => ({ ...schema, endedIndex: null });
  const cursor = { readAtMs: NOW - 300_000 };
  for (const [name, statement] of [
    ["executions", () => executionsQuery(schema)],
    ["unknown statuses", () => unknownStatusesQuery(schema)],
    ["ended, first cycle", () => endedQuery(schema, null, NOW)],
    ["ended since", () => endedQuery(schema, cursor, NOW)],
    ["retries that wait", () => pendingRetriesQuery(schema)],
    ["runs at the start of chat turns", () => endedSinceQuery(schema)!],
    ["queue counts", () => queuedCountsQuery(SQLITE)],
    ["ended without a time", () => endedWithoutTimeQuery(schema, NOW)],
    ["ended without a time, without the index", () => endedWithoutTimeQuery(withoutIndex(), NOW)],
    ["ended before the start", () => endedBeforeStartQuery(schema, NOW)],
    ["ended before the start, without the index", () => endedBeforeStartQuery(withoutIndex(), NOW)],
    ["backlog defects", () => backlogDefectsQuery(schema)],
    ["credentials in the queue", () => credentialsInQueueQuery(schema)],
    ...ORPHAN_TABLES.map((t) => [`orphans of ${t.table}`, () => orphansQuery(schema, t)] as const),
  ] as const)
    test(`${name} seeks in schedule_executions and never scans it`, async () => {
      const steps = await plan(statement());
      const onHistory = steps.filter((step) => /\b(schedule_executions|e|t)\b/.test(step));
      const scans = onHistory.filter((step) => /^SCAN (schedule_executions|e)\b/.test(step));
      // The partial index of queued rows holds live rows only: a scan of it is a scan of the queue.
      expect(scans.filter((step) => !step.includes("idx_executions_queued"))).toEqual([]);
      if (name.endsWith("schedule_executions"))
        expect(onHistory.filter((step) => /^SCAN t\b/.test(step))).toEqual([]);
    });

  test("wrong finished rows are found by the index, and the newest of the last hour without a sort", async () => {
    const index = "USING INDEX idx_executions_completed_terminal";
    expect((await plan(endedWithoutTimeQuery(schema, NOW))).join("\n")).toContain(
      `${index} (completed_at=? AND rowid>?)`,
    );
    const steps = (await plan(endedBeforeStartQuery(schema, NOW))).join("\n");
    expect(steps).toContain(`${index} (completed_at>? AND completed_at<?)`);
    expect(steps).not.toContain("TEMP B-TREE");
  });

  test("rows that ended are found by an index", async () => {
    const steps = (await plan(endedQuery(schema, cursor, NOW))).filter((s) => s.startsWith("SEARCH"));
    expect(steps.join("\n")).toContain("(completed_at>?)");
  });
});
