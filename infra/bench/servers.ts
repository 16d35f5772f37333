/** The servers that a fleet is on, each a process of its own, and the state that earlier cycles left. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { createClient } from "@libsql/client/http";
import type { LocalDynamo } from "../local/dynamodb.ts";
import { startSqld } from "../local/sqld.ts";
import { type FleetShape, fillDatabase } from "./fleet.ts";
import type { PlainSources } from "./plain-loop.ts";
import { type BenchState, benchState } from "./state.ts";

export type ServerKind = "dynamo" | "redis";
/** What the Redis of a bench asks for. */
export const REST_TOKEN = "bench";
/** Turns that are left out: a process compiles and connects in them. */
export const WARM_UP = 3;

interface ServerProcess {
  readonly url: string;
  readonly child: ChildProcess;
  close(): Promise<void>;
}

async function startServer(kind: ServerKind): Promise<ServerProcess> {
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

export interface BenchServers {
  readonly libsqlUrl: string;
  readonly redisUrl: string;
  readonly dynamo: Pick<LocalDynamo, "endpoint" | "table">;
  readonly state: BenchState;
  /** The instant that the fleet's ages are counted from, unix ms: the time of each cycle. */
  readonly nowMs: number;
  /** The variables of a canary that reads them; without Docker. */
  readonly env: Readonly<Record<string, string>>;
  plainSources(docker: string | null): PlainSources;
  close(): Promise<void>;
}

/** Starts sqld, Redis behind REST, and DynamoDB, with that fleet in them. */
export async function startServers(shape: FleetShape): Promise<BenchServers> {
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
    libsqlUrl: sqld.url,
    redisUrl: redis.url,
    dynamo,
    state,
    nowMs,
    env: {
      LIBSQL_URL: sqld.url,
      UPSTASH_REDIS_REST_URL: redis.url,
      UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
      DOCKER_HOSTS: "none",
      SOURCE_DEADLINE_MS: "60000",
    },
    plainSources: (docker) => ({
      libsqlUrl: sqld.url,
      redisUrl: redis.url,
      redisToken: REST_TOKEN,
      docker,
    }),
    async close() {
      state.close();
      for (const server of [redis, dynamoServer, sqld]) await server.close();
    },
  };
}
