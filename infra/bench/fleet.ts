/** Fills the servers with a platform of any size. The servers make the rows themselves: sending them would take minutes. */
import type { Redis } from "ioredis";
import type { Backend, SqlClient } from "../platform/file-client.ts";
import {
  DEFAULT_MAX_PARALLEL_TASKS,
  DRAIN_TICK_KEY,
  EXECUTIONS,
  ROSTER,
  ROSTER_TIMEOUT_SECONDS,
  SLOT_TTL_BUFFER_SECONDS,
  slotKey,
  slotsKey,
} from "../platform/names.ts";
import { createSchema } from "../platform/schema.ts";

export interface FleetShape {
  readonly agents: number;
  /** Rows that ended more than half an hour ago. */
  readonly oldRows: number;
}

/** Rows that ended in the last half an hour: 1,667 in five minutes. */
export const ENDED_ROWS = 10_000;
const ENDED_SECONDS = 30 * 60;
export const NEWLY_ENDED = Math.floor(ENDED_ROWS / 6);
export const RUNNING_PER_AGENT = 2;
/** Each has one row for each agent. */
export const SMALL_TABLES = [ROSTER, "agent_schedules", "agent_tags"];
const OLD_DAYS = 90;
/** Rows made by one statement: a server aborts a statement that takes too long. */
const ROWS_AT_ONCE = 20_000;

interface Words {
  /** A whole number in 12 hexadecimal digits, and one in 5 decimal ones. */
  readonly hex12: (n: string) => string;
  readonly decimal5: (n: string) => string;
  /** The instant (unix seconds) as the platform writes it. */
  readonly instant: (seconds: string) => string;
}
const WORDS: Readonly<Record<Backend, Words>> = {
  sqlite: {
    hex12: (n) => `printf('%012x', ${n})`,
    decimal5: (n) => `printf('%05d', ${n})`,
    instant: (seconds) => `strftime('%Y-%m-%dT%H:%M:%f', ${seconds}, 'unixepoch') || '000Z'`,
  },
  postgres: {
    hex12: (n) => `lpad(to_hex(${n}), 12, '0')`,
    decimal5: (n) => `lpad((${n})::text, 5, '0')`,
    instant: (seconds) =>
      `to_char(to_timestamp(${seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS') || '000Z'`,
  },
};

const idOf = (kind: string, n: number) => `${kind}-0000-4000-8000-${n.toString(16).padStart(12, "0")}`;
export const endedId = (n: number) => idOf("eeeeeeee", n);
/** When the n-th of the newly ended rows ended, unix ms. The first is the oldest. */
export const endedAtMs = (n: number, nowMs: number) =>
  nowMs - Math.floor(((ENDED_ROWS - n) * ENDED_SECONDS * 1000) / ENDED_ROWS);

/** The statements' values: ids in the form of UUIDs, names, and instants some seconds before `nowMs`. */
function valuesOf({ backend = "sqlite" }: SqlClient, nowMs: number) {
  const { hex12, decimal5, instant } = WORDS[backend];
  return {
    idSql: (kind: string, n: string) => `'${kind}-0000-4000-8000-' || ${hex12(n)}`,
    agentSql: (n: string) => `'agent-' || ${decimal5(n)}`,
    ago: (seconds: string) => instant(`${nowMs / 1000} - (${seconds})`),
  };
}
type Values = ReturnType<typeof valuesOf>;

const numbers = (from: number, to: number) =>
  `WITH RECURSIVE numbers(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < ${to})`;

const EXECUTION = `INSERT INTO ${EXECUTIONS} (id, schedule_id, agent_name, status, started_at, completed_at, duration_ms, message, triggered_by, claude_session_id, queued_at, backlog_metadata)`;
/** What the platform keeps of a queued task. */
const TASK = JSON.stringify({ message: "Say in one sentence what you did last.", timeout_seconds: 3600 });
export const agentName = (n: number) => `agent-${String(n).padStart(5, "0")}`;

async function inParts(rows: number, insert: (numbers: string) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < rows; from += ROWS_AT_ONCE)
    await insert(numbers(from, Math.min(rows, from + ROWS_AT_ONCE)));
}

/** Selects finished rows as a history has them: one in twenty was skipped and has no time of its end. */
const endedSql = ({ idSql, agentSql, ago }: Values, kind: string, agents: number, secondsAgo: string) => `
SELECT ${idSql(kind, "n")}, 'schedule-' || (n % ${agents}), ${agentSql(`n % ${agents}`)},
CASE WHEN n % 20 = 7 THEN 'skipped' WHEN n % 20 = 3 THEN 'failed' WHEN n % 50 = 9 THEN 'cancelled' ELSE 'success' END,
${ago(`${secondsAgo} + 40`)}, CASE WHEN n % 20 = 7 THEN NULL ELSE ${ago(secondsAgo)} END, 40000,
'Say in one sentence what you did last.', 'schedule', ${idSql("55555555", "n")}, NULL, NULL FROM numbers`;

