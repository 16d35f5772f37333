/**
 * What a read of PostgreSQL costs: beside the same rows in sqld, and with a hundred times the history. All in one run, on the
 * same machine, in turns, so that what else the machine does touches all alike.
 */
import postgres from "postgres";
import { parseAddress } from "../../shared/sources/postgres/address.ts";
import { openPostgres } from "../../shared/sources/postgres/database.ts";
import type { ReadContext } from "../../shared/sources/source.ts";
import type { Database } from "../../shared/sources/sql/database.ts";
import { SQL_FACTS, sqlReader } from "../../shared/sources/sql/reader.ts";
import { openDatabase } from "../../shared/sources/sqlite/database.ts";
import { startPostgres } from "../local/postgres.ts";
import { startSqld } from "../local/sqld.ts";
import { openPlatformDatabase } from "../platform/database.ts";
import type { SqlClient } from "../platform/file-client.ts";
import { createSchema } from "../platform/schema.ts";

const AGENTS = 1_000;
const LIVE = 1_000;
const FEW = 20_000;
const MANY = 2_000_000;
const READS = 20;
const NOW_MS = Date.parse("2026-11-23T10:00:00Z");

export interface PostgresCost {
  /** Ms of a warm read of all facts, the median. */
  readonly sqldMs: number;
  readonly postgresMs: number;
  readonly manyRowsMs: number;
  /** At most 1.3. */
  readonly postgresToSqld: number;
  /** At most 1.2. */
  readonly manyToFew: number;
}

/** The numbers from 1 to `most`, as `i`: a statement of both backends. */
const numbers = (most: number) =>
  `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${most})`;
/** Timestamps, one for each row: a date of the calendar and a time, from the number alone. */
const timestamp = (day: string) => `'${day}T' || substr('0' || (i % 10), 1, 2) || ':30:00.123456Z'`;

const row = (columns: string, values: string, most: number) => `${numbers(most)}
INSERT INTO schedule_executions (id, schedule_id, agent_name, message, triggered_by, claude_session_id, ${columns})
SELECT '${columns.length}-${most}-' || i, 'sch-' || (i % ${AGENTS}), 'agent-' || (i % ${AGENTS}), 'm', 'schedule', 's', ${values} FROM n`;

async function fill(client: SqlClient, history: number): Promise<void> {
  await createSchema(client);
  for (const statement of [
    `${numbers(AGENTS)} INSERT INTO agent_ownership (agent_name) SELECT 'agent-' || (i - 1) FROM n`,
    `${numbers(AGENTS)} INSERT INTO agent_schedules (id, agent_name, enabled, timeout_seconds, next_run_at) SELECT 'sch-' || (i - 1), 'agent-' || (i - 1), 1, 600, '2026-11-23T11:00:00.000000Z' FROM n`,
    row(
      "status, started_at, completed_at",
      `'success', ${timestamp("2026-10-01")}, ${timestamp("2026-10-02")}`,
      history,
    ),
    row(
      "status, completed_at, started_at",
      "'success', '2026-11-23T09:45:00.123456Z', '2026-11-23T09:40:00.123456Z'",
      1_000,
    ),
    row(
      "started_at, status",
      "'2026-11-23T09:59:00.123456Z', CASE WHEN i % 4 = 0 THEN 'queued' ELSE 'running' END",
      LIVE,
    ),
  ])
    await client.execute(statement);
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Reads each database in turns. @returns the median of each in ms */
async function inTurns(databases: readonly Database[]): Promise<number[]> {
  const context: ReadContext = {
    signal: new AbortController().signal,
    now: () => NOW_MS,
    wanted: new Set(SQL_FACTS),
    since: { ended: { readAtMs: NOW_MS - 300_000 } },
  };
  const readers = databases.map((database) => sqlReader(database.sql.backend, database));
  const times: number[][] = readers.map(() => []);
  for (let turn = -3; turn < READS; turn += 1)
    for (const [i, reader] of readers.entries()) {
      const from = performance.now();
      const { unavailable } = await reader(context);
      if (unavailable.length > 0) throw new Error(unavailable.join("\n"));
      if (turn >= 0) times[i]!.push(performance.now() - from);
    }
  return times.map(median);
}

/** Measures warm reads of all facts at 1,000 agents. Needs an installed PostgreSQL, and a minute. */
export async function measurePostgres(): Promise<PostgresCost> {
  const [server, sqld] = await Promise.all([startPostgres({ engine: "postgres" }), startSqld()]);
  try {
    const many = await server.addDatabase("many");
    for (const [url, history] of [
      [sqld.url, FEW],
      [server.url, FEW],
      [many.url, MANY],
    ] as const) {
      const client = await openPlatformDatabase(url);
      await fill(client, history);
      client.close();
    }
    for (const { url } of [server, many]) {
      const sql = postgres(url, { max: 1, fetch_types: false, onnotice() {} });
      await sql`VACUUM ANALYZE`;
      await sql.end();
    }
    const patience = { statementMs: 30_000, lockMs: 1_000 };
    const open = (url: string) => openPostgres(parseAddress(url, null, null), patience);
    const [sqldMs, postgresMs, manyRowsMs] = (await inTurns([
      openDatabase(sqld.url),
      open(server.readerUrl),
      open(many.readerUrl),
    ])) as [number, number, number];
    return {
      sqldMs,
      postgresMs,
      manyRowsMs,
      postgresToSqld: postgresMs / sqldMs,
      manyToFew: manyRowsMs / postgresMs,
    };
  } finally {
    await sqld.close();
    await server.close();
  }
}
