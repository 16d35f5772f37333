/** Draws something again and again until it is stopped. */

export interface WatchOptions {
  /** Renders what there is to see. */
  readonly look: () => Promise<string>;
  readonly everyMs: number;
  /** Ends the watch, also while it waits. */
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
  /** Whether the screen can be cleared. Otherwise each look is written below the one before. */
  readonly clears: boolean;
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const CLEAR = "\u001b[H\u001b[2J\u001b[3J";

/** Draws until the signal. A look that fails is shown as its error, and tried again: the canary may be back by then. */
export async function watch({
  look,
  everyMs,
  signal,
  write,
  clears,
  now,
  sleep,
}: WatchOptions): Promise<void> {
  while (!signal.aborted) {
    const seen = await look().catch((error: Error) => `can't be seen: ${error.message}`);
    if (signal.aborted) return;
    const at = new Date(now()).toISOString().slice(11, 19);
    write(
      `${clears ? CLEAR : ""}${seen}\n\n${at} UTC, every ${everyMs / 1000} s, Ctrl-C ends it\n${clears ? "" : "\n"}`,
    );
    await sleep(everyMs, signal).catch(() => {});
  }
}
