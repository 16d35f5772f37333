/** The servers of one fleet, each in its own process, and the state that earlier cycles left. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createClient } from "@libsql/client/http";
import { createTable } from "../local/dynamodb.ts";
import { startSqld } from "../local/sqld.ts";
import { openPlatformDatabase } from "../platform/database.ts";
import type { SqlClient } from "../platform/file-client.ts";
import { type FleetShape, fillDatabase, renewEnded } from "./fleet.ts";
import type { Env } from "./plain-loop.ts";
import type { RedisWork } from "./redis-counters.ts";
import { type BenchState, benchState } from "./state.ts";

export type ServerKind = "dynamo" | "redis";
export type RedisOrder =
  | { readonly fill: FleetShape; readonly nowMs: number }
  | { readonly counters: "reset" | "read" };
/** The token of a bench's Redis. */
export const REST_TOKEN = "bench";
/** The first turns don't count: a process compiles and connects in them. */
export const WARM_UP = 3;

/** What one canary reads and remembers: its variables, without Docker, and its own table. */
export interface Way<Database extends Env = { readonly LIBSQL_URL: string }> {
  readonly env: Env & Database & { readonly UPSTASH_REDIS_REST_URL: string };
  readonly dynamo: { readonly endpoint: string; readonly table: string };
  readonly state: BenchState;
}

async function startServer(kind: ServerKind) {
  const child = fork(fileURLToPath(new URL("./server-process.ts", import.meta.url)), [kind], {
    execArgv: [],
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  const [urls] = (await once(child, "message")) as [{ url: string; multiUrl: string }];
  return {
    ...urls,
    async ask(order: RedisOrder): Promise<unknown> {
      child.send(order);
      const [answer] = await once(child, "message");
      return answer;
    },
    async close() {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

async function addTable(endpoint: string, table: string): Promise<void> {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const client = new DynamoDBClient({ endpoint, region: "local", credentials });
  await createTable(client, table);
  client.destroy();
}

/** Starts sqld, Redis behind REST, and DynamoDB, with that fleet in them. */
export async function startServers(shape: FleetShape) {
  // The fleet's ages count from it.
  const nowMs = Date.now();
  const sqld = await startSqld();
  const database = createClient({ url: sqld.url });
  await fillDatabase(database, shape, nowMs);
  const redis = await startServer("redis");
  await redis.ask({ fill: shape, nowMs });
  const dynamo = await startServer("dynamo");
  const wayOf = async <Database extends Env>(
    redisUrl: string,
    table: string,
    place: Database,
  ): Promise<Way<Database>> => {
    const dynamoPlace = { endpoint: dynamo.url, table };
    const state = benchState(dynamoPlace, nowMs);
    await state.reset();
    return {
      env: {
        ...place,
        UPSTASH_REDIS_REST_URL: redisUrl,
        UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
        DOCKER_HOSTS: "none",
        SOURCE_DEADLINE_MS: "60000",
      },
      dynamo: dynamoPlace,
      state,
    };
  };
  const libsql = { LIBSQL_URL: sqld.url };
  const scripts = await wayOf(redis.url, "trinity-canary", libsql);
  await addTable(dynamo.url, "trinity-canary-multi");
  const multi = await wayOf(redis.multiUrl, "trinity-canary-multi", libsql);
  let turns = 0;
  const added: { readonly way: Way<{ readonly DATABASE_URL: string }>; readonly client: SqlClient }[] = [];
  return {
    scripts,
    /** The same fleet through a Redis that refuses scripts. */
    multi,
    /**
     * Fills a PostgreSQL with the same agents, with more history or less.
     * @param reader the address of who only reads
     * @returns the way of a canary that reads it, and the same Redis
     */
    async addPostgres(owner: string, reader: string, oldRows: number) {
      const client = await openPlatformDatabase(owner);
      await fillDatabase(client, { ...shape, oldRows }, nowMs);
      await client.execute("ANALYZE");
      const table = `trinity-canary-${added.length}`;
      await addTable(dynamo.url, table);
      const way = await wayOf(redis.url, table, { DATABASE_URL: reader });
      added.push({ way, client });
      return way;
    },
    /** A little later each time: no two cycles begin at the same instant. */
    nowMs: () => nowMs + turns,
    /** As many runs end as in five minutes. Each canary then runs one cycle. */
    async turn(): Promise<void> {
      turns += 1;
      await renewEnded(database, shape, nowMs, turns);
      for (const { client } of added) await renewEnded(client, shape, nowMs, turns);
    },
    /** Puts the tables back to what they were before the first cycle: for new processes. */
    async reset(): Promise<void> {
      for (const { state } of [scripts, multi]) await state.reset();
    },
    resetCounters: () => redis.ask({ counters: "reset" }),
    readCounters: () => redis.ask({ counters: "read" }) as Promise<RedisWork>,
    async close() {
      database.close();
      for (const { client } of added) client.close();
      for (const { state } of [scripts, multi, ...added.map(({ way }) => way)]) state.close();
      for (const server of [redis, dynamo, sqld]) await server.close();
    },
  };
}
export type BenchServers = Awaited<ReturnType<typeof startServers>>;
