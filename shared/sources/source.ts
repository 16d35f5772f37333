/** What every source has in common. */
import type { FactName, Readings, Since } from "../facts/facts.ts";

/** What one source gave: a reading for each fact it was asked for, and lines for the parts that failed. */
export interface SourceResult {
  readonly readings: Readings;
  readonly unavailable: readonly string[];
}

export interface ReadContext {
  /** Aborted at the source's deadline. */
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Those of the source's facts that are to be read. */
  readonly wanted: ReadonlySet<FactName>;
  /** From where on to read what is new. */
  readonly since: Since;
}

/** One place that facts are read from. */
export interface Source {
  /** As it is named in `sources_unavailable`. */
  readonly name: string;
  readonly gives: readonly FactName[];
  read(context: ReadContext): Promise<SourceResult>;
}

/** Marks all wanted facts of a source as unread for one reason. */
export function allUnread(
  facts: readonly FactName[],
  wanted: ReadonlySet<FactName>,
  reason: string,
): Readings {
  return Object.fromEntries(facts.filter((f) => wanted.has(f)).map((f) => [f, { read: false, reason }]));
}
