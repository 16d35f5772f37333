/** The keys of the agents: which hold slots, which hashes belong to these, and whose pull workers ask for work. */
import type { Redis } from "@upstash/redis";
import { SourceError } from "../../errors.ts";
import { isReadableName } from "../../facts/facts.ts";
import { scanPage } from "./answers.ts";
import { bytesOf, MAX_COST, send } from "./requests.ts";
import { LOST } from "./rest.ts";

export const SLOTS_PREFIX = "agent:slots:";
export const HASH_PREFIX = "agent:slot:";
export const POLL_PREFIX = "agent:pull_poll:";

/**
 * The sets of slots and their hashes, and the keys of pull workers, in one walk through all keys: `agent:slot…` and
 * `agent:pul…`. Which hashes there are is known before anything asks for their life. Whoever comes meanwhile waits for a
 * page. Redis looks at a key in 1 to 1.5 µs of a busy machine, so a page takes 2.5 to 4 ms: of 5 that are allowed.
 */
export const PAGE = { match: "agent:[sp][lu][ol]*", count: 2_500 };
/** The same without the hashes. */
const PAGE_OF_SETS = { ...PAGE, match: "agent:[sp][lu][ol][tl][s_]*" };
/** Ten times the agents of the largest fleet that was measured. */
const MAX_HOLDERS = 100_000;
/** Further hashes are no loss: a slot whose hash was not listed is asked for it. */
const MAX_HASHES = 300_000;
/** TTL and HGET of each, beside the agent's ZRANGE, in one transaction. Further ones are read in the second pass. */
const MAX_HASHES_OF_AGENT = Math.floor((MAX_COST - 1) / 2);
const MAX_HASH_BYTES = 475_000;
const MAX_SHOWN = 100;

/** An agent that holds slots, and the hashes that belong to its slots by their names. */
export interface Holder {
  readonly agent: string;
  readonly hashes: string[];
  /** The size of the commands that read the hashes. */
  bytes: number;
}

export interface SlotKeys {
  readonly holders: readonly Holder[];
  /** Names of sets that can't be read, as far as they can be shown. */
  readonly unread: readonly string[];
  /** Agents with a key of pull workers. */
  readonly polled: readonly string[];
  /** There is no key of a slot at all, readable or not. */
  readonly isEmpty: boolean;
  /** The hashes were listed as well. */
  readonly hasHashes: boolean;
}

const isReadable = (name: string): boolean => isReadableName(name) && !name.includes(LOST);

function addHash(holder: Holder, hash: string): void {
  // ["expiretime","agent:slot:…"],["hget","agent:slot:…","timeout_seconds"]
  const bytes = holder.bytes + 2 * bytesOf(hash) + 53;
  if (bytes > MAX_HASH_BYTES || holder.hashes.length >= MAX_HASHES_OF_AGENT) return;
  holder.hashes.push(hash);
  holder.bytes = bytes;
}

/** Gives each hash to the agent that its name says. */
function addHashes(holders: ReadonlyMap<string, Holder>, hashes: Iterable<string>): void {
  // An agent's name may hold a colon, and so may an execution's id: then the hash can belong to either. The longest name
  // gets it. Where that guess is wrong, the slot is one whose hash was not found, and the second pass asks for it.
  for (const key of hashes)
    for (let end = key.lastIndexOf(":"); end >= HASH_PREFIX.length; end = key.lastIndexOf(":", end - 1)) {
      const holder = holders.get(key.slice(HASH_PREFIX.length, end));
      if (!holder) continue;
      addHash(holder, key);
      break;
    }
}

/**
 * Lists the keys, page by page. A key can be on several pages.
 * @param withHashes whether the hashes of slots are listed as well
 * @throws SourceError where there are more sets than can be read
 */
export async function findSlotKeys(redis: Redis, withHashes: boolean): Promise<SlotKeys> {
  const holders = new Map<string, Holder>();
  const hashes = new Set<string>();
  const unread = new Set<string>();
  const polled = new Set<string>();
  let isEmpty = true;
  let cursor = "0";
  do {
    const [answer] = await send(redis.pipeline().scan(cursor, withHashes ? PAGE : PAGE_OF_SETS));
    const page = scanPage(answer!);
    for (const key of page.keys) {
      if (key.startsWith(POLL_PREFIX) && isReadable(key)) polled.add(key.slice(POLL_PREFIX.length));
      if (!key.startsWith("agent:slot")) continue;
      isEmpty = false;
      const agent = key.slice(SLOTS_PREFIX.length);
      if (!key.startsWith(SLOTS_PREFIX)) {
        if (hashes.size < MAX_HASHES && key.startsWith(HASH_PREFIX) && isReadable(key)) hashes.add(key);
      } else if (isReadable(agent)) holders.set(agent, { agent, hashes: [], bytes: 0 });
      else unread.add(agent.slice(0, MAX_SHOWN));
    }
    if (polled.size > MAX_HOLDERS)
      throw new SourceError(`there are more than ${MAX_HOLDERS} keys under ${POLL_PREFIX}*`);
    if (holders.size + unread.size > MAX_HOLDERS)
      throw new SourceError(`there are more than ${MAX_HOLDERS} keys under ${SLOTS_PREFIX}*`);
    cursor = page.cursor;
  } while (cursor !== "0");
  addHashes(holders, hashes);
  return {
    holders: [...holders.values()],
    unread: [...unread],
    polled: [...polled],
    isEmpty,
    hasHashes: withHashes,
  };
}
