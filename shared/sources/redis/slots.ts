/** The slots of every agent: their members, their scores, and the TTL and timeout of their hashes. */
import type { Redis } from "@upstash/redis";
import { MAX_NAME_LENGTH, type Reading, type Slots } from "../../facts/facts.ts";
import { plural } from "../../text.ts";
import type { ReadContext } from "../source.ts";
import type { Collected } from "./collected.ts";
import { findSlotKeys, type SlotKeys } from "./keys.ts";
import type { LifeCommand } from "./requests.ts";
import { byScriptOr, type ServerKnown } from "./scripts.ts";
import { readByScript } from "./slot-script.ts";
import { readByTransactions } from "./transactions.ts";

const nothingYet = (now: () => number, lifeCommand: LifeCommand): Collected => ({
  lifeCommand,
  now,
  byAgent: new Map(),
  unread: new Map(),
  unseenAgents: new Set(),
  unavailable: [],
});

const collect = (redis: Redis, keys: SlotKeys, known: ServerKnown, open: () => Collected) =>
  byScriptOr(
    known,
    async () => {
      const collected = open();
      const agents = keys.holders.map(({ agent }) => agent);
      await readByScript(redis, collected, agents);
      return collected;
    },
    async () => {
      const collected = open();
      const { holders } = keys.hasHashes ? keys : await findSlotKeys(redis, true);
      await readByTransactions(redis, collected, holders);
      return collected;
    },
  );

/** Names what was left out, by agent and key. */
function reportUnread({ unread, unavailable }: Collected, keys: readonly string[]): void {
  for (const name of keys)
    unavailable.push(
      `redis.slots[${name}]: the key's name can't be read (not UTF-8, or longer than ${MAX_NAME_LENGTH} characters)`,
    );
  for (const [agent, { unreadable, beyond }] of unread) {
    if (unreadable > 0)
      unavailable.push(
        `redis.slots[${agent}]: ${plural(unreadable, "member")} can't be read (not UTF-8, longer than ${MAX_NAME_LENGTH} characters, or without a score)`,
      );
    if (beyond > 0)
      unavailable.push(
        `redis.slots[${agent}]: ${plural(beyond, "member")} beyond those that are read at most`,
      );
  }
}

/**
 * Reads the slots of these keys. Membership, TTL and timeout of an agent's slots are read at one instant: read apart, a slot
 * that is released in between looks like one whose hash is missing.
 * @param lifeCommand what the life of a hash is asked by
 * @param known of the server; a script that is refused for good is not tried again
 * @param unavailable gets a line for each part that could not be read
 */
export async function readSlots(
  redis: Redis,
  keys: SlotKeys,
  { now }: ReadContext,
  lifeCommand: LifeCommand,
  known: ServerKnown,
  unavailable: string[],
): Promise<Reading<Slots>> {
  const fromMs = now();
  const collected = await collect(redis, keys, known, () => nothingYet(now, lifeCommand));
  reportUnread(collected, keys.unread);
  unavailable.push(...collected.unavailable);
  const { byAgent, unread, unseenAgents } = collected;
  const value = { byAgent, unread, unreadKeys: keys.unread, unseenAgents };
  return { read: true, value, time: { fromMs, toMs: now() } };
}
