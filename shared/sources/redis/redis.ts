/** Redis over REST: the slots of every agent, and the drain heartbeat. */
import { Redis } from "@upstash/redis";
import pMap from "p-map";
import { describeError, SourceError } from "../../errors.ts";
import { type DrainTick, isDrainSentinel, type Reading, type Slot, type Slots } from "../../facts/facts.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";

const SLOTS_PREFIX = "agent:slots:";
const HASH_PREFIX = "agent:slot:";
/** Both of them: which hashes there are is known before anybody asks for their TTL. */
const SCAN_MATCH = "agent:slot*";
const DRAIN_TICK_KEY = "canary:drain_tick_at";
/** One page holds the keyspace of a thousand agents, so that a usual fleet costs one request. */
const SCAN_COUNT = 10_000;
/** Hosted Redis refuses bodies above 1 MB. */
const CHUNK_BYTES = 950_000;
const CHUNKS_AT_ONCE = 2;
/** Of one agent in one request. */
const MAX_HASH_BYTES = CHUNK_BYTES / 2;
/** What the client makes of bytes that are not UTF-8: the id is lost, and nothing can be asked of its hash. */
const LOST = "\ufffd";
/** A heartbeat further in the future than this can't be a sweep that has finished. */
const MAX_CLOCK_SKEW_SECONDS = 60;

type Pipeline = ReturnType<Redis["pipeline"]>;
type Answer = { error?: string | undefined; result: unknown };

/** Sends what `add` puts into the pipeline and checks that every command was answered. */
async function send(pipeline: Pipeline, signal: AbortSignal): Promise<Answer[]> {
  const expected = pipeline.length();
  const answers: unknown = await pipeline.exec({ keepErrors: true });
  // The client answers an aborted request with a made-up 200.
  signal.throwIfAborted();
  if (!Array.isArray(answers) || answers.length !== expected)
    throw new SourceError("the answer is not that of Redis");
  return answers;
}

function resultOf({ error, result }: Answer): unknown {
  if (error) throw new SourceError(error.slice(0, 120));
  return result;
}

function stringsOf(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((v) => typeof v === "string" || typeof v === "number"))
    throw new SourceError("the answer is not a list of strings");
  return value.map(String);
}

function scanPage(answer: Answer): { cursor: string; keys: string[] } {
  const page = resultOf(answer);
  const [cursor, keys] = Array.isArray(page) ? page : [];
  if (!/^\d+$/.test(String(cursor))) throw new SourceError("the answer to SCAN has no cursor");
  return { cursor: String(cursor), keys: stringsOf(keys) };
}

/** An agent that holds slots, and those hashes that are its slots' by their names. */
interface Holder {
  readonly agent: string;
  readonly hashes: string[];
  /** What asking for the hashes adds to a request. */
  bytes: number;
}

interface Member {
  readonly agent: string;
  readonly id: string;
}

/** ["ttl","agent:slot:…"],["hget","agent:slot:…","timeout_seconds"] */
const hashBytes = (hash: string) => 2 * bytesOf(hash) + 46;

/** Who has more slots than a request can hold has the rest read one by one. */
function addTo(holder: Holder, hash: string) {
  const bytes = holder.bytes + hashBytes(hash);
  if (bytes > MAX_HASH_BYTES) return;
  holder.hashes.push(hash);
  holder.bytes = bytes;
}

/** @returns who holds slots, by the keys that were found */
function holdersOf(keys: Iterable<string>): Holder[] {
  const holders = new Map<string, Holder>();
  const hashes: string[] = [];
  for (const key of keys)
    if (key.startsWith(SLOTS_PREFIX)) {
      const agent = key.slice(SLOTS_PREFIX.length);
      holders.set(agent, { agent, hashes: [], bytes: 0 });
    } else if (key.startsWith(HASH_PREFIX)) hashes.push(key);
  // An agent's name may hold a colon, and so may an execution's id: then the hash can be either's. The longest name has
  // it; where that guess is wrong, the slot is one whose hash was not found, and is asked for.
  for (const key of hashes)
    for (let end = key.lastIndexOf(":"); end >= HASH_PREFIX.length; end = key.lastIndexOf(":", end - 1)) {
      const holder = holders.get(key.slice(HASH_PREFIX.length, end));
      if (holder) {
        addTo(holder, key);
        break;
      }
    }
  return [...holders.values()];
}

/** @returns the score as Redis prints it (a float, inf or -inf) */
function parseScore(text: string): number {
  const score = /^[+-]?inf$/i.test(text)
    ? text.startsWith("-")
      ? -Infinity
      : Infinity
    : Number(text || Number.NaN);
  if (Number.isNaN(score)) throw new SourceError(`${JSON.stringify(text.slice(0, 40))} is not a score`);
  return score;
}

