/** A server in a process of its own, as it is in the world: what it does is not the work of those that ask. */
import { startDynamo } from "../local/dynamodb.ts";
import { startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { startDockerStub } from "./docker-stub.ts";
import { type FleetShape, fillRedis } from "./fleet.ts";
import { REST_TOKEN, type ServerKind } from "./servers.ts";

const START = {
  dynamo: async () => {
    const { endpoint } = await startDynamo();
    return { url: endpoint };
  },
  redis: async () => {
    const redis = await startRedis();
    const { url } = await serve(redisRestApp(redis, REST_TOKEN), 0);
    process.on("message", async ({ fill, nowMs }: { fill: FleetShape; nowMs: number }) => {
      await fillRedis(redis.client, fill, nowMs);
      process.send?.({ filled: true });
    });
    return { url, close: redis.close };
  },
  docker: async () => startDockerStub(process.argv[3]!, Number(process.argv[4])),
} satisfies Record<ServerKind, () => Promise<{ url: string; close?: () => Promise<void> }>>;

const server: { url: string; close?: () => Promise<void> } = await START[process.argv[2] as ServerKind]();
process.on("disconnect", () => void Promise.resolve(server.close?.()).finally(() => process.exit()));
process.send?.({ url: server.url });
