/** A platform's clock that a test moves, so that nothing waits in real time. */
import type { Clock } from "../../infra/platform/clock.ts";
import { until } from "./live.ts";

export interface ManualClock extends Clock {
  /** Moves the wall clock only, as when a clock is set. */
  jump(ms: number): void;
  /** Lets time pass, and ends the sleeps that are over by then, in their order. */
  advance(ms: number): void;
  /** The lengths of the current sleeps, sorted. */
  sleeps(): number[];
  /** Waits, in real time, until there are that many current sleeps of that length. */
  sleeping(ms: number, count?: number): Promise<void>;
}

/** @param startMs the wall clock at the start. Default: real time, since the readers of the platform use that */
export function manualClock(startMs = Date.now()): ManualClock {
  let elapsedMs = 0;
  let jumpedMs = 0;
  const sleepers = new Set<{ ms: number; atMs: number; wake: () => void }>();
  return {
    scale: 1,
    now: () => startMs + elapsedMs + jumpedMs,
    elapsed: () => elapsedMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { ms, atMs: elapsedMs + ms, wake: done };
        const cut = () => {
          sleepers.delete(sleeper);
          reject(signal!.reason);
        };
        function done() {
          sleepers.delete(sleeper);
          signal?.removeEventListener("abort", cut);
          resolve();
        }
        signal?.addEventListener("abort", cut, { once: true });
        sleepers.add(sleeper);
      }),
    jump(ms) {
      jumpedMs += ms;
    },
    advance(ms) {
      elapsedMs += ms;
      const due = [...sleepers].filter(({ atMs }) => atMs <= elapsedMs);
      for (const { wake } of due.sort((a, b) => a.atMs - b.atMs)) wake();
    },
    sleeps: () => [...sleepers].map(({ ms }) => ms).sort((a, b) => a - b),
    sleeping: (ms, count = 1) =>
      until(async () => {
        const found = [...sleepers].filter((sleeper) => sleeper.ms === ms).length;
        if (found < count)
          throw new Error(
            `${found} of ${count} sleeps of ${ms} ms; there are ${[...sleepers].map((s) => s.ms)}`,
          );
      }),
  };
}
