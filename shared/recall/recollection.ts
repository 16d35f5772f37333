/** A recollection: a fact that earlier cycles left. */
import type { FactName, Facts, Readings, Since } from "../facts/facts.ts";
import type { Verdict } from "../verdict/evaluate.ts";

/** What one cycle wrote to a journal, and when (unix ms). */
export interface JournalEntry {
  readonly bytes: Uint8Array;
  readonly atMs: number;
}

/** What a cycle read and judged, as far as a recollection needs to know. */
export interface CycleSeen {
  readonly readings: Readings;
  readonly verdicts: readonly Verdict[];
  /** When the cycle began, in unix ms. */
  readonly atMs: number;
}

/** What a recollection leaves to the next cycle. */
export interface Left<Part> {
  readonly part: Part;
  /** New entries of its journal, each small enough for one item. */
  readonly entries: readonly Uint8Array[];
}

/** A recollection during one cycle. */
export interface Recalled<Name extends FactName, Part> {
  readonly fact: Facts[Name];
  /** Pure: what the next cycle is to remember after this one. */
  next(seen: CycleSeen): Left<Part>;
}

/**
 * A fact that earlier cycles left. Its `Part` is stored with the memory of the cycle, which knows nothing of it: names of
 * fields must be unique among the recollections.
 */
export interface RecollectionSpec<Name extends FactName, Part extends object> {
  readonly gives: Name;
  /** Its part of the memory before the first cycle. */
  readonly initial: Part;
  /** Says whether what was stored is a part of this recollection, with the fields of `initial` where it lacks some. */
  isPart(stored: { readonly [F in keyof Part]: unknown }): boolean;
  /** Entries that are too many for the memory: the name of their journal, and for how long they are kept. */
  readonly journal?: { readonly name: string; readonly keptSeconds: number };
  /** From where on a source has to read what is new. */
  since?(part: Part): Partial<Since>;
  /**
   * @param part null where the memory could not be read
   * @param journal oldest first; empty where the recollection has none
   * @returns null where the fact cannot be known without the memory
   */
  recall(part: Part | null, journal: readonly JournalEntry[]): Recalled<Name, Part> | null;
  /** A smaller form of its part, for a memory that does not fit in one item. It must not turn a red green. */
  shrink?(part: Part): Part;
}

/** A recollection as the cycle sees it: its part is known to its own file only. */
export type Recollection = RecollectionSpec<FactName, object>;

/** Declares a recollection; its file is the only one that knows the shape of its part. */
export const recollection = <Name extends FactName, Part extends object>(
  spec: RecollectionSpec<Name, Part>,
): Recollection => spec as unknown as Recollection;

/** Picks a recollection's part out of the parts of all. */
export const partOf = ({ initial }: Recollection, parts: Readonly<Record<string, unknown>>): object => ({
  ...initial,
  ...Object.fromEntries(Object.entries(parts).filter(([name]) => Object.hasOwn(initial, name))),
});
