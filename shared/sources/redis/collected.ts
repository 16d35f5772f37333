/** What was read of the slots so far. What can't be read spoils itself only: a hash, a member, or an agent. */
import { describeError } from "../../errors.ts";
import { isReadableName, type Slot, type UnreadMembers } from "../../facts/facts.ts";
import { type Hash, parseHash, parseScore } from "./answers.ts";
import { HASH_PREFIX } from "./keys.ts";
import type { LifeCommand, RedisAnswer } from "./requests.ts";
import { LOST } from "./rest.ts";

const NO_HASH: Hash = { ttlSeconds: null, expiresAtSeconds: null, timeoutSeconds: null };

/** The name of one slot. */
export interface Member {
  readonly agent: string;
  readonly id: string;
}

export const hashKey = ({ agent, id }: Member): string => `${HASH_PREFIX}${agent}:${id}`;

/** The answers to what a slot's hash is asked: its life, and its timeout. */
export type HashAnswers = readonly [life: RedisAnswer, timeout: RedisAnswer];

/** The most members that are read of one agent: ZRANGE of 1,000 takes half a millisecond of a busy machine. */
const MAX_MEMBERS = 1_000;
/** The most members that are read of all agents that hold more slots than most do. */
const MAX_CROWD = 200_000;

/** How many members are read of each agent of which a first, short look has not shown all. */
export const mostMembersOf = (crowded: readonly unknown[]): number =>
  Math.min(MAX_MEMBERS, Math.ceil(MAX_CROWD / Math.max(1, crowded.length)));

export interface Collected {
  /** What the life of a hash is asked by. */
  readonly lifeCommand: LifeCommand;
  /** Our clock, in unix ms. */
  readonly now: () => number;
  readonly byAgent: Map<string, Slot[]>;
  readonly unread: Map<string, UnreadMembers>;
  readonly unseenAgents: Set<string>;
  /** One line for each part that could not be read. */
  readonly unavailable: string[];
}

export function failAgent({ unseenAgents, unavailable }: Collected, agent: string, error: unknown): void {
  unseenAgents.add(agent);
  unavailable.push(`redis.slots[${agent}]: ${describeError(error)}`);
}

/** Parses the answers for one agent. If that fails, this agent is unseen, and no other. */
export function takeOf(collected: Collected, agent: string, take: () => void): void {
  try {
    take();
  } catch (error) {
    failAgent(collected, agent, error);
  }
}

export function addUnread({ unread }: Collected, agent: string, more: UnreadMembers): void {
  const { unreadable, beyond } = unread.get(agent) ?? { unreadable: 0, beyond: 0 };
  unread.set(agent, { unreadable: unreadable + more.unreadable, beyond: beyond + more.beyond });
}

/** A slot whose hash can't be read still counts as a slot. Only its TTL is unseen. */
function hashOf(collected: Collected, { agent, id }: Member, [life, timeout]: HashAnswers): Hash {
  const { unavailable, lifeCommand, now } = collected;
  try {
    return parseHash(lifeCommand, life, timeout, now() / 1000);
  } catch (error) {
    unavailable.push(`redis.slots[${agent}/${id}]: ${describeError(error)}`);
    return NO_HASH;
  }
}

/** Says whether a member is an id that something can be asked of. */
export const isReadableId = (id: string): boolean => isReadableName(id) && !id.includes(LOST);

/** Adds a slot; where its score can't be read, an unread member. @param hash null for a member that has none */
export function addSlot(collected: Collected, member: Member, score: string, hash: HashAnswers | null): void {
  const { agent, id } = member;
  const at = parseScore(score);
  if (at === null) {
    addUnread(collected, agent, { unreadable: 1, beyond: 0 });
    return;
  }
  const slots = collected.byAgent.get(agent) ?? [];
  slots.push({ id, score: at, ...(hash === null ? NO_HASH : hashOf(collected, member, hash)) });
  collected.byAgent.set(agent, slots);
}
