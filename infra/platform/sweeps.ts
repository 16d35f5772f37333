/** The loop of the capacity manager's maintenance. */
import type { Capacity } from "./capacity.ts";
import { messageOf, type PlatformContext } from "./context.ts";

const SWEEP_AFTER_MS = 60_000;
const JITTER_MS = 15_000;

export interface Sweeps {
  /** Lets the current sweep end and no other begin, as a hanging loop would. Gives the function that lets them go on. */
  hold(): Promise<() => void>;
  /** Ends the loop, and waits until no write is in progress. */
  stop(): Promise<void>;
}

/** Draws the time between two sweeps, in ms of the platform's own time: 60 s, and up to 15 s of jitter. */
export const drawSweepPause = (): number => SWEEP_AFTER_MS + Math.random() * JITTER_MS;

/** Starts the loop. @param pauseMs the time from the end of a sweep to the next, in ms of the platform's own time */
export function startSweeps(
  { clock, log }: PlatformContext,
  runMaintenance: Capacity["runMaintenance"],
  pauseMs: () => number,
): Sweeps {
  const stopping = new AbortController();
  let holds = 0;
  let underWay = Promise.resolve();

  async function sweep(): Promise<void> {
    for (;;) {
      await clock.sleep(pauseMs(), stopping.signal);
      if (holds > 0) continue;
      underWay = runMaintenance().catch((error) => log(`the maintenance sweep failed: ${messageOf(error)}`));
      await underWay;
    }
  }
  const loop = sweep().catch((error) => {
    if (!stopping.signal.aborted) log(`the maintenance loop ended: ${messageOf(error)}`);
  });
  return {
    async hold() {
      holds += 1;
      let isHeld = true;
      await underWay;
      return () => {
        if (isHeld) holds -= 1;
        isHeld = false;
      };
    },
    async stop() {
      stopping.abort();
      await loop;
    },
  };
}
