/** The slots of an agent in Redis: a sorted set of members, and a hash for each. */
import { timestamp } from "./clock.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { type Change, journaled } from "./journal.ts";
import { positiveOr } from "./limits.ts";
import { SLOT_TTL_BUFFER_SECONDS, slotKey, slotsKey } from "./names.ts";
import type { PlatformExecution } from "./task.ts";

/** Makes one write and records its change; false where it changed nothing. */
export const recorded = <T>(
  { journal }: PlatformContext,
  write: () => Promise<T>,
  changeOf: (answer: T) => Change | false,
): Promise<T> =>
  journaled(journal, write, (answer) => {
    const change = changeOf(answer);
    return change ? [change] : [];
  });

export function addMember(context: PlatformContext, agent: string, executionId: string): Promise<number> {
  const scoreSeconds = context.clock.now() / 1000;
  return recorded(
    context,
    () => context.redis.zadd(slotsKey(agent), scoreSeconds, executionId),
    () => ({ what: "slot taken", agent, executionId, scoreSeconds }),
  );
}

/** Removes the member. Gives how many there were: 0 or 1. */
export const removeMember = (context: PlatformContext, agent: string, executionId: string): Promise<number> =>
  recorded(
    context,
    () => context.redis.zrem(slotsKey(agent), executionId),
    (removed) => removed > 0 && { what: "slot given back", agent, executionId },
  );

const removeHash = (context: PlatformContext, agent: string, executionId: string) =>
  recorded(
    context,
    () => context.redis.del(slotKey(agent, executionId)),
    (removed) => removed > 0 && { what: "hash removed", agent, executionId },
  );

/** Removes the member, then the hash. */
export async function removeSlot(
  context: PlatformContext,
  agent: string,
  executionId: string,
): Promise<void> {
  await removeMember(context, agent, executionId);
  await removeHash(context, agent, executionId);
}

/** Gives the members with their ages, as Redis has them: a score can be any float. */
export async function membersOf(
  { redis, clock }: PlatformContext,
  agent: string,
): Promise<{ id: string; ageSeconds: number }[]> {
  const flat = await redis.zrange(slotsKey(agent), 0, -1, "WITHSCORES");
  const nowSeconds = clock.now() / 1000;
  const members: { id: string; ageSeconds: number }[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2)
    members.push({
      id: flat[i]!,
      ageSeconds: nowSeconds - Number(flat[i + 1]!.replace("inf", "Infinity")),
    });
  return members;
}

/** Removes slots whose timeout and buffer are over, then counts the members that are left, sentinels too. */
export async function countMembers(
  context: PlatformContext,
  agent: string,
  agentTimeoutSeconds: number,
): Promise<number> {
  const members = await membersOf(context, agent);
  let left = members.length;
  // No timeout is below 0, so a slot younger than the buffer is not stale, and its hash need not be read.
  for (const { id, ageSeconds } of members.filter((m) => m.ageSeconds > SLOT_TTL_BUFFER_SECONDS)) {
    const own = await context.redis.hget(slotKey(agent, id), "timeout_seconds");
    const timeoutSeconds = positiveOr(Number(own ?? Number.NaN), agentTimeoutSeconds);
    if (ageSeconds <= timeoutSeconds + SLOT_TTL_BUFFER_SECONDS) continue;
    await removeSlot(context, agent, id);
    left -= 1;
  }
  return left;
}

interface SlotOptions {
  readonly timeoutSeconds: number;
  readonly slotNumber: number;
}

/** The commands that make a slot, with what each changes. */
function slotWrites(
  { clock }: PlatformContext,
  { id, agent, task }: PlatformExecution,
  { timeoutSeconds, slotNumber }: SlotOptions,
) {
  const [scoreSeconds, hash] = [clock.now() / 1000, slotKey(agent, id)];
  const ttlSeconds = timeoutSeconds + SLOT_TTL_BUFFER_SECONDS;
  const fields = {
    started_at: timestamp(clock.now()),
    message_preview: task.message.slice(0, 100),
    slot_number: String(slotNumber),
    timeout_seconds: String(timeoutSeconds),
  };
  const of = { agent, executionId: id };
  return {
    member: { key: slotsKey(agent), scoreSeconds, change: { what: "slot taken", ...of, scoreSeconds } },
    hash: { key: hash, fields, change: { what: "hash written", ...of, timeoutSeconds } },
    expiry: { ttlSeconds, change: { what: "hash expires", ...of, ttlSeconds } },
  } as const;
}

/** Makes a slot: one MULTI on newer releases, the commands ZADD, HSET and EXPIRE on older ones. */
export async function writeSlot(
  context: PlatformContext,
  execution: PlatformExecution,
  options: SlotOptions,
): Promise<void> {
  const { redis, journal, traits } = context;
  const { id, agent } = execution;
  const { member, hash, expiry } = slotWrites(context, execution, options);
  try {
    if (traits.takesSlotAtOnce) {
      // Trinity watches the key meanwhile. Here all takers of one agent's slots wait for each other.
      const multi = redis
        .multi()
        .zadd(member.key, member.scoreSeconds, id)
        .hset(hash.key, hash.fields)
        .expire(hash.key, expiry.ttlSeconds);
      await journaled(
        journal,
        async () => {
          // A command that fails does not undo the others.
          for (const [error] of (await multi.exec()) ?? []) if (error) throw error;
        },
        () => [member.change, hash.change, expiry.change],
      );
      return;
    }
    await addMember(context, agent, id);
    await recorded(
      context,
      () => redis.hset(hash.key, hash.fields),
      () => hash.change,
    );
    await recorded(
      context,
      () => redis.expire(hash.key, expiry.ttlSeconds),
      (was) => was > 0 && expiry.change,
    );
  } catch (error) {
    await undoSlot(context, agent, id);
    throw error;
  }
}

/** Renews a slot: its score and its expiry restart. Does nothing if the slot is gone. */
export async function renewSlot(
  context: PlatformContext,
  { id: executionId, agent }: PlatformExecution,
  timeoutSeconds: number,
): Promise<void> {
  const { redis, clock } = context;
  const [scoreSeconds, ttlSeconds] = [clock.now() / 1000, timeoutSeconds + SLOT_TTL_BUFFER_SECONDS];
  const moved = await recorded(
    context,
    () => redis.zadd(slotsKey(agent), "XX", "CH", scoreSeconds, executionId),
    (changed) => Number(changed) > 0 && { what: "slot taken", agent, executionId, scoreSeconds },
  );
  if (Number(moved) === 0) return;
  await recorded(
    context,
    () => redis.expire(slotKey(agent, executionId), ttlSeconds),
    (was) => was > 0 && { what: "hash expires", agent, executionId, ttlSeconds },
  );
}

/** Removes what there is of a slot. A removal that fails hides neither the other nor the error that led here. */
async function undoSlot(context: PlatformContext, agent: string, executionId: string): Promise<void> {
  for (const remove of [removeMember, removeHash])
    await remove(context, agent, executionId).catch((error) =>
      context.log(`slot ${executionId} of ${agent} could not be given back: ${messageOf(error)}`),
    );
}
