/** What the doctor says of a plan, with SQLite's own plans of the reader's own statements. */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { createSchema } from "../../infra/platform/schema.ts";
import { PARTIAL_INDEXES, planFindings, stepsOf } from "../../shared/doctor/plans.ts";
import type { FactName } from "../../shared/facts/facts.ts";
import type { SqlRow } from "../../shared/sources/sql/database.ts";
import { introspectionOf, planFor, SQL_FACTS } from "../../shared/sources/sql/reader.ts";
import { SQLITE } from "../../shared/sources/sqlite/dialect.ts";

async function findingsWith(...changes: string[]) {
  const database = new DatabaseSync(":memory:");
  const rows = (text: string): SqlRow[] => {
    const statement = database.prepare(text);
    statement.setReturnArrays(true);
    return statement.all() as unknown as SqlRow[];
  };
  await createSchema({
    batch: async (statements: string[]) => statements.map((text) => database.exec(text)),
  } as never);
  for (const change of changes) database.exec(change);
  const schema = SQLITE.parseSchema(rows(introspectionOf(SQLITE)));
  const { statements, plans } = planFor(schema, {
    signal: new AbortController().signal,
    now: Date.now,
    wanted: new Set<FactName>(SQL_FACTS),
    since: { ended: null },
  });
  const partial = rows(PARTIAL_INDEXES).map(([name]) => String(name));
  const small = new Set(partial.filter((name) => name !== schema.endedIndex?.name));
  const steps = statements.map((statement, place) => ({
    facts: plans.filter(({ places }) => places.includes(place)).map(({ name }) => name),
    ...stepsOf({ statement, rows: rows(`EXPLAIN QUERY PLAN ${statement}`) }, small),
  }));
  return planFindings(schema, steps);
}
const texts = (findings: Awaited<ReturnType<typeof findingsWith>>) =>
  findings.map(({ level, topic, text }) => `${level} ${topic}: ${text}`);

test("with the platform's indexes no statement of a cycle visits the history", async () => {
  const [indexes, ...more] = texts(await findingsWith());
  expect(indexes).toMatch(/^ok indexes: .*idx_executions_completed_terminal.*idx_executions_status/);
  expect(more).toEqual([]);
});

test("without the index on status, the statements that visit every row are named, and how it is made", async () => {
  const findings = texts(
    await findingsWith("DROP INDEX idx_executions_status", "DROP INDEX idx_executions_queued"),
  );
  expect(findings).toContainEqual(
    "warning index missing: each cycle visits every row: CREATE INDEX idx_executions_status ON schedule_executions(status)",
  );
  const scan = findings.find((text) => text.startsWith("warning scan"))!;
  for (const fact of ["executions", "orphans", "queueCounts"])
    expect(scan).toMatch(new RegExp(`\\b${fact}\\b`));
  expect(scan).not.toContain("newestStart");
});

test("without the index on completed_at, ended rows are found by their status, which visits each of them", async () => {
  const findings = texts(await findingsWith("DROP INDEX idx_executions_completed_terminal"));
  expect(findings.filter((text) => text.startsWith("warning"))).toEqual([
    expect.stringMatching(/^warning index missing: each cycle visits every row that has ended: CREATE INDEX/),
  ]);
});

test("the index of the waiting retries is not asked for where there are no retries", async () => {
  const drop = ["DROP INDEX idx_executions_retry"];
  expect(texts(await findingsWith(...drop))).toContainEqual(expect.stringContaining("idx_executions_retry"));
  drop.push("ALTER TABLE schedule_executions DROP COLUMN retry_scheduled_at");
  expect(texts(await findingsWith(...drop)).filter((text) => text.startsWith("warning"))).toEqual([]);
});
