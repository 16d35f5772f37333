/** Gives the middle value, or the higher of the two in the middle. @returns NaN where there is none */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.round((values.length - 1) / 2)] ?? Number.NaN;
