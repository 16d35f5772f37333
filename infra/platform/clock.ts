/** The platform's time: what it writes is the wall clock's, what it waits for can be scaled. */
import { setTimeout as wait } from "node:timers/promises";

export interface Clock {
  /** How many times as fast the platform lives: a minute of its own lasts 60 / scale seconds. */
  readonly scale: number;
  /** @returns the wall clock (unix ms). Every timestamp and score is written by it, and it may jump. */
  now(): number;
  /** @returns ms of the platform's own time since some fixed instant; scaled, and it never jumps */
  elapsed(): number;
  /**
   * Waits that many ms of the platform's own time.
   * @throws the signal's reason where it is aborted first
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer that is set to more than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * The clock of this machine with durations made shorter. Instants are left alone: the canary measures ages against its
 * own clock, so that a platform that wrote scaled instants would be judged by times that never were.
 * @param scale 1 for real time, 60 for a minute in a second; no wait is shorter than a timer's one millisecond
 * @returns the clock, and `jump`, which moves `now` (not the waits) by so many ms, back where they are negative
 * @throws RangeError for a scale that is not above 0
 */
export function scaledClock(scale = 1): Clock & { jump(ms: number): void } {
  if (!(scale > 0 && Number.isFinite(scale)))
    throw new RangeError(`the scale is ${scale}: give a number above 0, such as 1 or 60`);
  let jumpedMs = 0;
  return {
    scale,
    now: () => Date.now() + jumpedMs,
    elapsed: () => performance.now() * scale,
    async sleep(ms, signal) {
      signal?.throwIfAborted();
      try {
        for (let leftMs = ms / scale; leftMs > 0; leftMs -= LONGEST_TIMER_MS)
          await wait(Math.min(leftMs, LONGEST_TIMER_MS), undefined, signal && { signal });
      } catch (error) {
        // The timer's own error hides why it was cut.
        signal?.throwIfAborted();
        throw error;
      }
    },
    jump(ms) {
      jumpedMs += ms;
    },
  };
}

/** @returns the instant (unix ms) as the platform writes it: UTC, ISO 8601, microseconds, `Z` */
export const timestamp = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");
