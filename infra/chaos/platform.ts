/** A small platform that is broken and cured all the time. Each change is in the ledger, with the time in which it took effect. */
import { setTimeout as wait } from "node:timers/promises";
import type { Redis } from "ioredis";
import { NO_JOURNAL } from "../faults/target.ts";
import { openDatabases } from "../local/databases.ts";
import type { OnClose } from "../local/on-close.ts";
import { startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { type PlatformDatabase, platformDatabase, type Statement } from "../platform/database.ts";
import type { Backend } from "../platform/file-client.ts";
import { EXECUTIONS, ROSTER, slotKey, slotsKey } from "../platform/names.ts";
import type { Random } from "../soak/random.ts";
import type { Ledger } from "./ledger.ts";

const AGENTS = ["jade", "onyx", "opal", "ruby"] as const;
const GHOSTS = ["ghost-1", "ghost-2", "ghost-3"] as const;
const TOKEN = "token-of-the-chaos";
const DAY_MS = 86_400_000;
/** Longer than any clock of the chaos is ahead. */
const LONG_SECONDS = 90 * 86_400;

/** One thing that can be broken. Whether it is does not depend on the canary's clock. */
interface Spot {
  readonly invariant: string;
  readonly subject: string;
  isBroken: boolean;
  set(isBroken: boolean): Promise<unknown>;
}

export interface ChaosPlatform {
  /** Of its database, in words. */
  readonly engine: string;
  /** The variables of a canary that reads it. */
  readonly env: Readonly<Record<string, string>>;
  /** Breaks so many whole spots, drawn at random. */
  breakSome(count: number): Promise<void>;
  /** Breaks or cures one spot after another, until the signal is aborted. @param mayChange asked before each */
  change(everyMs: readonly [number, number], signal: AbortSignal, mayChange: () => boolean): Promise<void>;
  /** Cures all that is broken. */
  cureAll(): Promise<void>;
}

/** Writes the agents, each with one run that holds a slot, and one that has ended. */
async function fill(database: PlatformDatabase, redis: Redis): Promise<void> {
  // The clocks of the chaos are minutes apart: by each of them, that run has just ended.
  const [startedAt, leaseUntil, endedAt] = [-DAY_MS / 24, LONG_SECONDS * 1000, DAY_MS / 24].map((ms) =>
    new Date(Date.now() + ms).toISOString().replace("Z", "000Z"),
  );
  for (const agent of AGENTS) {
    await write(
      database,
      `INSERT INTO ${ROSTER} (agent_name, max_parallel_tasks, execution_timeout_seconds) VALUES (?, 5, ?)`,
      [agent, LONG_SECONDS],
    );
    // A pull worker had claimed the one that has ended: without a slot it may come back.
    const runs = [
      ["held", "running", null, null],
      ["ended", "skipped", leaseUntil!, endedAt!],
    ] as const;
    for (const [name, status, lease, completedAt] of runs)
      await write(
        database,
        `INSERT INTO ${EXECUTIONS} (id, schedule_id, agent_name, status, started_at, completed_at, message,
         triggered_by, claude_session_id, lease_expires_at)
         VALUES (?, 's', ?, ?, ?, ?, 'm', 'schedule', 'session', ?)`,
        [`${agent}-${name}`, agent, status, startedAt!, completedAt, lease],
      );
    await addSlot(redis, agent, `${agent}-held`);
  }
}

/** Starts Redis behind its REST protocol, and the database. @param onClose gets the functions that end them */
async function startSources(backend: Backend, folder: string, onClose: OnClose) {
  const redis = await startRedis();
  onClose(redis.close);
  const rest = await serve(redisRestApp(redis, TOKEN), 0);
  onClose(rest.close);
  const databases = await openDatabases({ backend, release: "today", folder }, onClose);
  const client = await databases.open();
  onClose(async () => client.close());
  const database = platformDatabase(client, NO_JOURNAL);
  await fill(database, redis.client);
  return {
    redis: redis.client,
    database,
    engine: databases.engine,
    env: {
      ...databases.platform.variables,
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: TOKEN,
    },
  };
}
type Sources = Awaited<ReturnType<typeof startSources>>;

const write = (database: PlatformDatabase, sql: string, args: Statement["args"]) =>
  database.write([{ sql, args }], () => []);

/** Takes a slot as a run that began an hour ago would have, with a life that no clock of the chaos sees the end of. */
const addSlot = (redis: Redis, agent: string, id: string) =>
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
        write(database, `UPDATE ${EXECUTIONS} SET claude_session_id = ? WHERE id = ?`, [
          isBroken ? null : "session",
          `${agent}-held`,
        ]),
      ),
    ),
    ...AGENTS.slice(0, 2).map((agent) =>
      spot("E-02", agent, (isBroken) =>
        write(database, `UPDATE ${EXECUTIONS} SET status = ? WHERE id = ?`, [
          isBroken ? "running" : "skipped",
          `${agent}-ended`,
        ]),
      ),
    ),
    ...AGENTS.map((agent) =>
      spot("S-01", agent, (isBroken) => {
        const id = `${agent}-leaked`;
        if (isBroken) return addSlot(redis, agent, id);
        return redis.multi().zrem(slotsKey(agent), id).del(slotKey(agent, id)).exec();
      }),
    ),
    ...GHOSTS.map((ghost) =>
      spot("L-03", ghost, (isBroken) =>
        write(
          database,
          isBroken
            ? "INSERT INTO agent_tags (agent_name, tag) VALUES (?, 'left')"
            : "DELETE FROM agent_tags WHERE agent_name = ?",
          [ghost],
        ),
      ),
    ),
  ];
}

/**
 * Starts the platform, with nothing broken.
 * @param folder for a database file
 * @param onClose gets the functions that end what was started
 */
export async function startChaosPlatform(
  { database, folder }: { readonly database: Backend; readonly folder: string },
  { ledger, random }: { readonly ledger: Ledger; readonly random: Random },
  onClose: OnClose,
): Promise<ChaosPlatform> {
  const sources = await startSources(database, folder, onClose);
  const spots = spotsOf(sources);

  async function turn(spot: Spot, isBroken: boolean): Promise<void> {
    const { invariant, subject } = spot;
    const fromMs = performance.now();
    await spot.set(isBroken);
    spot.isBroken = isBroken;
    ledger.changes.push({ invariant, subject, isBroken, fromMs, toMs: performance.now() });
  }

  return {
    engine: sources.engine,
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
  };
}
