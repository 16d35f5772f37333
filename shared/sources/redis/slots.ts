/** The slots of every agent: their members, their scores, and the TTL and timeout of their hashes. */
import type { Redis } from "@upstash/redis";
import { describeError, SourceError } from "../../errors.ts";
import { isDrainSentinel, type Reading, type Slot, type Slots } from "../../facts/facts.ts";
import type { ReadContext } from "../source.ts";
import { type Hash, parseHash, parseScore, resultOf, stringsOf } from "./answers.ts";
import {
  bytesOf,
  CHUNK_BYTES,
  type Commands,
  type Pipeline,
  type RedisAnswer,
  sendInChunks,
} from "./requests.ts";

const SLOTS_PREFIX = "agent:slots:";
const HASH_PREFIX = "agent:slot:";
/** The most hashes of one agent in one request; further ones are read in the second pass. */
const MAX_HASH_BYTES = CHUNK_BYTES / 2;
/** What the client makes of bytes that are not UTF-8: the id is lost, and its hash can't be asked for. */
const LOST = "\ufffd";
const NO_HASH: Hash = { ttlSeconds: null, timeoutSeconds: null };

/** An agent that holds slots, and the hashes that belong to its slots by their names. */
interface Holder {
  readonly agent: string;
  readonly hashes: string[];
  /** The size of the commands that read the hashes. */
  bytes: number;
}

/** A slot whose hash was not there when the keys were listed: made since, or missing. */
interface Member {
  readonly agent: string;
  readonly id: string;
}

const hashKey = ({ agent, id }: Member) => `${HASH_PREFIX}${agent}:${id}`;

function addHash(holder: Holder, hash: string): void {
  // ["ttl","agent:slot:…"],["hget","agent:slot:…","timeout_seconds"]
  const bytes = holder.bytes + 2 * bytesOf(hash) + 46;
  if (bytes > MAX_HASH_BYTES) return;
  holder.hashes.push(hash);
  holder.bytes = bytes;
}

/** Finds the holders of slots among the keys. */
function holdersOf(keys: ReadonlySet<string>): Holder[] {
  const holders = new Map<string, Holder>();
  for (const key of keys) {
    const agent = key.slice(SLOTS_PREFIX.length);
    if (key.startsWith(SLOTS_PREFIX)) holders.set(agent, { agent, hashes: [], bytes: 0 });
  }
  // An agent's name may hold a colon, and so may an execution's id: then the hash can belong to either. The longest name
  // gets it. Where that guess is wrong, the slot is one whose hash was not found, and the second pass asks for it.
  for (const key of keys) {
    if (!key.startsWith(HASH_PREFIX)) continue;
    for (let end = key.lastIndexOf(":"); end >= HASH_PREFIX.length; end = key.lastIndexOf(":", end - 1)) {
      const holder = holders.get(key.slice(HASH_PREFIX.length, end));
      if (!holder) continue;
      addHash(holder, key);
      break;
    }
  }
  return [...holders.values()];
}

/** What was read so far. */
interface Collected {
  readonly byAgent: Map<string, Slot[]>;
  readonly unseenAgents: Set<string>;
  /** To be read in the second pass. */
  readonly missed: Member[];
  readonly unavailable: string[];
}

/** Parses the answers for one agent. If that fails, this agent is unseen, and no other. */
function takeOf(collected: Collected, agent: string, take: () => void): void {
  try {
    take();
  } catch (error) {
    collected.unseenAgents.add(agent);
    collected.unavailable.push(`redis.slots[${agent}]: ${describeError(error)}`);
  }
}

function addSlot({ byAgent }: Collected, { agent, id }: Member, score: number, hash: Hash): void {
  const slots = byAgent.get(agent) ?? [];
  slots.push({ id, score, ...hash });
  byAgent.set(agent, slots);
}

function askForHash(pipeline: Pipeline, hash: string): void {
  pipeline.ttl(hash);
  pipeline.hget(hash, "timeout_seconds");
}

