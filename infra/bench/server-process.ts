/** Runs one server in its own process, so that its work doesn't count as the bench's. */
import { startDynamo } from "../local/dynamodb.ts";
import { startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { type FleetShape, fillRedis } from "./fleet.ts";
import { REST_TOKEN, type ServerKind } from "./servers.ts";

const START = {
  dynamo: async () => ({ url: (await startDynamo()).endpoint, close: async () => {} }),
  redis: async () => {
    const redis = await startRedis();
    const { url } = await serve(redisRestApp(redis, REST_TOKEN), 0);
    process.on("message", async ({ fill, nowMs }: { fill: FleetShape; nowMs: number }) => {
      await fillRedis(redis.client, fill, nowMs);
      process.send?.({ filled: true });
    });
    return { url, close: redis.close };
  },
} satisfies Record<ServerKind, () => Promise<{ url: string; close(): Promise<void> }>>;

const server = await START[process.argv[2] as ServerKind]();
process.on("disconnect", () => void server.close().finally(() => process.exit()));
process.send?.({ url: server.url });
