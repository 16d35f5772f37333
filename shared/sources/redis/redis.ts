/** Redis over REST: the slots of every agent, the drain heartbeat, and when pull workers asked for work. */
import type { Redis } from "@upstash/redis";
import { address, NONE } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";
import { describeError, placeOf, SourceError } from "../../errors.ts";
import type { DrainTick, FactName, Reading } from "../../facts/facts.ts";
import { REDIS_FACTS } from "../../facts/trust.ts";
import { AnswerTooLarge } from "../../http.ts";
import { firstLines } from "../lines.ts";
import type { ReadContext, Source, SourceResult, SourceSpec } from "../source.ts";
import { lifeCommandOf, parseDrainTick, resultOf } from "./answers.ts";
import { findSlotKeys } from "./keys.ts";
import { readPolls } from "./polls.ts";
import { askForLife, type LifeCommand, type Pipeline, send } from "./requests.ts";
import { openRest } from "./rest.ts";
import type { ServerKnown } from "./scripts.ts";
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

export const DRAIN_TICK_KEY = "canary:drain_tick_at";

interface Heartbeat {
  readonly reading: Reading<DrainTick>;
  /** There is such a key, whatever it holds. */
  readonly isThere: boolean;
  readonly lifeCommand: LifeCommand;
}

/**
 * Asked apart from the slots: a heartbeat of any size or shape leaves them alone. Whether EXPIRETIME is known is asked here
 * too, since one command that is refused ends a transaction.
 */
async function readHeartbeat(redis: Redis, { signal, now }: ReadContext): Promise<Heartbeat> {
  const fromMs = now();
  let isThere = false;
  let lifeCommand: LifeCommand = "ttl";
  try {
    const pipeline: Pipeline = redis.pipeline();
    pipeline.get(DRAIN_TICK_KEY);
    askForLife(pipeline, "expiretime", DRAIN_TICK_KEY);
    const [answer, life] = await send(pipeline);
    lifeCommand = lifeCommandOf(life!);
    const toMs = now();
    isThere = answer!.result != null || /WRONGTYPE/.test(answer!.error ?? "");
    const value = parseDrainTick(resultOf(answer!), toMs / 1000);
    return { reading: { read: true, value, time: { fromMs, toMs } }, isThere, lifeCommand };
  } catch (error) {
    signal.throwIfAborted();
    const reason = `redis.drain_tick: ${describeError(explained(error))}`;
    isThere ||= error instanceof AnswerTooLarge;
    return { reading: { read: false, reason }, isThere, lifeCommand };
  }
}

const NO_KEY = "Redis holds no key of the platform";
/** The facts that follow from which keys there are. */
const OF_KEYS = ["slots", "pullPolls", "platformKeys"] as const satisfies readonly FactName[];

async function read(redis: Redis, context: ReadContext, known: ServerKnown): Promise<SourceResult> {
  const { wanted } = context;
  const unavailable: string[] = [];
  const fromMs = context.now();
  const [{ reading: drainTick, isThere, lifeCommand }, keys] = await Promise.all([
    readHeartbeat(redis, context),
    OF_KEYS.some((fact) => wanted.has(fact)) ? findSlotKeys(redis, known.refusesScripts) : null,
  ]);
  const time = { fromMs, toMs: context.now() };
  const [slots, pullPolls] = await Promise.all([
    keys && wanted.has("slots") ? readSlots(redis, keys, context, lifeCommand, known, unavailable) : null,
    keys && wanted.has("pullPolls") ? readPolls(redis, keys.polled, context, known) : null,
  ]);
  if (wanted.has("drainTick") && !drainTick.read) unavailable.unshift(drainTick.reason);
  // A flushed Redis, another database of it, or another Redis. A heartbeat that may not be read proves no key either.
  const isNothing = keys?.isEmpty && keys.polled.length === 0 && !isThere;
  const insufficient = isNothing ? { insufficient: NO_KEY } : {};
  return {
    readings: {
      ...(wanted.has("drainTick") && {
        drainTick: drainTick.read ? { ...drainTick, ...insufficient } : drainTick,
      }),
      ...(slots && { slots: { ...slots, ...insufficient } }),
      ...(pullPolls && { pullPolls: { ...pullPolls, ...insufficient } }),
      ...(keys && {
        platformKeys: {
          read: true,
          value: { hasSlotKey: !keys.isEmpty, hasHeartbeat: isThere },
          time,
        } as const,
      }),
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

export interface RedisServer {
  readonly url: string;
  readonly token: string;
}

/** Opens that Redis until the signal is aborted. */
export const openRedis = (server: RedisServer, signal: AbortSignal): Redis =>
  openRest({ ...server, signal, variables: { url: REDIS.url.name, token: REDIS.token.name } });

/** Makes the reader of a Redis behind the Upstash REST protocol (Upstash, or serverless-redis-http). */
export function redisReader(server: RedisServer): Source["read"] {
  const known: ServerKnown = { refusesScripts: false };
  return async (context) => {
    try {
      return await read(openRedis(server, context.signal), context, known);
    } catch (error) {
      context.signal.throwIfAborted();
      throw explained(error);
    }
  };
}

export const redis = {
  name: REDIS_NAME,
  gives: REDIS_FACTS,
  variables: REDIS,
  check({ url, token }, problem) {
    if (url !== null && url !== NONE && token === null)
      problem(`${REDIS.token.name} is missing: give the token of ${REDIS.url.name}`);
  },
  place: ({ url }) => (url === null ? null : placeOf(url, REDIS.url.name)),
  configure({ url, token }) {
    if (url === null) return "not configured";
    if (url === NONE) return "off";
    return redisReader({ url, token: token! });
  },
} as const satisfies SourceSpec<typeof REDIS>;
