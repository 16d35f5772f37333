/** Places that are not the platform's, to which a canary is pointed by mistake: what H-01, H-02 and H-03 find. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openPlatformDatabase, platformDatabase } from "../platform/database.ts";
import { openDatabaseFile, type SqlClient } from "../platform/file-client.ts";
import { createSchema } from "../platform/schema.ts";
import type { OnClose } from "./on-close.ts";
import { type LocalRedis, openDatabaseNumber, startRedis } from "./redis.ts";
import { redisRestApp } from "./redis-rest.ts";
import { serve } from "./serve.ts";

/**
 * `database without agents`: its tables are there. `database left behind`: a copy of the platform's own, with all that ran
 * and waited then, all of whose times are a day ago. `other database number`: of the platform's own redis-server.
 */
export type Elsewhere =
  | "database without agents"
  | "database left behind"
  | "empty Redis"
  | "other database number";

type Variables = Readonly<Record<string, string>>;

export interface OtherPlaces {
  /**
   * Copies the platform's database as it is now: the next `database left behind`. The platform can go on before the canary
   * is pointed there.
   */
  leaveDatabaseBehind(): Promise<void>;
  /** Gives the variables that point a canary to the place. Each copy of the database is given once; without one it is made now. */
  variablesOf(place: Elsewhere): Promise<Variables>;
}

/** How long the copy waits for another connection's lock before it tries again. */
const BUSY_TIMEOUT_MS = 20;

async function makeEmptyDatabase(path: string): Promise<Variables> {
  const url = `file:${path}`;
  const database = await openPlatformDatabase(url);
  await createSchema(database);
  database.close();
  return { LIBSQL_URL: url };
}

/** Copies the database with a connection of its own, which leaves no lock. */
async function copyDatabase(from: string, path: string): Promise<void> {
  const client = openDatabaseFile(from, BUSY_TIMEOUT_MS);
  try {
    await platformDatabase(client, { record() {} }).read("VACUUM INTO ?", [path]);
  } finally {
    client.close();
  }
}

/** Moves every time in the database back by a day. Only its date changes, so that each keeps the format that it was written in. */
async function ageByADay(database: SqlClient): Promise<void> {
  const { rows } = await database.execute(
    `SELECT t.name AS "table", c.name AS "column" FROM sqlite_master t JOIN pragma_table_info(t.name) c
     WHERE t.type = 'table' AND c.name GLOB '*_at'`,
  );
  await database.batch(
    rows.map(
      ({ table, column }) =>
        `UPDATE ${table} SET ${column} = COALESCE(date(substr(${column}, 1, 10), '-1 day') || substr(${column}, 11), ${column})`,
    ),
    "write",
  );
}

async function serveRedis(redis: LocalRedis, token: string, onClose: OnClose): Promise<Variables> {
  onClose(redis.close);
  const { url, close } = await serve(redisRestApp(redis, token), 0);
  onClose(close);
  return { UPSTASH_REDIS_REST_URL: url };
}

/**
 * Makes such places when they are first asked for.
 * @param folder for database files
 * @param platform the address of its database file, and its Redis with the token of that
 * @param onClose gets the functions that end what was started
 */
export function elsewhere(
  folder: string,
  platform: { readonly databaseUrl: string; readonly redis: LocalRedis; readonly redisToken: string },
  onClose: OnClose,
): OtherPlaces {
  const made = new Map<Elsewhere, Promise<Variables>>();
  let copies = 0;
  let isUsed = true;
  const pathOf = (copy: number) => join(folder, `left-behind-${copy}.db`);

  async function leaveDatabaseBehind(): Promise<void> {
    // Each copy is another file, since a reader may have the one before open.
    if (copies > 0) await rm(pathOf(copies), { force: true });
    else onClose(() => rm(pathOf(copies), { force: true }));
    copies += 1;
    const path = pathOf(copies);
    await copyDatabase(platform.databaseUrl, path);
    const copy = openDatabaseFile(`file:${path}`);
    try {
      await ageByADay(copy);
    } finally {
      copy.close();
    }
    isUsed = false;
  }
  const { redis, redisToken } = platform;
  async function make(place: Exclude<Elsewhere, "database left behind">): Promise<Variables> {
    if (place === "database without agents") return makeEmptyDatabase(join(folder, "empty.db"));
    const other = place === "empty Redis" ? await startRedis() : openDatabaseNumber(redis, 1);
    return serveRedis(other, redisToken, onClose);
  }
  return {
    leaveDatabaseBehind,
    async variablesOf(place) {
      if (place === "database left behind") {
        if (isUsed) await leaveDatabaseBehind();
        isUsed = true;
        return { LIBSQL_URL: `file:${pathOf(copies)}` };
      }
      const known = made.get(place) ?? make(place);
      made.set(place, known);
      return known;
    },
  };
}
