/** Writes and reads a test agent's slots, the accessor's count of its queue, and the platform's heartbeat. */
import { timestamp } from "../platform/clock.ts";
import { journaled } from "../platform/journal.ts";
import {
  DRAIN_TICK_KEY,
  pullPollKey,
  SLOT_TTL_BUFFER_SECONDS,
  slotKey,
  slotsKey,
} from "../platform/names.ts";
import { type FaultChange, type Limits, present, type Target } from "./target.ts";

const DAY_SECONDS = 86_400;

export interface NewSlot {
  readonly ageSeconds?: number;
  /** Null: the hash never expires. */
  readonly ttlSeconds?: number | null;
  /** Null: the hash has no timeout. */
  readonly timeoutSeconds?: number | null;
  /** Default: both. */
  readonly parts?: "both" | "member only" | "hash only";
}

const record = async (
  target: Target,
  write: () => Promise<unknown>,
  ...changes: FaultChange[]
): Promise<void> => void (await journaled<unknown, FaultChange>(target.journal, write, () => changes));

/** Works on the slots that a fault makes. @param ids gets the id of each */
export function slotsOf(target: Target, agent: string, limits: Limits, ids: Set<string>) {
  const redis = () => present(target.redis);
  const slotLifeSeconds = limits.executionTimeoutSeconds + SLOT_TTL_BUFFER_SECONDS;
  return {
    slotLifeSeconds,
    addSlot(
      id: string,
      {
        ageSeconds = 10,
        ttlSeconds = slotLifeSeconds - ageSeconds,
        timeoutSeconds = limits.executionTimeoutSeconds,
        parts = "both",
      }: NewSlot = {},
    ): Promise<void> {
      ids.add(id);
      const [startedAtMs, multi] = [Date.now() - ageSeconds * 1000, redis().multi()];
      const scoreSeconds = startedAtMs / 1000;
      const of = { agent, executionId: id };
      const changes: FaultChange[] = [];
      if (parts !== "hash only") {
        multi.zadd(slotsKey(agent), { score: scoreSeconds, member: id });
        changes.push({ what: "slot taken", ...of, scoreSeconds });
      }
      if (parts !== "member only") {
        multi.hset(slotKey(agent, id), {
          started_at: timestamp(startedAtMs),
          ...(timeoutSeconds !== null && { timeout_seconds: String(timeoutSeconds) }),
        });
        // Without a timeout in the hash, the agent's own counts.
        const effectiveSeconds = timeoutSeconds ?? limits.executionTimeoutSeconds;
        changes.push({ what: "hash written", ...of, timeoutSeconds: effectiveSeconds });
        if (ttlSeconds !== null) {
          multi.expire(slotKey(agent, id), ttlSeconds);
          changes.push({ what: "hash expires", ...of, ttlSeconds });
        }
      }
      return record(target, () => multi.exec(), ...changes);
    },
    async giveBackSlots(): Promise<void> {
      for (const executionId of ids) {
        const multi = redis().multi().zrem(slotsKey(agent), executionId).del(slotKey(agent, executionId));
        const of = { agent, executionId };
        await record(
          target,
          () => multi.exec(),
          { what: "slot given back", ...of },
          { what: "hash removed", ...of },
        );
      }
    },
    slots: async (): Promise<string[]> =>
      (await redis().zrange<string[]>(slotsKey(agent), 0, -1)).filter((id) => ids.has(id)).sort(),
    slotTtlSeconds: (id: string): Promise<number> => redis().ttl(slotKey(agent, id)),
  };
}

/** Works on the accessor's count and the heartbeat. */
export function signalsOf(target: Target, agent: string) {
  return {
    setCachedCount: (count: number | null): Promise<void> =>
      record(
        target,
        async () => {
          const { cachedCounts } = present(target.controls);
          if (count === null) cachedCounts.delete(agent);
          else cachedCounts.set(agent, count);
        },
        { what: "accessor", agent, isWrong: count !== null },
      ),
    setDrainTick(ageSeconds: number): Promise<void> {
      const atSeconds = Date.now() / 1000 - ageSeconds;
      return record(target, () => present(target.redis).set(DRAIN_TICK_KEY, String(atSeconds)), {
        what: "drain tick",
        atSeconds,
      });
    },
    /** Writes when a pull worker last asked for work; null: none ever did. */
    setPoll(ageSeconds: number | null): Promise<void> {
      const [redis, key] = [present(target.redis), pullPollKey(agent)];
      if (ageSeconds === null)
        return record(target, () => redis.del(key), { what: "pull polls gone", agent });
      const atSeconds = Date.now() / 1000 - ageSeconds;
      return record(target, () => redis.set(key, String(atSeconds), { ex: DAY_SECONDS }), {
        what: "pull poll",
        agent,
        atSeconds,
      });
    },
    /** Says whether a pull worker ever asked for work. */
    polls: async (): Promise<boolean> => (await present(target.redis).exists(pullPollKey(agent))) === 1,
    drainTickAgeSeconds: async (): Promise<number> =>
      Date.now() / 1000 - Number(await present(target.redis).get<string>(DRAIN_TICK_KEY)),
  };
}
