/** What the canary reads, and where it keeps its state: everything but the database, which is opened later. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { openPlatformDatabase } from "../platform/database.ts";
import type { SqlClient } from "../platform/file-client.ts";
import { queueCountsApp } from "../platform/queue-counts.ts";
import type { Release } from "../platform/releases.ts";
import { createSchema } from "../platform/schema.ts";
import { startDynamo } from "./dynamodb.ts";
import { elsewhere } from "./elsewhere.ts";
import type { OnClose } from "./on-close.ts";
import { startRedis } from "./redis.ts";
import { redisRestApp } from "./redis-rest.ts";
import { serve } from "./serve.ts";

/** Makes a token that nobody guesses. */
export const newToken = (): string => randomBytes(24).toString("base64url");

/** Starts what the canary reads and where it keeps its state. The database is opened later, by `openDatabase`. */
export async function startServers(folder: string, onClose: OnClose) {
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
  const databaseUrl = `file:${join(folder, "trinity.db")}`;
  return {
    redis,
    dynamo,
    cachedCounts,
    elsewhere: elsewhere(folder, { databaseUrl, redis, redisToken: restToken }, onClose),
    sources: {
      databaseUrl,
      redis: { url: rest.url, token: restToken },
      queueCounts: { url: accessor.url, token: queueToken },
    },
    /** Makes the platform's database. From then on the accessor counts in it. */
    async openDatabase(release: Release): Promise<SqlClient> {
      const opened = await openPlatformDatabase(databaseUrl);
      onClose(async () => opened.close());
      await createSchema(opened, release);
      database = opened;
      return opened;
    },
  };
}
export type Servers = Awaited<ReturnType<typeof startServers>>;
