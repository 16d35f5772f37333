/** The platform's time: instants are the wall clock's, waits can be scaled. */
import { setTimeout as wait } from "node:timers/promises";

export interface Clock {
  /** How many times as fast the platform runs: its minute lasts 60 / scale seconds. */
  readonly scale: number;
  /** The wall clock, unix ms, for every timestamp and score. It may jump. */
  now(): number;
  /** Ms of the platform's own time since some fixed instant: scaled, and without jumps. */
  elapsed(): number;
  /**
   * Waits, in ms of the platform's own time.
   * @throws the signal's reason where it is aborted first
   */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer with a longer delay fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Makes the clock of this machine with shorter waits. Instants are not scaled: the canary measures ages against its own
 * clock, and would misjudge scaled instants.
 * @param scale 1 for real time, 60 for a minute in a second; no wait is shorter than a timer's one millisecond
 * @returns the clock, and `jump`, which moves `now` but not the waits; negative ms move it back
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
        // The timer's own error hides the signal's reason.
        signal?.throwIfAborted();
        throw error;
      }
    },
    jump(ms) {
      jumpedMs += ms;
    },
  };
}

/** Formats an instant (unix ms) as the platform does: UTC, ISO 8601, microseconds, `Z`. */
export const timestamp = (ms: number): string => new Date(ms).toISOString().replace("Z", "000Z");

/** Formats an instant (unix ms) as the scheduler's process does: in UTC, as the backend, but without the `Z`. */
export const naiveTimestamp = (ms: number): string => timestamp(ms).slice(0, -1);

/** Parses a timestamp of the platform, with or without the `Z`, into unix ms. NaN where it is none. */
export const instantOf = (text: string): number =>
  Date.parse(/Z|[+-]\d\d:\d\d$/.test(text) ? text : `${text}Z`);
