/** Places that are not the platform's, to which a canary is pointed by mistake: what H-01, H-02 and H-03 find. */
import type { LocalDatabases } from "./databases.ts";
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

async function serveRedis(redis: LocalRedis, token: string, onClose: OnClose): Promise<Variables> {
  onClose(redis.close);
  const { url, close } = await serve(redisRestApp(redis, token), 0);
  onClose(close);
  return { UPSTASH_REDIS_REST_URL: url };
}

/**
 * Makes such places when they are first asked for.
 * @param platform its database, and its Redis with the token of that
 * @param onClose gets the functions that end what was started
 */
export function elsewhere(
  platform: { readonly databases: LocalDatabases; readonly redis: LocalRedis; readonly redisToken: string },
  onClose: OnClose,
): OtherPlaces {
  const { databases, redis, redisToken } = platform;
  const made = new Map<Elsewhere, Promise<Variables>>();
  let copies = 0;
  let copy: Awaited<ReturnType<LocalDatabases["addCopy"]>> | undefined;
  let isUsed = true;

  async function leaveDatabaseBehind(): Promise<void> {
    await copy?.remove();
    if (copies === 0) onClose(async () => copy?.remove());
    copies += 1;
    // Each copy has a name of its own, since a reader may have the one before open.
    copy = await databases.addCopy(`left_behind_${copies}`);
    isUsed = false;
  }
  async function make(place: Exclude<Elsewhere, "database left behind">): Promise<Variables> {
    if (place === "database without agents") return (await databases.addEmpty("empty")).variables;
    const other = place === "empty Redis" ? await startRedis() : openDatabaseNumber(redis, 1);
    return serveRedis(other, redisToken, onClose);
  }
  return {
    leaveDatabaseBehind,
    async variablesOf(place) {
      if (place === "database left behind") {
        if (isUsed) await leaveDatabaseBehind();
        isUsed = true;
        return copy!.variables;
      }
      const known = made.get(place) ?? make(place);
      made.set(place, known);
      return known;
    },
  };
}
