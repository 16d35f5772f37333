/**
 * A hash table from executions to how they were last seen finished. Two hours of a busy platform are 10^5 entries; as a
 * Map of strings they would be most of what a cycle allocates (40,000 entries: 4.3 ms here, 12.5 ms as a Map). A hash is
 * uniform already, so its own bits say where it belongs.
 */
import type { TerminalStatus } from "../facts/facts.ts";

/** How an execution was last seen finished, and when that was written down (0 where it is only pinned). */
export interface Sighting {
  readonly status: TerminalStatus;
  readonly atMs: number;
}

/** The executions that earlier cycles saw finished, by hash (16 hex digits). */
export interface RunTable extends Iterable<readonly [hash: string, Sighting]> {
  readonly size: number;
  get(hash: string): Sighting | undefined;
}

/** Each place: two words of hash, the number of its sighting from 1 (0: the place is free), and one word for alignment. */
const WORDS = 4;

/** Reads eight hex digits as a signed 32-bit number: such numbers cost no allocation. */
export const wordOf = (hash: string, from: number): number =>
  Number.parseInt(hash.slice(from, from + 8), 16) | 0;
const hexOf = (word: number) => (word >>> 0).toString(16).padStart(8, "0");

/**
 * Makes an empty table.
 * @param most how many entries it must take
 */
export function runTable(most: number) {
  const places = 2 ** Math.ceil(Math.log2(1.5 * most + 1));
  const words = new Int32Array(WORDS * places);
  const sightings: Sighting[] = [];
  let size = 0;
  const find = (high: number, low: number): number => {
    for (let place = low & (places - 1); ; place = (place + 1) & (places - 1)) {
      const at = WORDS * place;
      if (words[at + 2] === 0 || (words[at] === high && words[at + 1] === low)) return at;
    }
  };
  const sightingAt = (at: number) => sightings[words[at + 2]! - 1];
  const table: RunTable = {
    get size() {
      return size;
    },
    get: (hash) => sightingAt(find(wordOf(hash, 0), wordOf(hash, 8))),
    *[Symbol.iterator]() {
      for (let at = 0; at < words.length; at += WORDS) {
        const sighting = sightingAt(at);
        if (sighting) yield [hexOf(words[at]!) + hexOf(words[at + 1]!), sighting] as const;
      }
    },
  };
  return {
    table,
    /** Adds a sighting that many entries share. Returns its number for `put`. */
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
