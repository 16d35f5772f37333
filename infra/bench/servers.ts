/** The servers of one fleet, each in its own process, and the state that earlier cycles left. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client/http";
import { startSqld } from "../local/sqld.ts";
import { type FleetShape, fillDatabase } from "./fleet.ts";
import { benchState } from "./state.ts";

export type ServerKind = "dynamo" | "redis";
/** The token of a bench's Redis. */
export const REST_TOKEN = "bench";
/** The first turns don't count: a process compiles and connects in them. */
export const WARM_UP = 3;

async function startServer(kind: ServerKind) {
  const child = fork(fileURLToPath(new URL("./server-process.ts", import.meta.url)), [kind], {
    execArgv: [],
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  const [{ url }] = (await once(child, "message")) as [{ url: string }];
  return {
    url,
    child,
    async close() {
      child.disconnect();
      await once(child, "exit");
    },
  };
}

/** Starts sqld, Redis behind REST, and DynamoDB, with that fleet in them. */
export async function startServers(shape: FleetShape) {
  // The time of every cycle: the fleet's ages count from it.
  const nowMs = Date.now();
  const sqld = await startSqld();
  const database = createClient({ url: sqld.url });
  await fillDatabase(database, shape, nowMs);
  database.close();
  const redis = await startServer("redis");
  redis.child.send({ fill: shape, nowMs });
  await once(redis.child, "message");
  const dynamoServer = await startServer("dynamo");
  const dynamo = { endpoint: dynamoServer.url, table: "trinity-canary" };
  const state = benchState(dynamo, shape, nowMs);
  return {
    dynamo,
    state,
    nowMs,
    /** The variables of a canary that reads these servers, without Docker. */
    env: {
      LIBSQL_URL: sqld.url,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
      DOCKER_HOSTS: "none",
      SOURCE_DEADLINE_MS: "60000",
    },
    async close() {
      state.close();
      for (const server of [redis, dynamoServer, sqld]) await server.close();
    },
  };
}
export type BenchServers = Awaited<ReturnType<typeof startServers>>;
