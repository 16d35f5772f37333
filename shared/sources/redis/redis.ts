/** Redis over REST: the slots of every agent, and the drain heartbeat. */
import type { Redis } from "@upstash/redis";
import { address, NONE } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";
import { describeError, SourceError } from "../../errors.ts";
import type { DrainTick, Reading } from "../../facts/facts.ts";
import { AnswerTooLarge } from "../../http.ts";
import { firstLines } from "../lines.ts";
import type { ReadContext, Source, SourceResult, SourceSpec } from "../source.ts";
import { parseDrainTick, resultOf } from "./answers.ts";
import { findSlotKeys } from "./keys.ts";
import { send } from "./requests.ts";
import { openRest } from "./rest.ts";
import { readSlots } from "./slots.ts";

const REDIS_NAME = "redis";
const REDIS = {
  url: address(
    "UPSTASH_REDIS_REST_URL",
    "Redis over the Upstash REST protocol: Upstash itself, or serverless-redis-http in front of a Redis",
    { schemes: ["https:", "http:"], example: "https://redis.example.com" },
  ),
  token: token("UPSTASH_REDIS_REST_TOKEN", "its token"),
};

const DRAIN_TICK_KEY = "canary:drain_tick_at";

interface Heartbeat {
  readonly reading: Reading<DrainTick>;
  /** There is such a key, whatever it holds. */
  readonly isThere: boolean;
}

/** Asked apart from the slots: a heartbeat of any size or shape leaves them alone. */
async function readHeartbeat(redis: Redis, { signal, now }: ReadContext): Promise<Heartbeat> {
  const fromMs = now();
  let isThere = false;
  try {
    const [answer] = await send(redis.pipeline().get(DRAIN_TICK_KEY));
    const toMs = now();
    isThere = answer!.result != null || /WRONGTYPE/.test(answer!.error ?? "");
    const value = parseDrainTick(resultOf(answer!), toMs / 1000);
    return { reading: { read: true, value, time: { fromMs, toMs } }, isThere };
  } catch (error) {
    signal.throwIfAborted();
    const reason = `redis.drain_tick: ${describeError(explained(error))}`;
    return { reading: { read: false, reason }, isThere: isThere || error instanceof AnswerTooLarge };
  }
}

const NO_KEY = "Redis holds no key of the platform";

async function read(redis: Redis, context: ReadContext): Promise<SourceResult> {
  const { wanted } = context;
  const unavailable: string[] = [];
  const [{ reading: drainTick, isThere }, keys] = await Promise.all([
    readHeartbeat(redis, context),
    wanted.has("slots") ? findSlotKeys(redis) : null,
  ]);
  const slots = keys && (await readSlots(redis, keys, context, unavailable));
  if (wanted.has("drainTick") && !drainTick.read) unavailable.unshift(drainTick.reason);
  // A flushed Redis, another database of it, or another Redis. A heartbeat that may not be read proves no key either.
  const isNothing = keys?.isEmpty && !isThere;
  const insufficient = isNothing ? { insufficient: NO_KEY } : {};
  return {
    readings: {
      ...(wanted.has("drainTick") && {
        drainTick: drainTick.read ? { ...drainTick, ...insufficient } : drainTick,
      }),
      ...(slots && { slots: { ...slots, ...insufficient } }),
    },
    unavailable: firstLines(REDIS_NAME, unavailable),
  };
}

/** Replaces Redis's own words for a wrong token by what to do. */
function explained(error: unknown): unknown {
  const text = error instanceof Error ? error.message : "";
  if (/unauthorized|WRONGPASS|NOAUTH/i.test(text))
    return new SourceError(`the token was refused, check ${REDIS.token.name}`);
  return error;
}

/** Makes the reader of a Redis behind the Upstash REST protocol (Upstash, or serverless-redis-http). */
export const redisReader =
  ({ url, token }: { url: string; token: string }): Source["read"] =>
  async (context) => {
    const variables = { url: REDIS.url.name, token: REDIS.token.name };
    try {
      return await read(openRest({ url, token, signal: context.signal, variables }), context);
    } catch (error) {
      context.signal.throwIfAborted();
      throw explained(error);
    }
  };

export const redis = {
  name: REDIS_NAME,
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
