/** What is read of the runs and of the platform's settings, by a real SQLite. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabaseFile, type SqlClient } from "../../../infra/platform/file-client.ts";
import { createSchema } from "../../../infra/platform/schema.ts";
import type { ReadContext } from "../../../shared/sources/source.ts";
import type { SqlFact } from "../../../shared/sources/sql/fact.ts";
import { endedSinceQuery, executions } from "../../../shared/sources/sql/facts/executions.ts";
import { newestStart } from "../../../shared/sources/sql/facts/newest-start.ts";
import { pendingRetries } from "../../../shared/sources/sql/facts/pending-retries.ts";
import { platformSettings } from "../../../shared/sources/sql/facts/platform-settings.ts";
import { introspectionOf } from "../../../shared/sources/sql/reader.ts";
import type { Schema } from "../../../shared/sources/sql/schema.ts";
import { SQLITE } from "../../../shared/sources/sqlite/dialect.ts";
import { formatInstant, HOUR_MS } from "../../../shared/time.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
const TIME = { fromMs: NOW, toMs: NOW };
/** As the backend writes it. */
const ago = (seconds: number) => formatInstant(NOW - seconds * 1000).replace("Z", "456Z");
/** As the scheduler writes it. */
const naive = (text: string) => text.replace("Z", "");

let database: SqlClient;
beforeEach(async () => {
  database = openDatabaseFile("file::memory:");
  await createSchema(database);
});
afterEach(() => database.close());

async function rowsOf(sql: string) {
  const { rows, columns } = await database.execute(sql);
  return rows.map((row) => columns.map((column) => row[column] as string));
}
const introspect = async (): Promise<Schema> => SQLITE.parseSchema(await rowsOf(introspectionOf(SQLITE)));

/** Reads one fact as a cycle does, with the lines that it reports. */
async function read<T>(fact: SqlFact<T>) {
  const schema = await introspect();
  const lines: string[] = [];
  const missing = fact.missing(schema);
  if (missing) throw new Error(missing);
  const context = {
    since: { ended: null },
    now: () => NOW,
    signal: new AbortController().signal,
    wanted: new Set<never>(),
  };
  const answers = await Promise.all(fact.statements(schema, context).map(rowsOf));
  const report = (line: string) => void lines.push(line);
  return { value: fact.parse(answers, { schema, time: TIME, report, markUnlisted: () => {} }), lines };
}

