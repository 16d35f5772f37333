/** The servers of one fleet, each in its own process, and the state that earlier cycles left. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { createClient } from "@libsql/client/http";
import { createTable } from "../local/dynamodb.ts";
import { startSqld } from "../local/sqld.ts";
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
export interface Way {
  readonly env: Env & { readonly LIBSQL_URL: string; readonly UPSTASH_REDIS_REST_URL: string };
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
  const wayOf = async (redisUrl: string, table: string): Promise<Way> => {
    const place = { endpoint: dynamo.url, table };
    const state = benchState(place, nowMs);
    await state.reset();
    return {
      env: {
        LIBSQL_URL: sqld.url,
        UPSTASH_REDIS_REST_URL: redisUrl,
        UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
        DOCKER_HOSTS: "none",
        SOURCE_DEADLINE_MS: "60000",
      },
      dynamo: place,
      state,
    };
  };
  const scripts = await wayOf(redis.url, "trinity-canary");
  await addTable(dynamo.url, "trinity-canary-multi");
  const multi = await wayOf(redis.multiUrl, "trinity-canary-multi");
  let turns = 0;
  return {
    scripts,
    /** The same fleet through a Redis that refuses scripts. */
    multi,
    /** A little later each time: no two cycles begin at the same instant. */
    nowMs: () => nowMs + turns,
    /** As many runs end as in five minutes. Each canary then runs one cycle. */
    async turn(): Promise<void> {
      turns += 1;
      await renewEnded(database, shape, nowMs, turns);
    },
    /** Puts the tables back to what they were before the first cycle: for processes that begin anew. */
    async reset(): Promise<void> {
      for (const { state } of [scripts, multi]) await state.reset();
    },
    resetCounters: () => redis.ask({ counters: "reset" }),
    readCounters: () => redis.ask({ counters: "read" }) as Promise<RedisWork>,
    async close() {
      database.close();
      for (const { state } of [scripts, multi]) state.close();
      for (const server of [redis, dynamo, sqld]) await server.close();
    },
  };
}
export type BenchServers = Awaited<ReturnType<typeof startServers>>;
