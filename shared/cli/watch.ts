/** Renders a view at an interval until it is stopped. */

interface WatchOptions {
  /** Renders the view. */
  readonly look: () => Promise<string>;
  /** Given where the output is for programs: renders a failure; views and failures then are all that is written. */
  readonly renderError?: (error: Error) => string;
  readonly everyMs: number;
  /** Ends the watch, also during a wait. */
  readonly signal: AbortSignal;
  readonly write: (text: string) => void;
  /** Whether the screen can be cleared. Otherwise each view is written below the previous one. */
  readonly clears: boolean;
  readonly now: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const CLEAR = "\u001b[H\u001b[2J\u001b[3J";

/** Writes the view until the signal. A failure is shown and tried again, because the canary may come back. */
export async function watch(options: WatchOptions): Promise<void> {
  const { look, renderError, everyMs, signal, write, clears, now, sleep } = options;
  while (!signal.aborted) {
    const seen = await look().catch(renderError ?? ((error: Error) => `can't be seen: ${error.message}`));
    if (signal.aborted) return;
    const at = new Date(now()).toISOString().slice(11, 19);
    write(
      renderError
        ? `${seen}\n`
        : `${clears ? CLEAR : ""}${seen}\n\n${at} UTC, every ${everyMs / 1000} s, Ctrl-C ends it\n${clears ? "" : "\n"}`,
    );
    await sleep(everyMs, signal).catch(() => {});
  }
}
