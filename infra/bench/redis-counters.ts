/** What Redis itself counts of its work, and a Redis that runs no scripts. */
import type { Redis } from "ioredis";
import type { LocalRedis } from "../local/redis.ts";

export interface RedisWork {
  /** Commands that Redis ran, those in scripts and transactions too. */
  readonly commandsRun: number;
  /** The longest that one command, script or transaction took. Every other client waited meanwhile. */
  readonly longestMs: number;
}

/** Ours, not the canary's. */
const OWN = /^(config|info|command)\b/;

/** Reads `INFO commandstats`. */
export const commandsRunIn = (info: string): number =>
  [...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)]
    .filter(([, name]) => !OWN.test(name!))
    .reduce((sum, [, , calls]) => sum + Number(calls), 0);

/** Reads `INFO latencystats` with percentile 100, in ms: Redis 7.0 and later. */
export const longestMsIn = (info: string): number =>
  Math.max(
    0,
    ...[...info.matchAll(/latency_percentiles_usec_([^:]+):p100=([\d.]+)/g)]
      .filter(([, name]) => !OWN.test(name!))
      .map(([, , usec]) => Number(usec) / 1000),
  );

export const redisCounters = (client: Redis) => ({
  async reset(): Promise<null> {
    await client.config("SET", "latency-tracking-info-percentiles", "100");
    await client.config("RESETSTAT");
    return null;
  },
  read: async (): Promise<RedisWork> => ({
    commandsRun: commandsRunIn(await client.info("commandstats")),
    longestMs: longestMsIn(await client.info("latencystats")),
  }),
});

/** The same Redis for a user who may run no script: a canary reads it by transactions. */
export const withoutScripts = (redis: LocalRedis): LocalRedis => ({
  ...redis,
  async command(args) {
    if (/^eval/i.test(args[0] ?? "")) throw new Error("NOPERM this user has no permissions to run a script");
    return redis.command(args);
  },
});
