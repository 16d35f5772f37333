/** The simulated platform on PostgreSQL, real where it is installed: its writes are the same, and what is in the way is tried again. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { type LocalPostgres, startPostgres } from "../../../infra/local/postgres.ts";
import type { PlatformContext } from "../../../infra/platform/context.ts";
import { platformDatabase } from "../../../infra/platform/database.ts";
import { endRow } from "../../../infra/platform/execution-rows.ts";
import { startPlatform } from "../../../infra/platform/platform.ts";
import { numbered } from "../../../infra/platform/postgres-client.ts";
import { newTask } from "../../../infra/platform/task.ts";
import { describeLive } from "../../support/live.ts";
import { manualClock } from "../../support/manual-clock.ts";
import { type PlatformBench, startPlatformBench } from "../../support/platform-bench.ts";

test("placeholders are numbered, and question marks of literals, names and comments are none", () => {
  expect(numbered(`SELECT '?', 'it''s?', "a?" -- why?\n FROM t WHERE a = ? AND b = ?`)).toBe(
    `SELECT '?', 'it''s?', "a?" -- why?\n FROM t WHERE a = $1 AND b = $2`,
  );
});

describeLive(["redis-server"], "the simulated platform on PostgreSQL", () => {
  let server: LocalPostgres;
  let bench: PlatformBench;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.close());
  beforeEach(async () => {
    bench = await startPlatformBench(server);
  });
  afterEach(() => bench.close());

  const write = (...statements: readonly string[]) =>
    platformDatabase(bench.database, { record() {} }).write(
      statements.map((sql) => ({ sql, args: [] })),
      () => [],
    );
  const skill = (name: string) => `INSERT INTO agent_skills (agent_name, skill) VALUES ('ruby', '${name}')`;
  const skills = async () => {
    const { rows } = await bench.database.execute("SELECT skill FROM agent_skills ORDER BY skill");
    return rows.map((row) => row.skill);
  };
  /** Makes each insert of a skill with that name fail so many times, as a conflict with another transaction would. */
  const fails = (code: string, times: number) =>
    bench.database.batch(
      [
        // Unlike rows, what a sequence has given stays given when its transaction fails.
        "CREATE SEQUENCE tries",
        `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF NEW.skill = 'unlucky' AND nextval('tries') <= ${times} THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '${code}'; END IF;
           RETURN NEW; END $$`,
        "CREATE TRIGGER fail BEFORE INSERT ON agent_skills FOR EACH ROW EXECUTE FUNCTION fail()",
      ],
      "write",
    );

  test.each([
    ["a deadlock", "40P01"],
    ["a transaction that can't be put in order", "40001"],
  ])("%s is tried again, and all of the write takes hold once", async (_, code) => {
    await fails(code, 2);
    await write(skill("first"), skill("unlucky"));
    expect(await skills()).toEqual(["first", "unlucky"]);
  });

  test("of writes that go in one transaction, one that fails spoils only itself", async () => {
    await fails("P0001", 1_000_000);
    const database = platformDatabase(bench.database, { record() {} });
    const answers = await Promise.allSettled(
      ["a", "unlucky", "b"].map((name) => database.write([{ sql: skill(name), args: [] }], () => [])),
    );
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await skills()).toEqual(["a", "b"]);
  });

  test("rows that are queued for over 24 h are failed, whatever form their times have, and what is no time is left", async () => {
    const clock = manualClock(Date.parse("2026-05-18T10:30:00Z"));
    const platform = await startPlatform({ ...bench.options, clock });
    const times = {
      "a day and a second": "2026-05-17T10:29:59.123456Z",
      "less than a day": "2026-05-17T10:30:01.5Z",
      "naive, a day and a second": "2026-05-17T10:29:59",
      "naive, less than a day": "2026-05-17 10:30:01",
      "two hours ahead of UTC, a day and a second": "2026-05-17T12:29:59+02:00",
      "two hours ahead of UTC, less than a day": "2026-05-17T12:30:01+0200",
      garbage: "long ago",
      "no month": "2026-13-01T00:00:00Z",
      empty: "",
    };
    for (const [id, queuedAt] of Object.entries(times))
      await bench.database.execute({
        sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, queued_at, message, triggered_by)
              VALUES (?, 's', 'ruby', 'queued', ?, ?, 'm', 'manual')`,
        args: [id, queuedAt, queuedAt],
      });
    await platform.runMaintenance();
    await platform.stop();
    const failed = Object.entries(await bench.rows("ruby")).flatMap(([id, s]) =>
      s === "failed" ? [id] : [],
    );
    expect(failed.sort()).toEqual(
      Object.keys(times)
        .filter((id) => id.endsWith("a day and a second"))
        .sort(),
    );
  });

  test("a run ends with its length, also where the scheduler wrote its start", async () => {
    const clock = manualClock(Date.parse("2026-05-18T10:30:12.345Z"));
    const context = { ...bench.options, database: platformDatabase(bench.database, { record() {} }), clock };
    for (const [id, startedAt] of [
      ["by the backend", "2026-05-18T10:30:00.000000Z"],
      ["by the scheduler", "2026-05-18T10:30:00.000000"],
      ["by nobody", "some time"],
    ] as const) {
      await bench.database.execute({
        sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
              VALUES (?, 's', 'ruby', 'running', ?, 'm', 'manual')`,
        args: [id, startedAt],
      });
      const execution = { id, agent: "ruby", task: newTask({}) };
      expect(await endRow(context as unknown as PlatformContext, execution, "success")).toBe(true);
    }
    const { rows } = await bench.database.execute(
      "SELECT id, duration_ms, completed_at FROM schedule_executions ORDER BY id",
    );
    const completed_at = "2026-05-18T10:30:12.345000Z";
    expect(rows).toEqual([
      { id: "by nobody", duration_ms: null, completed_at },
      { id: "by the backend", duration_ms: 12_345, completed_at },
      { id: "by the scheduler", duration_ms: 12_345, completed_at },
    ]);
  });
});
