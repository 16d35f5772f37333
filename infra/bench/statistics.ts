/** Medians, and how far values lie apart. */

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.round((values.length - 1) / 2)]!;

/** @param values at least one */
export const spreadOf = (values: readonly number[]): Spread => ({
  median: median(values),
  least: Math.min(...values),
  most: Math.max(...values),
});

/** The spread of each name, over runs that all have the same names. */
export const spreadsOf = (runs: readonly Readonly<Record<string, number>>[]): Record<string, Spread> =>
  Object.fromEntries(
    Object.keys(runs[0] ?? {}).map((name) => [name, spreadOf(runs.map((run) => run[name] ?? 0))]),
  );
