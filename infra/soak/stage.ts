/** Everything that a soak needs: the simulated platform on real servers, a canary that reads it, and a witness. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Hono } from "hono";
import type { Redis } from "ioredis";
import { type Canary, openCanary } from "../../shared/canary.ts";

import { startDynamo } from "../local/dynamodb.ts";
import { redisServerVersion, startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { scaledClock } from "../platform/clock.ts";
import { type Database, openPlatformDatabase, platformDatabase } from "../platform/database.ts";
import { openDatabaseFile, type SqlClient } from "../platform/file-client.ts";
import { type Platform, startPlatform } from "../platform/platform.ts";
import { queueCountsApp } from "../platform/queue-counts.ts";
import { createSchema } from "../platform/schema.ts";
import type { SoakChange } from "./timeline.ts";
import { newWitness, type Witness } from "./witness.ts";

export interface Stage {
  readonly platform: Platform;
  readonly clock: ReturnType<typeof scaledClock>;
  readonly witness: Witness;
  readonly canary: Canary;
  /** What the canary told operators, by kind and invariant: `broke S-01`. */
  readonly told: Map<string, number>;
  /** By how much the queue accessor is wrong, for each agent that it is wrong for. */
  readonly accessorOff: Map<string, number>;
  /** Connections of their own for whoever breaks things, told to the same journal. */
  readonly database: Database<SoakChange>;
  readonly redis: Redis;
  /** Redis as the canary reaches it. */
  readonly rest: { readonly url: string; readonly token: string };
  log(line: string): void;
  /** What the platform and the load logged: healthy ones have nothing to say. */
  readonly lines: readonly string[];
  readonly engines: string;
  close(): Promise<void>;
}

/** Something of the machine, or of what was asked for, is in the way; the text says what, and the mend. */
export class SoakError extends Error {
  override readonly name = "SoakError";
}

const TOKEN = "token-of-the-soak";
/** A year: the platform's own sweeps don't come, the soak makes them. */
const NEVER_MS = 365 * 86_400_000;
/** Where a writer that shares the process waits, nobody else can finish: a short wait, and then again. */
const BUSY_TIMEOUT_MS = 20;

/** The accessor, but for the agents that it is to be wrong for. */
function accessorApp(database: SqlClient, accessorOff: ReadonlyMap<string, number>): Hono {
  const honest = queueCountsApp(() => database, TOKEN);
  const app = new Hono();
  app.get("/", async (c) => {
    const answer = await honest.fetch(c.req.raw);
    if (accessorOff.size === 0 || !answer.ok) return answer;
    const { counts } = (await answer.json()) as { counts: Record<string, number> };
    for (const [agent, by] of accessorOff) if (agent in counts) counts[agent]! += by;
    return c.json({ counts });
  });
  return app;
}

/**
 * @param options the platform's time scale, how long a backlog may be, and the canary's confirmation
 * @throws where a server can't be started; what was started is ended again
 */
export async function openStage(options: {
  scale: number;
  confirmMs: number;
  maxQueued: number;
}): Promise<Stage> {
  const ends: (() => unknown)[] = [];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  const owned = <T extends { close(): unknown }>(part: T): T => {
    ends.push(() => part.close());
    return part;
  };
  try {
    const folder = await mkdtemp(join(tmpdir(), "canary-soak-"));
    ends.push(() => rm(folder, { recursive: true, force: true }));
    const url = `file:${join(folder, "trinity.db")}`;
    if (redisServerVersion() === null)
      throw new SoakError("there is no redis-server on the PATH: install it, a soak needs a real one");
    const server = owned(await startRedis());
    const connect = (): Redis => {
      const connection = server.client.duplicate();
      ends.push(() => connection.disconnect());
      return connection;
    };
    const rest = owned(await serve(redisRestApp(server, TOKEN), 0));
    const dynamo = owned(await startDynamo());
    const database = owned(await openPlatformDatabase(url));
    await createSchema(database);
    const another = () => owned(openDatabaseFile(url, BUSY_TIMEOUT_MS));
    const accessorOff = new Map<string, number>();
    const accessor = owned(await serve(accessorApp(another(), accessorOff), 0));

    const witness = newWitness();
    const lines: string[] = [];
    const log = (line: string) => void lines.push(line);
    const clock = scaledClock(options.scale);
    const platform = await startPlatform({
      database,
      redis: connect(),
      clock,
      journal: witness,
      log,
      sweepEveryMs: () => NEVER_MS,
      maxQueued: options.maxQueued,
    });
    ends.push(platform.stop);

    const env = {
      LIBSQL_URL: url,
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: TOKEN,
      QUEUE_COUNTS_URL: accessor.url,
      QUEUE_COUNTS_TOKEN: TOKEN,
      DOCKER_HOSTS: "none",
      CONFIRM_AFTER_MS: String(options.confirmMs),
    };
    const told = new Map<string, number>();
    const sender = async ({ kind, invariantId }: { kind: string; invariantId: string | null }) => {
      const name = `${kind} ${invariantId ?? ""}`.trim();
      told.set(name, (told.get(name) ?? 0) + 1);
    };
    return {
      platform,
      clock,
      witness,
      canary: openCanary(env, { state: dynamo, senders: { slack: sender } }),
      told,
      accessorOff,
      database: platformDatabase<SoakChange>(another(), witness),
      redis: connect(),
      rest: { url: rest.url, token: TOKEN },
      log,
      lines,
      engines: `SQLite file, ${server.engine} behind the REST protocol, dynalite`,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