type Columns = Record<string, string | number | null | Uint8Array>;
async function add(id: string, columns: Columns = {}): Promise<void> {
  const row: Columns = {
    id,
    schedule_id: "s",
    agent_name: "ruby",
    status: "running",
    started_at: ago(60),
    message: "m",
    triggered_by: "manual",
    ...columns,
  };
  const names = Object.keys(row);
  await database.execute({
    sql: `INSERT INTO schedule_executions (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    args: Object.values(row),
  });
}
const readRuns = async () => {
  const { live } = (await read(executions)).value;
  return new Map(live.map((row) => [row.id, row]));
};

describe("a live row", () => {
  test("says what started it, and whether it has a session or is marked as dispatched", async () => {
    await add("a", { triggered_by: "chat", claude_session_id: "4f0e" });
    await add("b", { triggered_by: "schedule", claude_session_id: "dispatched" });
    await add("c", { claude_session_id: "" });
    await add("d", { triggered_by: new Uint8Array([0xff]), status: "queued" });
    const runs = await readRuns();
    const read = [...runs.values()].map(({ id, triggeredBy, hasSession }) => [id, triggeredBy, hasSession]);
    expect(read.sort()).toEqual([
      ["a", "chat", true],
      ["b", "schedule", true],
      ["c", "manual", false],
      ["d", null, false],
    ]);
  });

  test("of an installation without these columns has neither", async () => {
    await add("a");
    await database.execute("ALTER TABLE schedule_executions DROP COLUMN claude_session_id");
    await database.execute("ALTER TABLE schedule_executions DROP COLUMN triggered_by");
    expect((await readRuns()).get("a")).toMatchObject({
      triggeredBy: null,
      hasSession: null,
      runsAtStart: null,
    });
  });
});

describe("how many other runs were under way when a chat turn began", () => {
  const turn = { triggered_by: "chat", started_at: ago(600) };
  const countFor = async (id = "turn") => (await readRuns()).get(id)!.runsAtStart;

  test("those that had begun and had not ended, of its agent", async () => {
    await add("turn", turn);
    await add("still-running", { started_at: ago(3000) });
    await add("ended-since", { status: "success", started_at: ago(900), completed_at: ago(300) });
    await add("failed-since", {
      status: "failed",
      started_at: naive(ago(900)),
      completed_at: naive(ago(300)),
    });
    await add("ended-before", { status: "success", started_at: ago(3000), completed_at: ago(602.1) });
    await add("began-later", { started_at: ago(596.9) });
    await add("waits", { status: "queued", started_at: ago(900), queued_at: ago(900) });
    await add("another's", { agent_name: "ada", started_at: ago(900) });
    await add("ended-without-a-time", { status: "failed", started_at: ago(900) });
    expect(await countFor()).toBe(3);
  });

  test("only of a running chat turn", async () => {
    await add("other", { started_at: ago(900) });
    for (const triggered_by of ["chat", "mcp", "agent"]) {
      await add(triggered_by, { ...turn, triggered_by, agent_name: triggered_by });
      expect(await countFor(triggered_by)).toBe(0);
    }
    await add("scheduled", { ...turn, triggered_by: "schedule" });
    await add("queued", { ...turn, status: "queued" });
    expect([await countFor("scheduled"), await countFor("queued")]).toEqual([null, null]);
  });

  test("a turn that asked for its slot at the same moment held one, although its row came later", async () => {
    // Three turns at once for a cap of two: the rows come within some tens of milliseconds, in any order.
    await add("turn", turn);
    await add("t-1", { ...turn, started_at: ago(599.95) });
    await add("t-2", { ...turn, started_at: ago(599.9) });
    expect(await countFor()).toBe(2);
  });

  test("a run that ended at the same moment had not released its slot yet", async () => {
    await add("turn", turn);
    await add("ending", { status: "success", started_at: ago(900), completed_at: ago(600.05) });
    expect(await countFor()).toBe(1);
  });

  test("runs whose dispatch was parked restart their age, and were under way all the same", async () => {
    await add("turn", { ...turn, started_at: ago(300), queued_at: ago(600) });
    await add("still-parked-then", { started_at: ago(590), queued_at: ago(900) });
    await add("ended-since", {
      status: "success",
      started_at: ago(400),
      queued_at: ago(900),
      completed_at: ago(200),
    });
    await add("admitted-later", { started_at: ago(400), queued_at: ago(500) });
    await add("admitted-later-and-ended", {
      status: "success",
      started_at: ago(400),
      queued_at: ago(500),
      completed_at: ago(200),
    });
    expect(await countFor()).toBe(2);
  });

  test("an admission that can't be read leaves the start", async () => {
    await add("turn", { ...turn, queued_at: "yesterday-ish" });
    await add("ended-since", { status: "success", started_at: ago(900), completed_at: ago(300) });
    await add("began-later", { started_at: ago(500) });
    expect(await countFor()).toBe(1);
  });

  test.each([
    ["naive", naive(ago(600))],
    ["with +00:00", ago(600).replace("Z", "+00:00")],
    ["without a fraction", "2026-11-23T09:50:00Z"],
  ])("of a turn whose start is written %s", async (_how, started_at) => {
    await add("turn", { ...turn, started_at });
    await add("still-running", { started_at: ago(3000) });
    await add("ended-before", { status: "success", started_at: ago(3000), completed_at: ago(700) });
    await add("began-later", { started_at: ago(500) });
    expect(await countFor()).toBe(1);
  });

  test("a turn whose start can't be read has none that is known", async () => {
    await add("turn", { ...turn, started_at: "yesterday-ish" });
    await add("still-running", { started_at: ago(3000) });
    expect(await countFor()).toBeNull();
  });

  test("of the ended runs the hundred that began last are looked at, the turn among them; of the live ones all", async () => {
    await add("turn", turn);
    const ended = { status: "success", started_at: ago(700), completed_at: ago(500) };
    for (let n = 0; n < 60; n += 1) await add(`ended-${n}`, ended);
    expect(await countFor()).toBe(60);
    for (let n = 60; n < 120; n += 1) await add(`ended-${n}`, ended);
    expect(await countFor()).toBe(99);
    for (let n = 0; n < 50; n += 1) await add(`live-${n}`, { started_at: ago(5000) });
    expect(await countFor()).toBe(149);
  });

  test("is not counted for more than a hundred turns of the fleet: any of the others may have found no slot", async () => {
    for (let n = 0; n < 101; n += 1) await add(`t-${n}`, { ...turn, agent_name: `agent-${n}` });
    await add("manual", { agent_name: "ada" });
    const counts = [...(await readRuns()).values()].map(({ runsAtStart }) => runsAtStart);
    expect(counts.filter((count) => count === 0)).toHaveLength(100);
    expect(counts.filter((count) => count === Infinity)).toHaveLength(1);
    expect(await countFor("manual")).toBeNull();
  });

  test("a run that holds no slot is not counted: a pull worker's, or one that was skipped", async () => {
    await add("turn", turn);
    const ended = { started_at: ago(700), completed_at: ago(500) };
    await add("pulled", { ...ended, status: "success", lease_expires_at: ago(400) });
    await add("pulling", { started_at: ago(700), lease_expires_at: ago(-60) });
    await add("skipped", { ...ended, status: "skipped" });
    expect(await countFor()).toBe(0);
  });

  test("is not known without the index that makes it cheap, or a column that it needs", async () => {
    await add("turn", turn);
    await add("still-running", { started_at: ago(3000) });
    await database.execute("DROP INDEX idx_executions_agent_started");
    expect(await countFor()).toBeNull();
  });

  test("is asked of the index, once for each turn, and nothing is scanned", async () => {
    const { rows } = await database.execute(`EXPLAIN QUERY PLAN ${endedSinceQuery(await introspect())}`);
    const steps = rows.map((row) => String(row.detail)).filter((step) => /\bo\b/.test(step));
    expect(steps).toEqual([
      "SEARCH o USING INDEX idx_executions_agent_started (agent_name=? AND started_at<?)",
      "SEARCH o USING INDEX idx_executions_agent_started (agent_name=? AND started_at>?)",
    ]);
  });
});

describe("when the newest row began", () => {
  const newest = async () => (await read(newestStart)).value;

  test("is that of any status, whatever the order of the starts", async () => {
    await add("new", { status: "queued", started_at: ago(10) });
    await add("old", { status: "success", started_at: ago(3600) });
    expect(await newest()).toBeCloseTo(NOW - 10_000, -1);
  });

  test("a row inserted last is looked at however long the history is", async () => {
    await database.execute(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
SELECT 'z-' || i, 's', 'ruby', 'success', '2026-01-01T00:00:00Z', 'm', 'manual' FROM n`);
    await add("a", { started_at: ago(60) });
    expect(await newest()).toBeCloseTo(NOW - 60_000, -1);
  });

  test("garbage, and a start further ahead than any clock, count for nothing", async () => {
    await add("garbage", { started_at: "yesterday-ish" });
    await add("bytes", { started_at: new Uint8Array([0xff]) });
    await add("2099", { started_at: "2099-01-01T00:00:00Z" });
    expect(await newest()).toBeNull();
    // A writer of local time.
    await add("ahead", { started_at: formatInstant(NOW + 9 * HOUR_MS) });
    expect(await newest()).toBe(NOW + 9 * HOUR_MS);
  });

  test("is null in an empty table, which is not scanned for it", async () => {
    expect(await newest()).toBeNull();
    const [statement] = newestStart.statements(await introspect(), { now: () => NOW } as ReadContext);
    const { rows } = await database.execute(`EXPLAIN QUERY PLAN ${statement}`);
    expect(rows.map((row) => String(row.detail)).join("\n")).not.toMatch(/TEMP B-TREE/);
  });
});

