/** A small platform that is broken and cured all the time. Each change is in the ledger, with the time in which it took effect. */
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { openDatabaseFile } from "../platform/file-client.ts";
import { EXECUTIONS, ROSTER, slotKey, slotsKey } from "../platform/names.ts";
import { createSchema } from "../platform/schema.ts";
import type { Random } from "../soak/random.ts";
import type { Ledger } from "./ledger.ts";

const AGENTS = ["jade", "onyx", "opal", "ruby"] as const;
const GHOSTS = ["ghost-1", "ghost-2", "ghost-3"] as const;
const TOKEN = "token-of-the-chaos";
const DAY_MS = 86_400_000;
/** Longer than any clock of the chaos is ahead. */
const LONG_SECONDS = 90 * 86_400;
const LOCK_WAIT_MS = 10_000;

/** One thing that can be broken. Whether it is does not depend on the canary's clock. */
interface Spot {
  readonly invariant: string;
  readonly subject: string;
  isBroken: boolean;
  set(isBroken: boolean): Promise<unknown>;
}

export interface ChaosPlatform {
  /** The variables of a canary that reads it. */
  readonly env: Readonly<Record<string, string>>;
  /** Breaks so many whole spots, drawn at random. */
  breakSome(count: number): Promise<void>;
  /** Breaks or cures one spot after another, until the signal is aborted. @param mayChange asked before each */
  change(everyMs: readonly [number, number], signal: AbortSignal, mayChange: () => boolean): Promise<void>;
  /** Cures all that is broken. */
  cureAll(): Promise<void>;
  close(): Promise<void>;
}

/** Starts Redis behind its REST protocol, and makes the database in that folder. */
async function startSources(folder: string) {
  const redis = await startRedis();
  const rest = await serve(redisRestApp(redis, TOKEN), 0);
  const url = `file:${join(folder, "trinity.db")}`;
  const database = openDatabaseFile(url, LOCK_WAIT_MS);
  await createSchema(database);
  // The clocks of the chaos are minutes apart: by each of them, that run has just ended.
  const [startedAt, leaseUntil, endedAt] = [-DAY_MS / 24, LONG_SECONDS * 1000, DAY_MS / 24].map((ms) =>
    new Date(Date.now() + ms).toISOString().replace("Z", "000Z"),
  );
  for (const agent of AGENTS) {
    await database.execute({
      sql: `INSERT INTO ${ROSTER} (agent_name, max_parallel_tasks, execution_timeout_seconds) VALUES (?, 5, ?)`,
      args: [agent, LONG_SECONDS],
    });
    // One run with a slot, and one that has ended. A pull worker had claimed that one: without a slot it may come back.
    const runs = [
      ["held", "running", null, null],
      ["ended", "skipped", leaseUntil!, endedAt!],
    ] as const;
    for (const [name, status, lease, completedAt] of runs)
      await database.execute({
        sql: `INSERT INTO ${EXECUTIONS} (id, schedule_id, agent_name, status, started_at, completed_at, message,
              triggered_by, claude_session_id, lease_expires_at)
              VALUES (?, 's', ?, ?, ?, ?, 'm', 'schedule', 'session', ?)`,
        args: [`${agent}-${name}`, agent, status, startedAt!, completedAt, lease],
      });
    await addSlot(redis.client, agent, `${agent}-held`);
  }
  return {
    redis,
    database,
    env: { LIBSQL_URL: url, UPSTASH_REDIS_REST_URL: rest.url, UPSTASH_REDIS_REST_TOKEN: TOKEN },
    async close() {
      database.close();
      await rest.close();
      await redis.close();
    },
  };
}
type Sources = Awaited<ReturnType<typeof startSources>>;

/** Takes a slot as a run that began an hour ago would have, with a life that no clock of the chaos sees the end of. */
const addSlot = (redis: Sources["redis"]["client"], agent: string, id: string) =>
  redis
    .multi()
    .zadd(slotsKey(agent), Date.now() / 1000 - 3_600, id)
    .hset(slotKey(agent, id), { timeout_seconds: "3600" })
    .expire(slotKey(agent, id), LONG_SECONDS)
    .exec();

function spotsOf({ database, redis }: Sources): Spot[] {
  const spot = (invariant: string, subject: string, set: Spot["set"]): Spot => ({
    invariant,
    subject,
    isBroken: false,
    set,
  });
  return [
    ...AGENTS.map((agent) =>
      spot("E-05", agent, (isBroken) =>
        database.execute({
          sql: `UPDATE ${EXECUTIONS} SET claude_session_id = ? WHERE id = ?`,
          args: [isBroken ? null : "session", `${agent}-held`],
        }),
      ),
    ),
    ...AGENTS.slice(0, 2).map((agent) =>
      spot("E-02", agent, (isBroken) =>
        database.execute({
          sql: `UPDATE ${EXECUTIONS} SET status = ? WHERE id = ?`,
          args: [isBroken ? "running" : "skipped", `${agent}-ended`],
        }),
      ),
    ),
    ...AGENTS.map((agent) =>
      spot("S-01", agent, (isBroken) => {
        const id = `${agent}-leaked`;
        if (isBroken) return addSlot(redis.client, agent, id);
        return redis.client.multi().zrem(slotsKey(agent), id).del(slotKey(agent, id)).exec();
      }),
    ),
    ...GHOSTS.map((ghost) =>
      spot("L-03", ghost, (isBroken) =>
        database.execute({
          sql: isBroken
            ? "INSERT INTO agent_tags (agent_name, tag) VALUES (?, 'left')"
            : "DELETE FROM agent_tags WHERE agent_name = ?",
          args: [ghost],
        }),
      ),
    ),
  ];
}

/** Starts the platform, with nothing broken. */
export async function startChaosPlatform(
  folder: string,
  ledger: Ledger,
  random: Random,
): Promise<ChaosPlatform> {
  const sources = await startSources(folder);
  const spots = spotsOf(sources);

  async function turn(spot: Spot, isBroken: boolean): Promise<void> {
    const { invariant, subject } = spot;
    const fromMs = performance.now();
    await spot.set(isBroken);
    spot.isBroken = isBroken;
    ledger.changes.push({ invariant, subject, isBroken, fromMs, toMs: performance.now() });
  }

  return {
    env: { ...sources.env, DOCKER_HOSTS: "none" },
    async breakSome(count) {
      for (let n = 0; n < count; n += 1) {
        const whole = spots.filter(({ isBroken }) => !isBroken);
        if (whole.length > 0) await turn(random.one(whole), true);
      }
    },
    async change([leastMs, mostMs], signal, mayChange) {
      while (!signal.aborted) {
        const [waitMs, spot] = [random.between(leastMs, mostMs), random.one(spots)];
        await wait(waitMs, undefined, { signal }).catch(() => {});
        if (!signal.aborted && mayChange()) await turn(spot, !spot.isBroken);
      }
    },
    async cureAll() {
      for (const spot of spots) if (spot.isBroken) await turn(spot, false);
    },
    close: sources.close,
  };
}
