/** What the canary reads, and where it keeps its state. */
import { randomBytes } from "node:crypto";
import type { SqlClient } from "../platform/file-client.ts";
import { queueCountsApp } from "../platform/queue-counts.ts";
import { openDatabases } from "./databases.ts";
import { startDynamo } from "./dynamodb.ts";
import { elsewhere } from "./elsewhere.ts";
import type { OnClose } from "./on-close.ts";
import { startRedis } from "./redis.ts";
import { redisRestApp } from "./redis-rest.ts";
import { serve } from "./serve.ts";

/** Makes a token that nobody guesses. */
export const newToken = (): string => randomBytes(24).toString("base64url");

/** Starts what the canary reads and where it keeps its state. The database is opened later, by `openDatabase`. */
export async function startServers(place: Parameters<typeof openDatabases>[0], onClose: OnClose) {
  const databases = await openDatabases(place, onClose);
  const redis = await startRedis();
  onClose(redis.close);
  const restToken = newToken();
  const rest = await serve(redisRestApp(redis, restToken), 0);
  onClose(rest.close);
  const dynamo = await startDynamo();
  onClose(dynamo.close);
  // The canary's configuration needs the accessor's address before there is a database.
  let database: SqlClient | undefined;
  const queueToken = newToken();
  const cachedCounts = new Map<string, number>();
  const accessor = await serve(
    queueCountsApp(() => database, queueToken, cachedCounts),
    0,
  );
  onClose(accessor.close);
  return {
    redis,
    dynamo,
    cachedCounts,
    databases,
    elsewhere: elsewhere({ databases, redis, redisToken: restToken }, onClose),
    sources: {
      database: databases.platform.variables,
      redis: { url: rest.url, token: restToken },
      queueCounts: { url: accessor.url, token: queueToken },
    },
    /** Makes the platform's database. From then on the accessor counts in it. */
    async openDatabase(): Promise<SqlClient> {
      const opened = await databases.open();
      onClose(async () => opened.close());
      database = opened;
      return opened;
    },
  };
}
export type Servers = Awaited<ReturnType<typeof startServers>>;