/** As JSON carries it: quotes and control characters are longer there. */
const bytesOf = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2;

/** Splits into runs whose sizes add up to a request that every server takes. */
function chunked<T>(items: readonly T[], sizeOf: (item: T) => number): T[][] {
  const chunks: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const size = sizeOf(item);
    if (bytes + size > CHUNK_BYTES) {
      chunks.push([]);
      bytes = 0;
    }
    chunks.at(-1)!.push(item);
    bytes += size;
  }
  return chunks;
}

/**
 * @param value what GET gave
 * @param toSeconds when it was read
 * @throws SourceError for what is no instant: the check that needs it must not guess
 */
function parseDrainTick(value: unknown, toSeconds: number): DrainTick {
  if (value === null || value === undefined) return { atSeconds: null };
  const text = String(value).trim();
  const atSeconds = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(atSeconds))
    throw new SourceError(`${JSON.stringify(text.slice(0, 40))} is not a time in seconds`);
  if (atSeconds > toSeconds + MAX_CLOCK_SKEW_SECONDS)
    throw new SourceError(`${text.slice(0, 40)} is ${Math.floor(atSeconds - toSeconds)} s in the future`);
  return { atSeconds };
}

/** @param url @param token of the Upstash REST protocol (Upstash, or serverless-redis-http in front of a Redis) */
export function redisSource({ url, token }: { url: string; token: string }): Source {
  async function read({ signal, now, wanted }: ReadContext): Promise<SourceResult> {
    const redis = new Redis({
      url,
      token,
      automaticDeserialization: false,
      enableTelemetry: false,
      enableAutoPipelining: false,
      readYourWrites: false,
      retry: { retries: 1, backoff: () => 100 },
      signal: () => signal,
    });
    const wantsSlots = wanted.has("slots");
    const readings: { slots?: Reading<Slots>; drainTick?: Reading<DrainTick> } = {};
    const unavailable: string[] = [];

    const first = redis.pipeline().get(DRAIN_TICK_KEY);
    if (wantsSlots) first.scan("0", { match: SCAN_MATCH, count: SCAN_COUNT });
    const tickFromMs = now();
    const [tick, firstPage] = await send(first, signal);
    const tickTime = { fromMs: tickFromMs, toMs: now() };

    if (wanted.has("drainTick")) {
      try {
        const value = parseDrainTick(resultOf(tick!), tickTime.toMs / 1000);
        readings.drainTick = { read: true, value, time: tickTime };
      } catch (error) {
        const reason = `redis.drain_tick: ${describeError(error)}`;
        readings.drainTick = { read: false, reason };
        unavailable.push(reason);
      }
    }
    if (wantsSlots) {
      const keys = await scanKeys(scanPage(firstPage!));
      readings.slots = await readSlots(holdersOf(keys));
    }
    return { readings, unavailable };

    async function scanKeys(page: { cursor: string; keys: string[] }): Promise<ReadonlySet<string>> {
      const keys = new Set(page.keys);
      let { cursor } = page;
      while (cursor !== "0") {
        const pipeline = redis.pipeline().scan(cursor, { match: SCAN_MATCH, count: SCAN_COUNT });
        const next = scanPage((await send(pipeline, signal))[0]!);
        for (const key of next.keys) keys.add(key);
        cursor = next.cursor;
      }
      return keys;
    }

    /** Sends what `add` puts in for each item, in as few requests as take it; each answer is taken as it comes. */
    async function inChunks<T>(
      items: readonly T[],
      sizeOf: (item: T) => number,
      add: (pipeline: Pipeline, item: T) => void,
      take: (items: readonly T[], answers: readonly Answer[]) => void,
    ): Promise<void> {
      await pMap(
        chunked(items, sizeOf),
        async (chunk) => {
          const pipeline = redis.multi();
          for (const item of chunk) add(pipeline, item);
          take(chunk, await send(pipeline, signal));
        },
        { concurrency: CHUNKS_AT_ONCE },
      );
    }

    async function readSlots(holders: readonly Holder[]): Promise<Reading<Slots>> {
      const byAgent = new Map<string, Slot[]>();
      const unseenAgents = new Set<string>();
      const fromMs = now();
      const missed: Member[] = [];
      // Membership, TTL and timeout of an agent's slots are read in one MULTI: read apart, a slot that is released in
      // between looks like one whose hash is missing.
      await inChunks(
        holders,
        // ["zrange","agent:slots:…",0,-1,"withscores"], then its hashes
        ({ agent, bytes }) => bytesOf(agent) + 60 + bytes,
        (pipeline, { agent, hashes }) => {
          pipeline.zrange(SLOTS_PREFIX + agent, 0, -1, { withScores: true });
          for (const hash of hashes) addHash(pipeline, hash);
        },
        takeHolders,
      );
      // Slots whose hash was not there when the keys were listed: made since, or missing.
      await inChunks(
        missed,
        // ["zscore","agent:slots:…","…"],["ttl","agent:slot:…:…"],["hget","agent:slot:…:…","timeout_seconds"]
        ({ agent, id }) => 3 * (bytesOf(agent) + bytesOf(id)) + 112,
        (pipeline, { agent, id }) => {
          pipeline.zscore(SLOTS_PREFIX + agent, id);
          addHash(pipeline, `${HASH_PREFIX}${agent}:${id}`);
        },
        (members, answers) => {
          members.forEach(({ agent, id }, i) => {
            const [score, ttl, timeout] = answers.slice(3 * i, 3 * i + 3) as [Answer, Answer, Answer];
            seenOf(agent, () => {
              const member = resultOf(score);
              if (member !== null)
                addSlot(agent, { id, score: parseScore(String(member)), ...hashOf(agent, id, ttl, timeout) });
            });
          });
        },
      );
      return { read: true, value: { byAgent, unseenAgents }, time: { fromMs, toMs: now() } };

      function addHash(pipeline: Pipeline, hash: string) {
        pipeline.ttl(hash);
        pipeline.hget(hash, "timeout_seconds");
      }

      function takeHolders(chunk: readonly Holder[], answers: readonly Answer[]) {
        let at = 0;
        for (const { agent, hashes } of chunk) {
          const from = at;
          at += 1 + 2 * hashes.length;
          const placeOf = new Map(hashes.map((hash, i) => [hash, from + 1 + 2 * i]));
          seenOf(agent, () => {
            const flat = stringsOf(resultOf(answers[from]!));
            for (let k = 0; k + 1 < flat.length; k += 2) {
              const id = flat[k]!;
              if (id.includes(LOST)) throw new SourceError("a slot's id can't be read");
              const score = () => parseScore(flat[k + 1]!);
              const place = placeOf.get(`${HASH_PREFIX}${agent}:${id}`);
              if (isDrainSentinel(id))
                addSlot(agent, { id, score: score(), ttlSeconds: null, timeoutSeconds: null });
              else if (place === undefined) missed.push({ agent, id });
              else
                addSlot(agent, {
                  id,
                  score: score(),
                  ...hashOf(agent, id, answers[place]!, answers[place + 1]!),
                });
            }
          });
        }
      }

      /** What fails of one agent's slots makes that agent unseen, and no other. */
      function seenOf(agent: string, take: () => void) {
        try {
          take();
        } catch (error) {
          unseenAgents.add(agent);
          unavailable.push(`redis.slots[${agent}]: ${describeError(error)}`);
        }
      }

      function addSlot(agent: string, slot: Slot) {
        const slots = byAgent.get(agent);
        if (slots) slots.push(slot);
        else byAgent.set(agent, [slot]);
      }

      /** One hash that can't be read leaves its slot a slot: only what its TTL would tell is unseen. */
      function hashOf(agent: string, id: string, ttl: Answer, timeout: Answer) {
        try {
          const ttlSeconds = Number(resultOf(ttl) ?? Number.NaN);
          if (!Number.isInteger(ttlSeconds)) throw new SourceError("the answer to TTL is not a number");
          const text = String(resultOf(timeout) ?? "").trim();
          return { ttlSeconds, timeoutSeconds: /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : null };
        } catch (error) {
          unavailable.push(`redis.slots[${agent}/${id}]: ${describeError(error)}`);
          return { ttlSeconds: null, timeoutSeconds: null };
        }
      }
    }
  }

  return {
    name: "redis",
    gives: ["slots", "drainTick"],
    async read(context) {
      try {
        return await read(context);
      } catch (error) {
        context.signal.throwIfAborted();
        // The client's own texts carry commands and addresses; the status is what an operator needs.
        const text = error instanceof Error ? error.message : "";
        if (/unauthorized|WRONGPASS|NOAUTH/i.test(text))
          throw new SourceError("the token was refused, check UPSTASH_REDIS_REST_TOKEN");
        if (/parse response body|is not a function/i.test(text))
          throw new SourceError(
            "the answer is not that of the Upstash REST protocol, check UPSTASH_REDIS_REST_URL",
          );
        throw error;
      }
    },
  };
}