describe("the rows that wait for a retry, or had one lately", () => {
  const waiting = async () => (await read(pendingRetries)).value.map(({ id, agent }) => [id, agent]);

  test("are those with a time for it, and of the newest rows those that were retried", async () => {
    await add("waits", { status: "pending_retry", retry_scheduled_at: ago(-60) });
    await add("overdue", { status: "pending_retry", retry_scheduled_at: ago(3600) });
    await add("was-retried", { status: "pending_retry" });
    await add("failed", { status: "failed", retry_scheduled_at: ago(-60) });
    expect((await waiting()).sort()).toEqual([
      ["overdue", "ruby"],
      ["waits", "ruby"],
      ["was-retried", "ruby"],
    ]);
  });

  test("with an id or an agent that can't be read are listed without it", async () => {
    await add("odd", {
      status: "pending_retry",
      retry_scheduled_at: ago(1),
      agent_name: new Uint8Array([0xff]),
    });
    expect(await waiting()).toEqual([["odd", null]]);
  });

  test("are none in an installation that has no such column", async () => {
    await add("waits", { status: "pending_retry" });
    await database.execute("DROP INDEX idx_executions_retry");
    await database.execute("ALTER TABLE schedule_executions DROP COLUMN retry_scheduled_at");
    expect(await waiting()).toEqual([]);
  });

  test("are found without their index as well", async () => {
    await add("waits", { status: "pending_retry", retry_scheduled_at: ago(-60) });
    await database.execute("DROP INDEX idx_executions_retry");
    expect(await waiting()).toEqual([["waits", "ruby"]]);
  });
});

