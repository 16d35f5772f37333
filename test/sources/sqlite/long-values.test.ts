/** One value of many MB in a column that is read spoils its own row: it does not travel, and the other rows are read. */
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client/http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabaseFile, type SqlClient } from "../../../infra/platform/file-client.ts";
import { createSchema } from "../../../infra/platform/schema.ts";
import type { BacklogDefect, FactName, Facts, Reading } from "../../../shared/facts/facts.ts";
import type { Database } from "../../../shared/sources/sql/database.ts";
import { SQL_FACTS, sqlReader } from "../../../shared/sources/sql/reader.ts";
import { UNREADABLE } from "../../../shared/sources/sql/rows.ts";
import { openDatabase } from "../../../shared/sources/sqlite/database.ts";
import { describeLive, startSqld, temporaryFolder } from "../../support/live.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
const MB = 1_000_000;
/** SQL of a text of that many bytes, which the database makes itself. */
const textOf = (bytes: number) => `CAST(hex(zeroblob(${bytes / 2})) AS TEXT)`;

const row = (id: string, agent: string, status: string, startedAt = "'2026-11-23T09:59:00Z'") =>
  `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
VALUES (${id}, 's', ${agent}, ${status}, ${startedAt}, 'm', 'manual')`;

/** @param most the longest value that the server takes */
async function fill(database: SqlClient, most: number): Promise<void> {
  const HUGE = textOf(most);
  const LONG = textOf(Math.min(most, 7 * MB));
  await createSchema(database);
  for (const statement of [
    "INSERT INTO agent_ownership (agent_name) VALUES ('ruby')",
    row("'fine'", "'ruby'", "'running'"),
    row(HUGE, "'ruby'", "'running'"),
    row("'of-huge'", HUGE, "'queued'"),
    row("'undated'", "'ruby'", "'running'", LONG),
    row("'odd'", "'ruby'", LONG),
    row("'ended'", textOf(1_002), "'failed'", LONG),
    `INSERT INTO agent_schedules (id, agent_name, enabled, next_run_at) VALUES ('s', 'ruby', 1, ${LONG})`,
    row("'heavy'", "'ruby'", "'queued'"),
    `UPDATE schedule_executions SET queued_at = started_at, backlog_metadata = ${HUGE} || ' sk-' WHERE id = 'heavy'`,
    `INSERT INTO agent_tags (agent_name, tag) VALUES ('ghost', ${LONG}), (${LONG}, 't')`,
    `INSERT INTO agent_sharing (agent_name) VALUES (${textOf(1_002)})`,
  ])
    await database.execute(statement);
}

/** The facts, and how many characters and bytes came back for them. */
async function read(database: Database) {
  let size = 0;
  const counted: Database = {
    ...database,
    async batch(statements, signal) {
      const answers = await database.batch(statements, signal);
      for (const cell of answers.flat(2))
        size += typeof cell === "string" ? cell.length : cell instanceof Object ? cell.byteLength : 8;
      return answers;
    },
  };
  const { readings, unavailable } = await sqlReader(
    "sqlite",
    counted,
  )({
    signal: new AbortController().signal,
    now: () => NOW,
    wanted: new Set<FactName>(SQL_FACTS),
    since: { ended: null },
  });
  function value<F extends FactName>(fact: F): Facts[F] {
    const reading = readings[fact] as Reading<unknown>;
    if (!reading.read) throw new Error(reading.reason);
    return reading.value as Facts[F];
  }
  return { value, unavailable, size };
}

async function expectSpoiltRowsOnly(database: Database, heavyDefect: BacklogDefect["defect"]): Promise<void> {
  const { value, unavailable, size } = await read(database);
  expect(size).toBeLessThan(50_000);
  expect([...value("roster").keys()]).toEqual(["ruby"]);
  const { live, unreadable } = value("executions");
  expect(live.map(({ id, startedAtMs }) => [id, startedAtMs !== null]).sort()).toEqual([
    ["fine", true],
    ["heavy", true],
    ["undated", false],
  ]);
  expect(unreadable.map(({ id, agent, status }) => [id, agent, status]).sort()).toEqual([
    [null, "ruby", "running"],
    ["of-huge", null, "queued"],
  ]);
  expect(value("endedWithoutTime")).toMatchObject([{ id: "ended", agent: null, startedAt: null }]);
  expect(value("schedules")).toEqual([{ id: "s", agent: "ruby", nextRunAt: null, nextRunAtMs: null }]);
  expect(value("backlogDefects")).toEqual([
    { id: "of-huge", agent: null, defect: "queued_at_null" },
    { id: "heavy", agent: "ruby", defect: heavyDefect },
  ]);
  expect(value("credentialsInQueue")).toEqual([{ id: "heavy", agent: "ruby", pattern: null }]);
  const { ghosts, tablesWithUnreadable } = value("orphans");
  expect([...ghosts]).toMatchObject([
    ["ghost", { samples: [{ rowId: "agent_name=ghost, tag=(unreadable)" }] }],
  ]);
  expect(tablesWithUnreadable).toEqual(["agent_sharing", "agent_tags", "schedule_executions"]);
  const lines = [
    `sqlite.executions[ruby]: a live row's id ${UNREADABLE}`,
    `sqlite.executions: a live row's agent_name ${UNREADABLE}`,
    `sqlite.executions: unknown status "${"0".repeat(100)}", taken for neither live nor terminal`,
    ...["agent_sharing", "agent_tags", "schedule_executions"].map(
      (table) => `sqlite.orphans[${table}]: a row's agent_name ${UNREADABLE}`,
    ),
  ];
  expect([...unavailable].sort()).toEqual(lines.sort());
}

test("in a database file", async () => {
  const folder = await temporaryFolder();
  const url = `file:${join(folder.path, "trinity.db")}`;
  const writer = openDatabaseFile(url);
  await fill(writer, 50 * MB);
  writer.close();
  await expectSpoiltRowsOnly(openDatabase(url, undefined, { lockMs: 60_000 }), "unread");
  await folder.remove();
});

describeLive(["sqld"], "over a libsql server", () => {
  let sqld: { url: string; close(): Promise<void> };
  let writer: Client;
  beforeAll(async () => {
    sqld = await startSqld();
    writer = createClient({ url: sqld.url });
    await fill(writer, 4 * MB);
  });
  afterAll(async () => {
    writer?.close();
    await sqld?.close();
  });

  test("in each column that is read", () =>
    expectSpoiltRowsOnly(openDatabase(sqld.url), "backlog_metadata_invalid_json"));
});
