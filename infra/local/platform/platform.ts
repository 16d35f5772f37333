/** The writer's side of the watched platform, in its order of writes: what gives the canary something to watch. */
import { randomUUID } from "node:crypto";
import type { Client } from "@libsql/client";
import type { Redis } from "ioredis";
import { SCHEMA } from "./schema.ts";

const SLOT_TTL_BUFFER_SECONDS = 300;
const DRAIN_TICK_KEY = "canary:drain_tick_at";
const SWEEP_EVERY_MS = 60_000;
/** What lies between the writes of a start, of a stop, and before a run has its session. */
const ROW_TO_SLOT_MS = 30;
const ROW_TO_RELEASE_MS = 5;
const ROW_TO_SESSION_MS = 200;

export interface PlatformAgent {
  readonly name: string;
  readonly maxParallelTasks: number;
  readonly executionTimeoutSeconds: number;
  /** How long one run takes, and how long it is to the next. */
  readonly runMs: number;
  readonly pauseMs: number;
}

const AGENTS: readonly PlatformAgent[] = [
  { name: "burst", maxParallelTasks: 3, executionTimeoutSeconds: 3600, runMs: 4_000, pauseMs: 5_000 },
  { name: "slow", maxParallelTasks: 1, executionTimeoutSeconds: 180, runMs: 75_000, pauseMs: 20_000 },
  { name: "cornelius-m", maxParallelTasks: 2, executionTimeoutSeconds: 900, runMs: 9_000, pauseMs: 3_000 },
  { name: "ruby", maxParallelTasks: 2, executionTimeoutSeconds: 600, runMs: 2_000, pauseMs: 15_000 },
];

const instant = (ms = Date.now()) => new Date(ms).toISOString().replace("Z", "000Z");

/** Makes the platform's tables in an empty database. */
export async function createSchema(database: Client): Promise<void> {
  await database.batch([...SCHEMA], "write");
}

/** Starts one run: the row first, then the slot. @returns the execution's id */
async function start(database: Client, redis: Redis, agent: PlatformAgent): Promise<string> {
  const id = randomUUID();
  await database.execute({
    sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
          VALUES (?, ?, ?, 'running', ?, 'echo', 'schedule')`,
    args: [id, `${agent.name}-schedule`, agent.name, instant()],
  });
  await pause(ROW_TO_SLOT_MS);
  const hash = `agent:slot:${agent.name}:${id}`;
  await redis.zadd(`agent:slots:${agent.name}`, Date.now() / 1000, id);
  await redis.hset(hash, {
    started_at: instant(),
    slot_number: "1",
    timeout_seconds: String(agent.executionTimeoutSeconds),
  });
  await redis.expire(hash, agent.executionTimeoutSeconds + SLOT_TTL_BUFFER_SECONDS);
  await pause(ROW_TO_SESSION_MS);
  await database.execute({
    sql: "UPDATE schedule_executions SET claude_session_id = ? WHERE id = ?",
    args: [randomUUID(), id],
  });
  return id;
}

/** Ends one run: the row first, then the slot. */
async function finish(database: Client, redis: Redis, agent: PlatformAgent, id: string): Promise<void> {
  await database.execute({
    sql: "UPDATE schedule_executions SET status = 'success', completed_at = ?, duration_ms = ? WHERE id = ?",
    args: [instant(), agent.runMs, id],
  });
  await pause(ROW_TO_RELEASE_MS);
  await redis.zrem(`agent:slots:${agent.name}`, id);
  await redis.del(`agent:slot:${agent.name}:${id}`);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A wait that `stop` ends early. */
const pauseUnless = (ms: number, stopped: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (stopped.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      stopped.removeEventListener("abort", done);
      resolve();
    }
    stopped.addEventListener("abort", done);
  });

/**
 * Fills an empty database with a few agents and lets them run.
 * @returns how many agents there are, and `stop`, which waits until no write is under way
 */
export async function startPlatform(
  database: Client,
  redis: Redis,
): Promise<{ agents: number; stop(): Promise<void> }> {
  await createSchema(database);
  await database.batch(
    AGENTS.flatMap(({ name, maxParallelTasks, executionTimeoutSeconds }) => [
      {
        sql: "INSERT INTO agent_ownership (agent_name, max_parallel_tasks, execution_timeout_seconds) VALUES (?, ?, ?)",
        args: [name, maxParallelTasks, executionTimeoutSeconds],
      },
      {
        sql: "INSERT INTO agent_schedules (id, agent_name, name, timeout_seconds) VALUES (?, ?, 'echo', NULL)",
        args: [`${name}-schedule`, name],
      },
    ]),
    "write",
  );
  const stopping = new AbortController();
  const sweep = async () => {
    while (!stopping.signal.aborted) {
      await redis.set(DRAIN_TICK_KEY, String(Date.now() / 1000));
      await pauseUnless(SWEEP_EVERY_MS, stopping.signal);
    }
  };
  const run = async (agent: PlatformAgent) => {
    while (!stopping.signal.aborted) {
      const id = await start(database, redis, agent);
      await pauseUnless(agent.runMs, stopping.signal);
      await finish(database, redis, agent, id);
      await pauseUnless(agent.pauseMs, stopping.signal);
    }
  };
  await redis.set(DRAIN_TICK_KEY, String(Date.now() / 1000));
  const work = [sweep(), ...AGENTS.map(run)];
  return {
    agents: AGENTS.length,
    async stop() {
      stopping.abort();
      await Promise.allSettled(work);
    },
  };
}
