/** Reads slots by transactions, where the server runs no script. */
import type { Redis } from "@upstash/redis";
import { isDrainSentinel } from "../../facts/facts.ts";
import { resultOf, stringsOf } from "./answers.ts";
import {
  addSlot,
  addUnread,
  type Collected,
  failAgent,
  type HashAnswers,
  hashKey,
  isReadableId,
  type Member,
  mostMembersOf,
  takeOf,
} from "./collected.ts";
import { type Holder, SLOTS_PREFIX } from "./keys.ts";
import {
  askForLife,
  bytesOf,
  type Commands,
  type LifeCommand,
  MEMBER_COST,
  type Pipeline,
  type RedisAnswer,
  sendInChunks,
} from "./requests.ts";

/** How many members without a listed hash are asked for at first: starts in flight, sentinels, a leak or two. */
const SPARE_MEMBERS = 4;

/** What is asked of one holder. */
interface Question {
  readonly holder: Holder;
  /** How many members are read, the oldest first. */
  readonly most: number;
  /** Called where there are more, with what takes the first of them. */
  onMore(take: () => void): void;
}

function askForHash(pipeline: Pipeline, command: LifeCommand, hash: string): void {
  askForLife(pipeline, command, hash);
  pipeline.hget(hash, "timeout_seconds");
}

/** Reads an agent's members and their hashes, in one transaction: see `readSlots`. */
const holderCommands = (collected: Collected, missed: Member[], question: Question): Commands => ({
  cost: 1 + MEMBER_COST * question.most + 2 * question.holder.hashes.length,
  // ["zrange","agent:slots:…",0,1000,"withscores"], then the hashes
  bytes: bytesOf(question.holder.agent) + 60 + question.holder.bytes,
  addTo(pipeline) {
    const { holder, most } = question;
    // One more than is read, to know whether there are more.
    pipeline.zrange(SLOTS_PREFIX + holder.agent, 0, most, { withScores: true });
    for (const hash of holder.hashes) askForHash(pipeline, collected.lifeCommand, hash);
  },
  take: (answers) =>
    takeOf(collected, question.holder.agent, () => {
      const { holder, most, onMore } = question;
      const flat = stringsOf(resultOf(answers[0]!));
      const take = () => takeMembers(collected, missed, holder, flat.slice(0, 2 * most), answers);
      if (flat.length > 2 * most) onMore(take);
      else take();
    }),
  fail: (error) => failAgent(collected, question.holder.agent, error),
});

/**
 * Parses members and their scores, and the answers for each hash.
 * @param missed gets the members whose hash was not asked for
 */
function takeMembers(
  collected: Collected,
  missed: Member[],
  { agent, hashes }: Holder,
  flat: readonly string[],
  answers: readonly RedisAnswer[],
): void {
  const placeOf = new Map(hashes.map((hash, i) => [hash, 1 + 2 * i]));
  let unreadable = 0;
  for (let k = 0; k + 1 < flat.length; k += 2) {
    const member = { agent, id: flat[k]! };
    const place = placeOf.get(hashKey(member));
    if (!isReadableId(member.id)) unreadable += 1;
    else if (isDrainSentinel(member.id)) addSlot(collected, member, flat[k + 1]!, null);
    else if (place === undefined) missed.push(member);
    else addSlot(collected, member, flat[k + 1]!, answers.slice(place, place + 2) as unknown as HashAnswers);
  }
  if (unreadable > 0) addUnread(collected, agent, { unreadable, beyond: 0 });
}

/** Reads a slot again. One that was released meanwhile has no score. */
const memberCommands = (collected: Collected, member: Member): Commands => ({
  cost: 3,
  // ["zscore","agent:slots:…","…"],["expiretime","agent:slot:…:…"],["hget","agent:slot:…:…","timeout_seconds"]
  bytes: 3 * (bytesOf(member.agent) + bytesOf(member.id)) + 119,
  addTo(pipeline) {
    pipeline.zscore(SLOTS_PREFIX + member.agent, member.id);
    askForHash(pipeline, collected.lifeCommand, hashKey(member));
  },
  take: ([zscore, life, timeout]) =>
    takeOf(collected, member.agent, () => {
      const text = resultOf(zscore!);
      if (text !== null) addSlot(collected, member, String(text), [life!, timeout!]);
    }),
  fail: (error) => failAgent(collected, member.agent, error),
});

/** Counts the members of a set of which only the first ones were read. Where that is refused, there is at least one more. */
const countCommands = (collected: Collected, { holder: { agent }, most }: Question): Commands => ({
  cost: 1,
  bytes: bytesOf(agent) + 30,
  addTo: (pipeline) => void pipeline.zcard(SLOTS_PREFIX + agent),
  take([zcard]) {
    const { error, result } = zcard!;
    const beyond = Number.isSafeInteger(result) ? Math.max(1, (result as number) - most) : 1;
    addUnread(collected, agent, { unreadable: 0, beyond });
    if (error) collected.unavailable.push(`redis.slots[${agent}]: ${error}`);
  },
  fail: (error) => failAgent(collected, agent, error),
});

/**
 * Reads the slots of these holders into `collected`: first as many members as there are hashes and some more, then the rest up
 * to a limit. Membership, TTL and timeout of a slot are read in one MULTI: read apart, a slot that is released in between looks
 * like one whose hash is missing.
 */
export async function readByTransactions(
  redis: Redis,
  collected: Collected,
  holders: readonly Holder[],
): Promise<void> {
  const missed: Member[] = [];
  const ask = (questions: readonly Question[]) =>
    sendInChunks(
      () => redis.multi(),
      questions.map((question) => holderCommands(collected, missed, question)),
    );

  const crowded: Holder[] = [];
  await ask(
    holders.map((holder) => ({
      holder,
      most: holder.hashes.length + SPARE_MEMBERS,
      onMore: () => void crowded.push(holder),
    })),
  );
  const most = mostMembersOf(crowded);
  const cut: Question[] = [];
  await ask(
    crowded.map((holder) => {
      const question: Question = {
        holder,
        most,
        onMore(take) {
          take();
          cut.push(question);
        },
      };
      return question;
    }),
  );
  await sendInChunks(
    () => redis.multi(),
    missed.map((member) => memberCommands(collected, member)),
  );
  // Not in a transaction: a user who may not ZCARD would lose all of it.
  await sendInChunks(
    () => redis.pipeline(),
    cut.map((question) => countCommands(collected, question)),
  );
}
