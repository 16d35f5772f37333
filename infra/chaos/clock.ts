/** The clock of a canary in the chaos. Only the runner has it: the product knows no such thing. */

export interface ChaosClock {
  /** What it showed when it was started (unix ms). */
  readonly epochMs: number;
  /** When that was, by the machine's steady clock, which all processes share (ms). */
  readonly startedMs: number;
  /** How many times as fast it runs: a lease, a pause after a failure and the like pass sooner. */
  readonly speed: number;
}

const steadyMs = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Starts a clock. */
export const startClock = (speed: number): ChaosClock => ({
  epochMs: Date.now(),
  startedMs: steadyMs(),
  speed,
});

/** What the clock shows now, that far ahead (unix ms). */
export const clockAt = ({ epochMs, startedMs, speed }: ChaosClock, aheadMs: number): number =>
  Math.floor(epochMs + (steadyMs() - startedMs) * speed + aheadMs);