/** A slot whose hash can't be read still counts as a slot. Only its TTL is unseen. */
function hashOf(
  { unavailable }: Collected,
  { agent, id }: Member,
  ttl: RedisAnswer,
  timeout: RedisAnswer,
): Hash {
  try {
    return parseHash(ttl, timeout);
  } catch (error) {
    unavailable.push(`redis.slots[${agent}/${id}]: ${describeError(error)}`);
    return NO_HASH;
  }
}

/** Reads an agent's members and their hashes, in one transaction: see `readSlots`. */
const holderCommands = (collected: Collected, { agent, hashes, bytes }: Holder): Commands => ({
  // ["zrange","agent:slots:…",0,-1,"withscores"], then the hashes
  bytes: bytesOf(agent) + 60 + bytes,
  addTo(pipeline) {
    pipeline.zrange(SLOTS_PREFIX + agent, 0, -1, { withScores: true });
    for (const hash of hashes) askForHash(pipeline, hash);
  },
  take: (answers) => takeOf(collected, agent, () => takeMembers(collected, agent, hashes, answers)),
});

/** Parses the answer to ZRANGE, and the two for each hash. */
function takeMembers(
  collected: Collected,
  agent: string,
  hashes: readonly string[],
  answers: readonly RedisAnswer[],
): void {
  const placeOf = new Map(hashes.map((hash, i) => [hash, 1 + 2 * i]));
  const flat = stringsOf(resultOf(answers[0]!));
  for (let k = 0; k + 1 < flat.length; k += 2) {
    const id = flat[k]!;
    if (id.includes(LOST)) throw new SourceError("a slot's id can't be read");
    const member = { agent, id };
    const place = placeOf.get(hashKey(member));
    if (place === undefined && !isDrainSentinel(id)) {
      collected.missed.push(member);
      continue;
    }
    const score = parseScore(flat[k + 1]!);
    const hash = isDrainSentinel(id)
      ? NO_HASH
      : hashOf(collected, member, answers[place!]!, answers[place! + 1]!);
    addSlot(collected, member, score, hash);
  }
}

/** Reads a slot again. One that was released meanwhile has no score. */
const memberCommands = (collected: Collected, member: Member): Commands => ({
  // ["zscore","agent:slots:…","…"],["ttl","agent:slot:…:…"],["hget","agent:slot:…:…","timeout_seconds"]
  bytes: 3 * (bytesOf(member.agent) + bytesOf(member.id)) + 112,
  addTo(pipeline) {
    pipeline.zscore(SLOTS_PREFIX + member.agent, member.id);
    askForHash(pipeline, hashKey(member));
  },
  take: (answers) =>
    takeOf(collected, member.agent, () => {
      const [zscore, ttl, timeout] = answers as [RedisAnswer, RedisAnswer, RedisAnswer];
      const text = resultOf(zscore);
      if (text === null) return;
      const score = parseScore(String(text));
      addSlot(collected, member, score, hashOf(collected, member, ttl, timeout));
    }),
});

/** Reads the slots of these keys. @param unavailable gets a line for each part that could not be read */
export async function readSlots(
  redis: Redis,
  keys: ReadonlySet<string>,
  { signal, now }: ReadContext,
  unavailable: string[],
): Promise<Reading<Slots>> {
  const collected: Collected = { byAgent: new Map(), unseenAgents: new Set(), missed: [], unavailable };
  const holders = holdersOf(keys);
  const fromMs = now();
  // Membership, TTL and timeout of an agent's slots are read in one MULTI: read apart, a slot that is released in
  // between looks like one whose hash is missing.
  await sendInChunks(
    redis,
    holders.map((holder) => holderCommands(collected, holder)),
    signal,
  );
  await sendInChunks(
    redis,
    collected.missed.map((member) => memberCommands(collected, member)),
    signal,
  );
  const { byAgent, unseenAgents } = collected;
  return { read: true, value: { byAgent, unseenAgents }, time: { fromMs, toMs: now() } };
}
