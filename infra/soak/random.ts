/** Random choices that a seed repeats. */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

export interface Random {
  /** A number from 0 to below 1. */
  fraction(): number;
  /** A whole number, both ends included. */
  whole(from: number, to: number): number;
  between(from: number, to: number): number;
  one<T>(from: readonly T[]): T;
  /** True with this probability, in percent. */
  percent(chance: number): boolean;
}

/**
 * @param seed of the run
 * @param stream names the use: the number of draws for one use must not change the draws for another
 */
export function seededRandom(seed: number, stream: string): Random {
  const streamSeed = [...stream].reduce(
    (hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0,
    seed,
  );
  const generator = xoroshiro128plus(streamSeed);
  const random: Random = {
    fraction: () => uniformFloat64(generator),
    whole: (from, to) => uniformInt(generator, from, to),
    between: (from, to) => from + random.fraction() * (to - from),
    one: (from) => from[random.whole(0, from.length - 1)]!,
    percent: (chance) => random.fraction() * 100 < chance,
  };
  return random;
}
