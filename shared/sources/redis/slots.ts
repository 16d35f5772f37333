/** The slots of every agent: who holds them, their scores, and the TTL and timeout of their hashes. */
import type { Redis } from "@upstash/redis";
import { describeError, SourceError } from "../../errors.ts";
import { isDrainSentinel, type Reading, type Slot, type Slots } from "../../facts/facts.ts";
import type { ReadContext } from "../source.ts";
import { parseHash, parseScore, resultOf, stringsOf } from "./answers.ts";
import { type Holder, hashKey, SLOTS_PREFIX } from "./keys.ts";
import { type Answer, bytesOf, inChunks, type Pipeline } from "./requests.ts";

/** What the client makes of bytes that are not UTF-8: the id is lost, and nothing can be asked of its hash. */
const LOST = "\ufffd";

/** A slot whose hash was not there when the keys were listed: made since, or missing. */
interface Member {
  readonly agent: string;
  readonly id: string;
}

/** What was read so far. */
interface Collected {
  readonly byAgent: Map<string, Slot[]>;
  readonly unseenAgents: Set<string>;
  /** To be read in the second pass. */
  readonly missed: Member[];
  readonly unavailable: string[];
}

function addSlot({ byAgent }: Collected, agent: string, slot: Slot): void {
  const slots = byAgent.get(agent);
  if (slots) slots.push(slot);
  else byAgent.set(agent, [slot]);
}

/** What fails of one agent's slots makes that agent unseen, and no other. */
function takenOf(collected: Collected, agent: string, take: () => void): void {
  try {
    take();
  } catch (error) {
    collected.unseenAgents.add(agent);
    collected.unavailable.push(`redis.slots[${agent}]: ${describeError(error)}`);
  }
}

/** A hash that can't be read leaves its slot a slot: only what its TTL would say is unseen. */
function hashOf({ unavailable }: Collected, { agent, id }: Member, ttl: Answer, timeout: Answer) {
  try {
    return parseHash(ttl, timeout);
  } catch (error) {
    unavailable.push(`redis.slots[${agent}/${id}]: ${describeError(error)}`);
    return { ttlSeconds: null, timeoutSeconds: null };
  }
}

function askForHash(pipeline: Pipeline, hash: string): void {
  pipeline.ttl(hash);
  pipeline.hget(hash, "timeout_seconds");
}

/** Takes one agent's answers: that to ZRANGE, and then two for each hash that was asked for. */
function takeHolder(collected: Collected, { agent, hashes }: Holder, answers: readonly Answer[]): void {
  const placeOf = new Map(hashes.map((hash, i) => [hash, 1 + 2 * i]));
  const flat = stringsOf(resultOf(answers[0]!));
  for (let k = 0; k + 1 < flat.length; k += 2) {
    const id = flat[k]!;
    if (id.includes(LOST)) throw new SourceError("a slot's id can't be read");
    const place = placeOf.get(hashKey(agent, id));
    if (place === undefined && !isDrainSentinel(id)) {
      collected.missed.push({ agent, id });
      continue;
    }
    const score = parseScore(flat[k + 1]!);
    const hash = isDrainSentinel(id)
      ? { ttlSeconds: null, timeoutSeconds: null }
      : hashOf(collected, { agent, id }, answers[place!]!, answers[place! + 1]!);
    addSlot(collected, agent, { id, score, ...hash });
  }
}

/** Takes the answers to ZSCORE, TTL and HGET of a slot; one that was released meanwhile has no score. */
function takeMember(collected: Collected, member: Member, answers: readonly Answer[]): void {
  const [zscore, ttl, timeout] = answers as [Answer, Answer, Answer];
  const text = resultOf(zscore);
  if (text === null) return;
  const score = parseScore(String(text));
  addSlot(collected, member.agent, { id: member.id, score, ...hashOf(collected, member, ttl, timeout) });
}

/** Reads the slots of these agents. @param unavailable gets a line for each part that could not be read */
export async function readSlots(
  redis: Redis,
  holders: readonly Holder[],
  { signal, now }: ReadContext,
  unavailable: string[],
): Promise<Reading<Slots>> {
  const collected: Collected = { byAgent: new Map(), unseenAgents: new Set(), missed: [], unavailable };
  const fromMs = now();
  // Membership, TTL and timeout of an agent's slots are read in one MULTI: read apart, a slot that is released in
  // between looks like one whose hash is missing.
  await inChunks(
    redis,
    signal,
    holders,
    // ["zrange","agent:slots:…",0,-1,"withscores"], then its hashes
    ({ agent, bytes }) => bytesOf(agent) + 60 + bytes,
    (pipeline, { agent, hashes }) => {
      pipeline.zrange(SLOTS_PREFIX + agent, 0, -1, { withScores: true });
      for (const hash of hashes) askForHash(pipeline, hash);
    },
    (chunk, answers) => {
      let at = 0;
      for (const holder of chunk) {
        const own = answers.slice(at, at + 1 + 2 * holder.hashes.length);
        at += own.length;
        takenOf(collected, holder.agent, () => takeHolder(collected, holder, own));
      }
    },
  );
  await inChunks(
    redis,
    signal,
    collected.missed,
    // ["zscore","agent:slots:…","…"],["ttl","agent:slot:…:…"],["hget","agent:slot:…:…","timeout_seconds"]
    ({ agent, id }) => 3 * (bytesOf(agent) + bytesOf(id)) + 112,
    (pipeline, { agent, id }) => {
      pipeline.zscore(SLOTS_PREFIX + agent, id);
      askForHash(pipeline, hashKey(agent, id));
    },
    (members, answers) => {
      for (const [i, member] of members.entries())
        takenOf(collected, member.agent, () =>
          takeMember(collected, member, answers.slice(3 * i, 3 * i + 3)),
        );
    },
  );
  const { byAgent, unseenAgents } = collected;
  return { read: true, value: { byAgent, unseenAgents }, time: { fromMs, toMs: now() } };
}
