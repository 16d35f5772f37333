/** Redis over REST: the slots of every agent, and the drain heartbeat. */
import { Redis } from "@upstash/redis";
import { address, NONE } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";
import { describeError, SourceError } from "../../errors.ts";
import type { DrainTick, Reading, ReadingTime, Slots } from "../../facts/facts.ts";
import type { ReadContext, Source, SourceResult, SourceSpec } from "../source.ts";
import { parseDrainTick, resultOf, scanPage } from "./answers.ts";
import { type RedisAnswer, send } from "./requests.ts";
import { readSlots } from "./slots.ts";

const REDIS = {
  url: address(
    "UPSTASH_REDIS_REST_URL",
    "Redis over the Upstash REST protocol: Upstash itself, or serverless-redis-http in front of a Redis",
    { schemes: ["https:", "http:"], example: "https://redis.example.com" },
  ),
  token: token("UPSTASH_REDIS_REST_TOKEN", "its token"),
};

const DRAIN_TICK_KEY = "canary:drain_tick_at";
/**
 * The sets of slots and their hashes: which hashes there are is known before anything asks for their TTL. One page holds
 * the keyspace of a thousand agents, so that a usual fleet costs one request.
 */
const SCAN = { match: "agent:slot*", count: 10_000 };

function readDrainTick(answer: RedisAnswer, time: ReadingTime): Reading<DrainTick> {
  try {
    return { read: true, value: parseDrainTick(resultOf(answer), time.toMs / 1000), time };
  } catch (error) {
    return { read: false, reason: `redis.drain_tick: ${describeError(error)}` };
  }
}

const NO_KEY = "Redis holds no key of the platform";

function markInsufficient(readings: { slots?: Reading<Slots>; drainTick?: Reading<DrainTick> }, why: string) {
  if (readings.slots?.read) readings.slots = { ...readings.slots, insufficient: why };
  if (readings.drainTick?.read) readings.drainTick = { ...readings.drainTick, insufficient: why };
}

/** Follows the cursor from the first page to the last. A key can be on several pages. */
async function scanKeys(redis: Redis, first: RedisAnswer, signal: AbortSignal): Promise<ReadonlySet<string>> {
  let page = scanPage(first);
  const keys = new Set(page.keys);
  while (page.cursor !== "0") {
    const [next] = await send(redis.pipeline().scan(page.cursor, SCAN), signal);
    page = scanPage(next!);
    for (const key of page.keys) keys.add(key);
  }
  return keys;
}

async function read(redis: Redis, context: ReadContext): Promise<SourceResult> {
  const { signal, now, wanted } = context;
  const readings: { slots?: Reading<Slots>; drainTick?: Reading<DrainTick> } = {};
  const unavailable: string[] = [];
  const first = redis.pipeline().get(DRAIN_TICK_KEY);
  if (wanted.has("slots")) first.scan("0", SCAN);
  const fromMs = now();
  const [tick, firstPage] = await send(first, signal);
  if (wanted.has("drainTick")) {
    readings.drainTick = readDrainTick(tick!, { fromMs, toMs: now() });
    if (!readings.drainTick.read) unavailable.push(readings.drainTick.reason);
  }
  if (wanted.has("slots")) {
    const keys = await scanKeys(redis, firstPage!, signal);
    readings.slots = await readSlots(redis, keys, context, unavailable);
    // A flushed Redis, another database of it, or another Redis.
    if (keys.size === 0 && tick!.result === null && !tick!.error) markInsufficient(readings, NO_KEY);
  }
  return { readings, unavailable };
}

/** Replaces the client's own texts, which carry commands and addresses, by the cause. */
function explained(error: unknown): unknown {
  const text = error instanceof Error ? error.message : "";
  if (/unauthorized|WRONGPASS|NOAUTH/i.test(text))
    return new SourceError(`the token was refused, check ${REDIS.token.name}`);
  if (/parse response body|is not a function/i.test(text))
    return new SourceError(`the answer is not that of the Upstash REST protocol, check ${REDIS.url.name}`);
  return error;
}

/** Makes the reader of a Redis behind the Upstash REST protocol (Upstash, or serverless-redis-http). */
export const redisReader =
  ({ url, token }: { url: string; token: string }): Source["read"] =>
  async (context) => {
    const redis = new Redis({
      url,
      token,
      automaticDeserialization: false,
      enableTelemetry: false,
      enableAutoPipelining: false,
      readYourWrites: false,
      retry: { retries: 1, backoff: () => 100 },
      signal: () => context.signal,
    });
    try {
      return await read(redis, context);
    } catch (error) {
      context.signal.throwIfAborted();
      throw explained(error);
    }
  };

export const redis = {
  name: "redis",
  gives: ["slots", "drainTick"],
  variables: REDIS,
  check({ url, token }, problem) {
    if (url !== null && url !== NONE && token === null)
      problem(`${REDIS.token.name} is missing: give the token of ${REDIS.url.name}`);
  },
  configure({ url, token }) {
    if (url === null) return "not configured";
    if (url === NONE) return "off";
    return redisReader({ url, token: token! });
  },
} as const satisfies SourceSpec<typeof REDIS>;
