/** Redis over REST: the slots of every agent, and the drain heartbeat. */
import { Redis } from "@upstash/redis";
import { NONE } from "../../config/source-variables.ts";
import { describeError, SourceError } from "../../errors.ts";
import type { DrainTick, Reading, ReadingTime, Slots } from "../../facts/facts.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";
import { sourceSpec } from "../spec.ts";
import { type KeysPage, parseDrainTick, resultOf, scanPage } from "./answers.ts";
import { DRAIN_TICK_KEY, holdersOf, SCAN_MATCH } from "./keys.ts";
import { type Answer, send } from "./requests.ts";
import { readSlots } from "./slots.ts";
import { REDIS } from "./variables.ts";

/** One page holds the keyspace of a thousand agents, so that a usual fleet costs one request. */
const SCAN_COUNT = 10_000;

function readDrainTick(answer: Answer, time: ReadingTime): Reading<DrainTick> {
  try {
    return { read: true, value: parseDrainTick(resultOf(answer), time.toMs / 1000), time };
  } catch (error) {
    return { read: false, reason: `redis.drain_tick: ${describeError(error)}` };
  }
}

/** Follows the cursor of the first page to the last. */
async function scanKeys(redis: Redis, first: KeysPage, signal: AbortSignal): Promise<ReadonlySet<string>> {
  const keys = new Set(first.keys);
  let { cursor } = first;
  while (cursor !== "0") {
    const pipeline = redis.pipeline().scan(cursor, { match: SCAN_MATCH, count: SCAN_COUNT });
    const next = scanPage((await send(pipeline, signal))[0]!);
    for (const key of next.keys) keys.add(key);
    cursor = next.cursor;
  }
  return keys;
}

async function read(redis: Redis, context: ReadContext): Promise<SourceResult> {
  const { signal, now, wanted } = context;
  const readings: { slots?: Reading<Slots>; drainTick?: Reading<DrainTick> } = {};
  const unavailable: string[] = [];
  const wantsSlots = wanted.has("slots");
  const first = redis.pipeline().get(DRAIN_TICK_KEY);
  if (wantsSlots) first.scan("0", { match: SCAN_MATCH, count: SCAN_COUNT });
  const fromMs = now();
  const [tick, firstPage] = await send(first, signal);
  if (wanted.has("drainTick")) {
    readings.drainTick = readDrainTick(tick!, { fromMs, toMs: now() });
    if (!readings.drainTick.read) unavailable.push(readings.drainTick.reason);
  }
  if (wantsSlots) {
    const keys = await scanKeys(redis, scanPage(firstPage!), signal);
    readings.slots = await readSlots(redis, holdersOf(keys), context, unavailable);
  }
  return { readings, unavailable };
}

/** The client's own texts carry commands and addresses; the cause is what an operator needs. */
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

export const redis = sourceSpec({
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
});
