/** Runs one server in its own process, so that its work doesn't count as the bench's. */
import { startDynamo } from "../local/dynamodb.ts";
import { startRedis } from "../local/redis.ts";
import { redisRestApp } from "../local/redis-rest.ts";
import { serve } from "../local/serve.ts";
import { fillRedis } from "./fleet.ts";
import { redisCounters, withoutScripts } from "./redis-counters.ts";
import { REST_TOKEN, type RedisOrder, type ServerKind } from "./servers.ts";

const START = {
  dynamo: async () => ({ url: (await startDynamo()).endpoint, multiUrl: "", close: async () => {} }),
  redis: async () => {
    const redis = await startRedis();
    const { url } = await serve(redisRestApp(redis, REST_TOKEN), 0);
    const { url: multiUrl } = await serve(redisRestApp(withoutScripts(redis), REST_TOKEN), 0);
    const counters = redisCounters(redis.client);
    process.on("message", async (order: RedisOrder) => {
      if ("fill" in order) await fillRedis(redis.client, order.fill, order.nowMs);
      process.send?.("fill" in order ? null : await counters[order.counters]());
    });
    return { url, multiUrl, close: redis.close };
  },
} satisfies Record<ServerKind, () => Promise<{ url: string; multiUrl: string; close(): Promise<void> }>>;

const server = await START[process.argv[2] as ServerKind]();
process.on("disconnect", () => void server.close().finally(() => process.exit()));
process.send?.({ url: server.url, multiUrl: server.multiUrl });
