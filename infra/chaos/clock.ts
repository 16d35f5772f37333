/** The clock of a canary in the chaos. Only the runner has it: the product knows no such thing. */

export interface ChaosClock {
  /** When both clocks showed the same (unix ms). */
  readonly epochMs: number;
  /** How many times as fast it runs: a lease, a pause after a failure and the like pass sooner. */
  readonly speed: number;
}

/** What the clock shows now, that far ahead (unix ms). */
export const clockAt = ({ epochMs, speed }: ChaosClock, aheadMs: number): number =>
  Math.floor(epochMs + (Date.now() - epochMs) * speed + aheadMs);
