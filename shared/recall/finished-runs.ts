/** Which executions were seen terminal, in nine bytes for each: eight of a hash of its id, one for its status. */
import { hash } from "node:crypto";
import type { Memory } from "../cycle/memory.ts";
import { type Remembered, TERMINAL_STATUSES, type TerminalStatus } from "../facts/facts.ts";

const ENTRY_BYTES = 9;
const HASH_BYTES = 8;
/** An item holds this many entries and stays below DynamoDB's 400 kB. */
export const ENTRIES_IN_AN_ITEM = 40_000;

/** Gives the hash that an execution is remembered by, in hex. */
export const hashOf = (executionId: string): string => hash("sha256", executionId).slice(0, 2 * HASH_BYTES);

/** An entry this old is written again when it is read as terminal again: it is to be remembered for another hour. */
const FRESH_MS = 60 * 60_000;

/** How an execution was last seen terminal, and when that was written down (0 where it is only pinned). */
export interface Sighting {
  readonly status: TerminalStatus;
  readonly atMs: number;
}

/** What earlier cycles saw terminal, by hash. */
export interface TerminalMemory extends Iterable<readonly [hash: string, Sighting]> {
  readonly size: number;
  get(hash: string): Sighting | undefined;
}

/**
 * A hash table over numbers: two hours of a busy platform are 10^5 entries, and as a Map of strings they would be most of
 * what a cycle allocates. A hash is uniform already, so its own bits say where it belongs.
 */
function sightingTable(most: number) {
  const places = 2 ** Math.ceil(Math.log2(1.5 * most + 1));
  /** Two words of hash, and which of `sightings` it is, less one: zero is a free place. */
  const words = new Int32Array(4 * places);
  const sightings: Sighting[] = [];
  let size = 0;
  const find = (high: number, low: number): number => {
    for (let place = low & (places - 1); ; place = (place + 1) & (places - 1)) {
      const at = 4 * place;
      if (words[at + 2] === 0 || (words[at] === high && words[at + 1] === low)) return at;
    }
  };
  const sightingAt = (at: number) => sightings[words[at + 2]! - 1];
  const memory: TerminalMemory = {
    get size() {
      return size;
    },
    get: (hash) => sightingAt(find(wordOf(hash, 0), wordOf(hash, 8))),
    *[Symbol.iterator]() {
      for (let at = 0; at < words.length; at += 4) {
        const sighting = sightingAt(at);
        if (sighting) yield [hexOf(words[at]!) + hexOf(words[at + 1]!), sighting] as const;
      }
    },
  };
  return {
    memory,
    /** @returns a number for `put` */
    add: (sighting: Sighting) => sightings.push(sighting),
    put(high: number, low: number, sighting: number) {
      const at = find(high, low);
      if (words[at + 2] === 0) size += 1;
      words[at] = high;
      words[at + 1] = low;
      words[at + 2] = sighting;
    },
  };
}

/** Eight hex digits as a number, the highest bit its sign: such numbers cost no allocation. */
const wordOf = (hash: string, from: number) => Number.parseInt(hash.slice(from, from + 8), 16) | 0;
const hexOf = (word: number) => (word >>> 0).toString(16).padStart(8, "0");

/** @param packed what `packEntries` made and when, oldest first: later entries win over earlier ones */
export function unpackEntries(
  packed: readonly { readonly ids: Uint8Array; readonly atMs: number }[],
  pinned: Memory["pinned"],
): TerminalMemory {
  const entries = packed.reduce((sum, { ids }) => sum + Math.floor(ids.length / ENTRY_BYTES), 0);
  const { memory, add, put } = sightingTable(entries + pinned.length);
  for (const { ids: bytes, atMs } of packed) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sightings = TERMINAL_STATUSES.map((status) => add({ status, atMs }));
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
      const sighting = sightings[bytes[at + HASH_BYTES]!];
      if (sighting) put(view.getInt32(at), view.getInt32(at + 4), sighting);
    }
  }
  // What is pinned is red, and was remembered before anything else that is still here.
  for (const { hash, status } of pinned)
    if (!memory.get(hash)) put(wordOf(hash, 0), wordOf(hash, 8), add({ status, atMs: 0 }));
  return memory;
}

/** @returns the entries in runs that each fit in an item */
export function packEntries(entries: ReadonlyMap<string, TerminalStatus>): Uint8Array[] {
  const all = Buffer.alloc(entries.size * ENTRY_BYTES);
  let at = 0;
  for (const [hash, status] of entries) {
    all.write(hash, at, "hex");
    all[at + HASH_BYTES] = TERMINAL_STATUSES.indexOf(status);
    at += ENTRY_BYTES;
  }
  const size = ENTRIES_IN_AN_ITEM * ENTRY_BYTES;
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    all.subarray(i * size, (i + 1) * size),
  );
}

/**
 * @param pinned what is to be remembered although it was not read as terminal now
 * @returns what is new to the memory, terminal in another way than it has it, or in it for long
 */
export function newEntries(
  memory: TerminalMemory,
  rows: readonly { readonly id: string; readonly status: TerminalStatus }[],
  pinned: Memory["pinned"],
  nowMs: number,
): Map<string, TerminalStatus> {
  const entries = new Map<string, TerminalStatus>();
  const add = (hash: string, status: TerminalStatus) => {
    const known = memory.get(hash);
    if (known?.status !== status || nowMs - known.atMs >= FRESH_MS) entries.set(hash, status);
  };
  for (const { hash, status } of pinned) add(hash, status);
  for (const { id, status } of rows) add(hashOf(id), status);
  return entries;
}

/** @returns the memory as the fact that E-02 reads */
export const asFact = (memory: TerminalMemory): Remembered => ({
  statusOf: (executionId) => memory.get(hashOf(executionId))?.status,
});