describe("the ceiling of all agents", () => {
  const ceiling = async () => {
    const { value, lines } = await read(platformSettings);
    return [value.maxParallelTasksCeiling, lines];
  };
  const settings = async (...values: (string | null | Uint8Array)[]) => {
    // As somebody could have made it: without the platform's constraints.
    await database.execute("DROP TABLE system_settings");
    await database.execute("CREATE TABLE system_settings (key TEXT, value TEXT)");
    await database.execute("INSERT INTO system_settings VALUES ('other', '1')");
    for (const value of values)
      await database.execute({
        sql: "INSERT INTO system_settings VALUES ('max_parallel_tasks_ceiling', ?)",
        args: [value],
      });
  };
  const REPORTED = ["platformSettings: max_parallel_tasks_ceiling is not a count above 0"];

  test("an older installation, without the table, has none", async () => {
    await database.execute("DROP TABLE system_settings");
    expect(await ceiling()).toEqual([null, []]);
  });

  test("the table without the key: the platform's own default", async () => {
    await settings();
    expect(await ceiling()).toEqual([10, []]);
  });

  test.each([
    ["4", 4],
    [null, 10],
    ["25", 25],
  ] as const)("a value of %j is %j", async (value, expected) => {
    await settings(value);
    expect(await ceiling()).toEqual([expected, []]);
  });

  test.each(["0", "-1", "4.5", "many", "", "9".repeat(30), new Uint8Array([0xff])])(
    "a value of %j can't be read, and a line says so",
    async (value) => {
      await settings(value);
      expect(await ceiling()).toEqual(["unreadable", REPORTED]);
    },
  );
});

describe("the indexes", () => {
  test("are found by what they are on: agent and start, the retries that wait", async () => {
    const schema = await introspect();
    expect(schema.agentStartIndex).toBe("idx_executions_agent_started");
    expect(schema.retryIndex?.name).toBe("idx_executions_retry");
  });

  test.each([
    ["over agent and start ascending", "(agent_name, started_at)", "idx"],
    ["over more columns", '("agent_name", started_at DESC, status)', "idx"],
    ["over the agent alone", "(agent_name)", null],
    ["in another order", "(started_at, agent_name)", null],
    ["over some rows only", "(agent_name, started_at) WHERE status = 'running'", null],
  ])("an index %s", async (_what, columns, expected) => {
    await database.execute("DROP INDEX idx_executions_agent_started");
    await database.execute(`CREATE INDEX idx ON schedule_executions${columns}`);
    expect((await introspect()).agentStartIndex).toBe(expected);
  });

  test.each([
    ["over all that wait", "WHERE retry_scheduled_at IS NOT NULL", "idx"],
    ["over all rows", "", null],
    ["over others", "WHERE status = 'failed'", null],
  ])("of the retries, an index %s", async (_what, where, expected) => {
    await database.execute("DROP INDEX idx_executions_retry");
    await database.execute(`CREATE INDEX idx ON schedule_executions(retry_scheduled_at) ${where}`);
    expect((await introspect()).retryIndex?.name ?? null).toBe(expected);
    await add("waits", { status: "pending_retry", retry_scheduled_at: ago(-60) });
    expect((await read(pendingRetries)).value).toHaveLength(1);
  });
});
