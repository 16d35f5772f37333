/** A watched platform on real servers, and a canary that reads it over the wire through proxies that can fail. */
import type { Redis } from "ioredis";
import { type LocalDynamo, startDynamo } from "../../infra/local/dynamodb.ts";
import { startPostgres } from "../../infra/local/postgres.ts";
import { startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import type { Backend, SqlClient } from "../../infra/platform/file-client.ts";
import { BELONGINGS, createSchema } from "../../infra/platform/schema.ts";
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { type FaultProxy, startFaultProxy, startTcpFaultProxy } from "./fault-proxy.ts";
import { startSqld } from "./live.ts";

export const REST_TOKEN = "rest-token-of-the-test";

export interface LivePlatform {
  readonly database: SqlClient;
  readonly redis: Redis;
  /** The database's own address, for those who write. */
  readonly writerUrl: string;
  /** In front of the database. */
  readonly sql: FaultProxy;
  readonly rest: FaultProxy;
  readonly dynamo: LocalDynamo;
  readonly dynamoProxy: FaultProxy;
  /** The variables of a canary that watches this platform, and runs every invariant. */
  readonly env: Record<string, string>;
  /** Runs one cycle, with these variables added or replaced. @throws where it did not happen */
  cycle(options?: { invariants?: string[]; env?: Record<string, string | undefined> }): Promise<CycleReport>;
  /** Puts an agent on the roster. */
  addAgent(
    name: string,
    options?: { maxParallelTasks?: number | null; timeoutSeconds?: number | null },
  ): Promise<void>;
  /** Writes a row of schedule_executions. Default: a running one, a second old, with a session. */
  addExecution(row: Partial<ExecutionRow> & { id: string; agent: string }): Promise<void>;
  /** Gives an execution its slot in the platform's way. */
  addSlot(
    agent: string,
    id: string,
    options?: { ageSeconds?: number; timeoutSeconds?: number },
  ): Promise<void>;
  /** Empties the platform and the state, and ends all faults. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export interface ExecutionRow {
  id: string;
  agent: string;
  status: string;
  ageSeconds: number;
  session: string | null;
  /** Default: now, where it ended. */
  completedAt: string | null;
  /** Default: now, where it is queued. */
  queuedAt: string | null;
  /** Default: a task, where it is queued. */
  backlog: string | null;
  leaseExpiresAt: string | null;
  retryScheduledAt: string | null;
  scheduleId: string;
}

/** The instant that many seconds ago, in the platform's format. */
export const secondsAgo = (seconds: number): string =>
  new Date(Date.now() - seconds * 1000).toISOString().replace("Z", "000Z");

const TABLES = ["agent_ownership", "schedule_executions", ...BELONGINGS];

type PostgresSettings = Readonly<Record<string, string>>;

/** Starts sqld, or PostgreSQL, behind a proxy. */
const SERVERS = {
  async sqlite() {
    const server = await startSqld();
    const proxy = await startFaultProxy(server.url);
    return { server, proxy, variables: { LIBSQL_URL: proxy.url } };
  },
  async postgres(settings?: PostgresSettings) {
    const server = await startPostgres({ ...(settings && { engine: "postgres", settings }) });
    const proxy = await startTcpFaultProxy(server.readerUrl);
    return { server, proxy, variables: { DATABASE_URL: proxy.url } };
  },
} as const;

/** The programs that `startLivePlatform` needs. */
export const NEEDS = { sqlite: ["redis-server", "sqld"], postgres: ["redis-server", "postgres"] } as const;

/**
 * Starts real servers of Redis, of the database, and of what speaks DynamoDB's protocol. Docker is left out unless `env` of a
 * cycle names it.
 * @param settings of a PostgreSQL
 */
export async function startLivePlatform(
  backend: Backend = "sqlite",
  settings?: PostgresSettings,
): Promise<LivePlatform> {
  const { server, proxy: sql, variables } = await SERVERS[backend](settings);
  const database = await openPlatformDatabase(server.url);
  await createSchema(database);
  const realRedis = await startRedis();
  const realRest = await serve(redisRestApp(realRedis, REST_TOKEN), 0);
  let dynamo = await startDynamo();
  const rest = await startFaultProxy(realRest.url);
  let dynamoProxy = await startFaultProxy(dynamo.endpoint);
  const { client: redis } = realRedis;
  const env = {
    ...variables,
    UPSTASH_REDIS_REST_URL: rest.url,
    UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
    CONFIRM_AFTER_MS: "20",
    SOURCE_DEADLINE_MS: "5000",
    CHECKS_ON: OFF_BY_DEFAULT.join(","),
    DOCKER_HOSTS: "none",
  };

  return {
    database,
    redis,
    writerUrl: server.url,
    sql,
    rest,
    env,
    get dynamo() {
      return dynamo;
    },
    get dynamoProxy() {
      return dynamoProxy;
    },

    async cycle({ invariants, env: more } = {}) {
      const state = { endpoint: dynamoProxy.url, table: dynamo.table };
      const canary = openCanary({ ...env, ...more }, { state });
      const outcome = await runCycle(canary, { invariantIds: invariants, trigger: "test" });
      if (outcome.kind === "busy") throw new Error("another cycle is in progress");
      return outcome.report;
    },

    async addAgent(name, { maxParallelTasks = 2, timeoutSeconds = 60 } = {}) {
      await database.execute({
        sql: "INSERT INTO agent_ownership (agent_name, max_parallel_tasks, execution_timeout_seconds) VALUES (?, ?, ?)",
        args: [name, maxParallelTasks, timeoutSeconds],
      });
    },

    async addExecution(row) {
      const { id, agent, status = "running", ageSeconds = 1, session = "session", scheduleId = "none" } = row;
      const isQueued = status === "queued";
      const hasEnded = ["success", "failed", "cancelled"].includes(status);
      await database.execute({
        sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, completed_at, message,
              triggered_by, claude_session_id, queued_at, backlog_metadata, lease_expires_at, retry_scheduled_at)
              VALUES (?, ?, ?, ?, ?, ?, 'm', 'schedule', ?, ?, ?, ?, ?)`,
        args: [
          id,
          scheduleId,
          agent,
          status,
          secondsAgo(ageSeconds),
          row.completedAt === undefined && hasEnded ? secondsAgo(0) : (row.completedAt ?? null),
          session,
          row.queuedAt === undefined && isQueued ? secondsAgo(0) : (row.queuedAt ?? null),
          row.backlog === undefined && isQueued ? '{"message": "echo"}' : (row.backlog ?? null),
          row.leaseExpiresAt ?? null,
          row.retryScheduledAt ?? null,
        ],
      });
    },

    async addSlot(agent, id, { ageSeconds = 0, timeoutSeconds = 60 } = {}) {
      await redis.zadd(`agent:slots:${agent}`, Date.now() / 1000 - ageSeconds, id);
      await redis.hset(`agent:slot:${agent}:${id}`, { timeout_seconds: String(timeoutSeconds) });
      await redis.expire(`agent:slot:${agent}:${id}`, timeoutSeconds + 300 - ageSeconds);
    },

    async reset() {
      await database.batch(
        TABLES.map((table) => `DELETE FROM ${table}`),
        "write",
      );
      await redis.flushall();
      await redis.set("canary:drain_tick_at", String(Date.now() / 1000));
      await dynamoProxy.close();
      await dynamo.close();
      dynamo = await startDynamo();
      dynamoProxy = await startFaultProxy(dynamo.endpoint);
      for (const proxy of [sql, rest]) {
        proxy.fault = "none";
        proxy.requests.length = 0;
      }
    },

    async close() {
      database.close();
      for (const part of [sql, rest, dynamoProxy, realRest, realRedis, server, dynamo]) await part.close();
    },
  };
}
