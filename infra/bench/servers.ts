/** The servers that a fleet is on, each a process of its own. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type Client, createClient } from "@libsql/client/http";
import { startSqld } from "../../test/support/live.ts";
import type { LocalDynamo } from "../local/dynamodb.ts";
import { type FleetShape, fillDatabase } from "./fleet.ts";

export type ServerKind = "dynamo" | "redis" | "docker";
/** What the Redis of a bench asks for. */
export const REST_TOKEN = "bench";

interface ServerProcess {
  readonly url: string;
  readonly child: ChildProcess;
  close(): Promise<void>;
}

export async function startServer(kind: ServerKind, ...args: string[]): Promise<ServerProcess> {
  const child = fork(fileURLToPath(new URL("./server-process.ts", import.meta.url)), [kind, ...args], {
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
  readonly database: Client;
  close(): Promise<void>;
}

/**
 * Starts sqld, Redis behind REST, and DynamoDB, with that fleet in them.
 * @param nowMs the instant (unix ms) that the fleet's ages are counted from
 */
export async function startServers(shape: FleetShape, nowMs: number): Promise<BenchServers> {
  const sqld = await startSqld();
  const database = createClient({ url: sqld.url });
  await fillDatabase(database, shape, nowMs);
  const redis = await startServer("redis");
  redis.child.send({ fill: shape, nowMs });
  await once(redis.child, "message");
  const dynamo = await startServer("dynamo");
  return {
    libsqlUrl: sqld.url,
    redisUrl: redis.url,
    dynamo: { endpoint: dynamo.url, table: "trinity-canary" },
    database,
    async close() {
      database.close();
      for (const server of [redis, dynamo, sqld]) await server.close();
    },
  };
}
