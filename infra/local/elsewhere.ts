/** Places that are not the platform's, to which a canary is pointed by mistake: what H-01, H-02 and H-03 find. */
import { join } from "node:path";
import { timestamp } from "../platform/clock.ts";
import { openPlatformDatabase } from "../platform/database.ts";
import { EXECUTIONS, ROSTER } from "../platform/names.ts";
import { createSchema } from "../platform/schema.ts";
import { startRedis } from "./redis.ts";
import { redisRestApp } from "./redis-rest.ts";
import { serve } from "./serve.ts";

/** `database without agents`: its tables are there. `database left behind`: its newest row is a day old. */
export type Elsewhere = "database without agents" | "database left behind" | "empty Redis";

/** Takes a function that ends one part. */
type OnClose = (end: () => Promise<void>) => void;

const DAY_MS = 86_400_000;

/** Makes a database file with the platform's tables, and with the rows. */
async function makeDatabase(path: string, rows: readonly string[]): Promise<{ LIBSQL_URL: string }> {
  const url = `file:${path}`;
  const database = await openPlatformDatabase(url);
  await createSchema(database);
  if (rows.length > 0) await database.batch([...rows], "write");
  database.close();
  return { LIBSQL_URL: url };
}

function oldRows(): string[] {
  const at = timestamp(Date.now() - DAY_MS);
  return [
    `INSERT INTO ${ROSTER} (agent_name) VALUES ('left-behind')`,
    `INSERT INTO ${EXECUTIONS} (id, schedule_id, agent_name, status, started_at, completed_at, message, triggered_by)
     VALUES ('left-behind-run', 's', 'left-behind', 'success', '${at}', '${at}', 'echo', 'manual')`,
  ];
}

async function startEmptyRedis(token: string, onClose: OnClose) {
  const redis = await startRedis();
  onClose(redis.close);
  const { url, close } = await serve(redisRestApp(redis, token), 0);
  onClose(close);
  return { UPSTASH_REDIS_REST_URL: url };
}

/**
 * Gives the variables that point a canary to such a place, which is made when it is first asked for.
 * @param folder for database files
 * @param redisToken the token of the Redis that the canary reads otherwise
 * @param onClose gets the functions that end what was started
 */
export function elsewhere(
  folder: string,
  redisToken: string,
  onClose: OnClose,
): (place: Elsewhere) => Promise<Readonly<Record<string, string>>> {
  const made = new Map<Elsewhere, Promise<Readonly<Record<string, string>>>>();
  const make = (place: Elsewhere) => {
    if (place === "empty Redis") return startEmptyRedis(redisToken, onClose);
    const isEmpty = place === "database without agents";
    return makeDatabase(join(folder, isEmpty ? "empty.db" : "left-behind.db"), isEmpty ? [] : oldRows());
  };
  return (place) => {
    const known = made.get(place) ?? make(place);
    made.set(place, known);
    return known;
  };
}
