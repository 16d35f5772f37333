/** Medians, and how far values lie apart. */

export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly runs: number;
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** @param q 0.5 for the median */
export const quantile = (values: readonly number[], q: number): number =>
  sorted(values)[Math.round((values.length - 1) * q)]!;

/** @param values at least one */
export const spreadOf = (values: readonly number[]): Spread => ({
  median: quantile(values, 0.5),
  least: Math.min(...values),
  most: Math.max(...values),
  runs: values.length,
});