/** Inserts the history. With their indexes away, two million rows take a third of the time. */
async function fillHistory(database: SqlClient, { agents, oldRows }: FleetShape, nowMs: number) {
  const { rows: indexes } = await database.execute(
    database.backend === "postgres"
      ? `SELECT indexname AS name, indexdef AS sql FROM pg_indexes WHERE tablename = '${EXECUTIONS}' AND indexname LIKE 'idx_%'`
      : `SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = '${EXECUTIONS}'`,
  );
  const values = valuesOf(database, nowMs);
  for (const { name } of indexes) await database.execute(`DROP INDEX ${name}`);
  const secondsAgo = `${ENDED_SECONDS} + (${oldRows} - n) * ${(OLD_DAYS * 86_400) / oldRows}`;
  await inParts(oldRows, (from) =>
    database.execute(`${from} ${EXECUTION} ${endedSql(values, "dddddddd", agents, secondsAgo)}`),
  );
  for (const { sql } of indexes) await database.execute(String(sql));
}

/**
 * Fills an empty database: the roster, two running rows and a queued one for each agent, the newly ended ones, history.
 * @param nowMs the instant (unix ms) that ages are counted from
 */
export async function fillDatabase(
  database: SqlClient,
  { agents, oldRows }: FleetShape,
  nowMs: number,
): Promise<void> {
  const values = valuesOf(database, nowMs);
  const { idSql, agentSql, ago } = values;
  await createSchema(database);
  await fillHistory(database, { agents, oldRows }, nowMs);
  await inParts(ENDED_ROWS, (from) =>
    database.execute(
      `${from} ${EXECUTION} ${endedSql(values, "eeeeeeee", agents, `(${ENDED_ROWS} - n) * ${ENDED_SECONDS / ENDED_ROWS}`)}`,
    ),
  );
  await inParts(agents, async (from) => {
    await database.execute(
      `${from} INSERT INTO ${ROSTER} (agent_name, max_parallel_tasks, execution_timeout_seconds)
SELECT ${agentSql("n")}, ${DEFAULT_MAX_PARALLEL_TASKS}, ${ROSTER_TIMEOUT_SECONDS} FROM numbers`,
    );
    await database.execute(
      `${from} INSERT INTO agent_schedules (id, agent_name, name, cron_expression, message, next_run_at)
SELECT 'schedule-' || n, ${agentSql("n")}, 'hourly', '0 * * * *', 'm', ${ago("-600")} FROM numbers`,
    );
    await database.execute(
      `${from} INSERT INTO agent_tags (agent_name, tag) SELECT ${agentSql("n")}, 'bench' FROM numbers`,
    );
    for (let run = 0; run < RUNNING_PER_AGENT; run += 1)
      await database.execute(`${from} ${EXECUTION}
SELECT ${idSql(`aaaaaaa${run}`, "n")}, 'schedule-' || n, ${agentSql("n")}, 'running', ${ago("20 + n % 600")},
NULL, NULL, 'm', 'schedule', ${idSql("55555555", "n")}, NULL, NULL FROM numbers`);
    await database.execute(`${from} ${EXECUTION}
SELECT ${idSql("bbbbbbbb", "n")}, 'schedule-' || n, ${agentSql("n")}, 'queued', ${ago("10")},
NULL, NULL, 'm', 'schedule', NULL, ${ago("10")}, '${TASK}' FROM numbers`);
  });
}

/**
 * Gives the rows of the last five minutes new ids: to a cycle they are runs that have ended since the one before.
 * @param nowMs as for `fillDatabase`
 * @param turn another number each time, at most 65,535
 */
export async function renewEnded(
  database: SqlClient,
  { oldRows }: FleetShape,
  nowMs: number,
  turn: number,
): Promise<void> {
  const id = `'eeeeeeee-${turn.toString(16).padStart(4, "0")}' || substr(id, 14)`;
  const { ago } = valuesOf(database, nowMs);
  // SQLite gets their places; PostgreSQL finds them by the index, which it takes for these statuses.
  const isEnded =
    database.backend === "postgres"
      ? "status IN ('success', 'failed', 'cancelled', 'skipped')"
      : `rowid BETWEEN ${oldRows + 1} AND ${oldRows + ENDED_ROWS}`;
  await database.execute(
    `UPDATE ${EXECUTIONS} SET id = ${id} WHERE ${isEnded} AND completed_at >= ${ago("300")}`,
  );
}

/**
 * Gives each running row its slot.
 * @param nowMs as for the database. A slot's TTL is an hour longer than the platform's, so that it outlives the bench.
 */
export async function fillRedis(redis: Redis, { agents }: FleetShape, nowMs: number): Promise<void> {
  await redis.flushall();
  await redis.set(DRAIN_TICK_KEY, String(nowMs / 1000 - 5));
  for (let from = 0; from < agents; from += 1_000) {
    const pipeline = redis.pipeline();
    for (let n = from; n < Math.min(agents, from + 1_000); n += 1)
      for (let run = 0; run < RUNNING_PER_AGENT; run += 1) {
        const id = idOf(`aaaaaaa${run}`, n);
        const hash = slotKey(agentName(n), id);
        pipeline.zadd(slotsKey(agentName(n)), nowMs / 1000 - 20 - (n % 600), id);
        pipeline.hset(hash, {
          started_at: "x",
          message_preview: "m",
          slot_number: "1",
          timeout_seconds: String(ROSTER_TIMEOUT_SECONDS),
        });
        pipeline.expire(hash, ROSTER_TIMEOUT_SECONDS + SLOT_TTL_BUFFER_SECONDS + 3600);
      }
    await pipeline.exec();
  }
}
