/** Shows how far a long command is: one line of a terminal that is written again and again. In a pipe there is nothing. */
import { printable } from "../text.ts";
import { formatDuration, SECOND_MS } from "../time.ts";
import { padTo } from "./layout.ts";
import { LEAST_WIDTH } from "./screen.ts";

export interface Progress {
  /** Shows the text, with how long it has been shown. */
  say(text: string): void;
  /** Takes the line away, so that something else can be written. */
  clear(): void;
}

/** Goes to the start of the line, and deletes it. */
const CLEAR = "\r\u001b[K";

interface ProgressOptions {
  readonly now?: () => number;
  /** Calls the function every second until the returned function is called. */
  readonly everySecond?: (draw: () => void) => () => void;
}

/** Does not keep the process alive. */
function everySecond(draw: () => void): () => void {
  const timer = setInterval(draw, SECOND_MS).unref();
  return () => clearInterval(timer);
}

/**
 * Makes the line.
 * @param out where it is drawn: usually stderr, since stdout is for results
 */
export function progressOn(
  out: Pick<NodeJS.WriteStream, "isTTY" | "columns"> & { write(text: string): unknown },
  options: ProgressOptions = {},
): Progress {
  if (!out.isTTY) return { say() {}, clear() {} };
  const now = options.now ?? Date.now;
  let shown: { text: string; sinceMs: number } | null = null;
  let stop: (() => void) | null = null;
  const draw = () => {
    if (shown === null) return;
    const passed = now() - shown.sinceMs;
    const text = printable(shown.text) + (passed >= SECOND_MS ? `, ${formatDuration(passed)}` : "");
    out.write(CLEAR + padTo(text, (out.columns || LEAST_WIDTH) - 1).trimEnd());
  };
  return {
    say(text) {
      if (shown?.text !== text) shown = { text, sinceMs: now() };
      stop ??= (options.everySecond ?? everySecond)(draw);
      draw();
    },
    clear() {
      stop?.();
      stop = null;
      if (shown !== null) out.write(CLEAR);
      shown = null;
    },
  };
}
