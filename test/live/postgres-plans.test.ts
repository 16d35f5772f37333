/** What a real PostgreSQL visits of the executions: history must cost nothing, before it has statistics and after. */
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LocalPostgres, startPostgres } from "../../infra/local/postgres.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { PLANNER } from "../../shared/sources/postgres/database.ts";
import { POSTGRES } from "../../shared/sources/postgres/dialect.ts";
import type { ReadContext } from "../../shared/sources/source.ts";
import { introspectionOf, planFor, SQL_FACTS } from "../../shared/sources/sql/reader.ts";
import { describeLive } from "../support/live.ts";

const NOW = Date.parse("2026-11-23T10:00:00Z");
const HISTORY = 60_000;
const AGENTS = 50;
/** The newest rows that are looked at whatever there is (newest-rows.ts, finished-rows.ts), and a margin. */
const MOST_VISITED = 8_000;

const ago = (seconds: string) =>
  `to_char(timestamp '2026-11-23 10:00:00' - make_interval(secs => ${seconds}), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
const insert = (columns: string, select: string, most: number) =>
  `INSERT INTO schedule_executions (id, schedule_id, agent_name, message, triggered_by, ${columns})
SELECT '${columns.length}-${most}-' || g, 's', 'agent-' || g % ${AGENTS}, 'm', CASE WHEN g % 9 = 0 THEN 'chat' ELSE 'schedule' END, ${select} FROM generate_series(1, ${most}) g`;
const FILL = [
  `INSERT INTO agent_ownership (agent_name) SELECT 'agent-' || g FROM generate_series(0, ${AGENTS - 1}) g`,
  insert(
    "status, started_at, completed_at",
    `CASE WHEN g % 20 = 0 THEN 'pending_retry' WHEN g % 7 = 0 THEN 'failed' ELSE 'success' END, ${ago(`(${HISTORY} - g) * 60 + 7200`)}, ${ago(`(${HISTORY} - g) * 60 + 7000`)}`,
    HISTORY,
  ),
  insert("status, started_at, completed_at, duration_ms", `'success', ${ago("g + 30")}, ${ago("g")}, 1`, 300),
  insert(
    "status, started_at, queued_at",
    `CASE WHEN g % 3 = 0 THEN 'queued' ELSE 'running' END, ${ago("g")}, ${ago("g")}`,
    60,
  ),
];

interface Node {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Rows Removed by Filter"?: number;
  readonly Plans?: readonly Node[];
}

/** How many rows of the executions the plan has visited. */
const visited = (node: Node): number =>
  (node["Relation Name"] === "schedule_executions"
    ? (node["Actual Rows"] + (node["Rows Removed by Filter"] ?? 0)) * node["Actual Loops"]
    : 0) + (node.Plans ?? []).reduce((sum, child) => sum + visited(child), 0);

describeLive(["postgres"], "what PostgreSQL visits", () => {
  let server: LocalPostgres;
  beforeAll(async () => {
    server = await startPostgres({ engine: "postgres", settings: { autovacuum: "off" } });
  }, 240_000);
  afterAll(() => server?.close());

  /** Runs each statement of a cycle, and gives how many rows it has visited, by its facts. */
  async function visits(url: string): Promise<Record<string, number>> {
    const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
    const schema = POSTGRES.parseSchema((await sql.unsafe(introspectionOf(POSTGRES)).raw()) as never);
    const context = { now: () => NOW, wanted: new Set(SQL_FACTS), since: { ended: null } };
    const { statements, plans } = planFor(schema, context as unknown as ReadContext);
    const counts: Record<string, number> = {};
    await sql.begin(async (transaction) => {
      await transaction.unsafe(PLANNER);
      for (const [place, statement] of statements.entries()) {
        const [row] = await transaction.unsafe(`EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ${statement}`);
        const facts = plans.filter(({ places }) => places.includes(place)).map(({ name }) => name);
        counts[`${place} ${facts.join()}`] = visited(row!["QUERY PLAN"][0].Plan);
      }
    });
    await sql.end();
    return counts;
  }

  describe("on the indexes that the platform makes", () => {
    let url: string;
    let owner: postgres.Sql;
    beforeAll(async () => {
      ({ url } = await server.addDatabase("history"));
      const client = await openPlatformDatabase(url);
      await createSchema(client);
      client.close();
      owner = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
      for (const statement of FILL) await owner.unsafe(statement);
    }, 240_000);
    afterAll(() => owner?.end());
    const many = async () => Object.entries(await visits(url)).filter(([, rows]) => rows > MOST_VISITED);

    test("no statement visits history, before the table has statistics", async () => {
      expect(await many()).toEqual([]);
    });

    test("nor after, when its rows have moved, and when old places are used again", async () => {
      await owner.unsafe("VACUUM ANALYZE schedule_executions");
      expect(await many()).toEqual([]);
      await owner.unsafe("UPDATE schedule_executions SET response = 'r' WHERE length(id) % 2 = 0");
      await owner.unsafe("VACUUM FULL schedule_executions");
      expect(await many()).toEqual([]);
    });

    test("without the indexes it is visited, and each fact is read all the same", async () => {
      await owner.unsafe(
        "DROP INDEX idx_executions_status, idx_executions_completed_terminal, idx_executions_agent_started, idx_executions_retry",
      );
      const rows = await visits(url);
      expect(Math.max(...Object.values(rows))).toBeGreaterThan(HISTORY);
      expect(Object.keys(rows).length).toBeGreaterThan(SQL_FACTS.length);
    });
  });
});
