/** The platform's keys: who holds slots, and which hashes are whose. */
import { bytesOf, CHUNK_BYTES } from "./requests.ts";

export const SLOTS_PREFIX = "agent:slots:";
const HASH_PREFIX = "agent:slot:";
/** Sets of slots and their hashes: which hashes there are is known before anything asks for their TTL. */
export const SCAN_MATCH = "agent:slot*";
export const DRAIN_TICK_KEY = "canary:drain_tick_at";
/** Of one agent in one request. */
const MAX_HASH_BYTES = CHUNK_BYTES / 2;

export const hashKey = (agent: string, id: string) => `${HASH_PREFIX}${agent}:${id}`;

/** An agent that holds slots, and those hashes that belong to its slots by their names. */
export interface Holder {
  readonly agent: string;
  readonly hashes: string[];
  /** What asking for the hashes adds to a request. */
  bytes: number;
}

/** ["ttl","agent:slot:…"],["hget","agent:slot:…","timeout_seconds"] */
const hashBytes = (hash: string) => 2 * bytesOf(hash) + 46;

/** Adds a hash; those beyond one request's size are read in the second pass. */
function addTo(holder: Holder, hash: string) {
  const bytes = holder.bytes + hashBytes(hash);
  if (bytes > MAX_HASH_BYTES) return;
  holder.hashes.push(hash);
  holder.bytes = bytes;
}

/** Finds the holders of slots among the keys. */
export function holdersOf(keys: Iterable<string>): Holder[] {
  const holders = new Map<string, Holder>();
  const hashes: string[] = [];
  for (const key of keys)
    if (key.startsWith(SLOTS_PREFIX)) {
      const agent = key.slice(SLOTS_PREFIX.length);
      holders.set(agent, { agent, hashes: [], bytes: 0 });
    } else if (key.startsWith(HASH_PREFIX)) hashes.push(key);
  // An agent's name may hold a colon, and so may an execution's id: then the hash can belong to either. The longest name
  // gets it; where that guess is wrong, the slot is one whose hash was not found, and the second pass asks for it.
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
