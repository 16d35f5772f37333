/** Where a view is drawn: how wide, in which colours, at what time, in how much detail. */
import pc from "picocolors";
import { columnsOf } from "../config/terminal.ts";
import { formatDuration, MINUTE_MS } from "../time.ts";

/** Narrower terminals get lines of this length. */
export const LEAST_WIDTH = 60;

export interface Screen {
  /** How many columns there are. Infinity where nothing limits a line, as in a pipe. */
  readonly width: number;
  readonly colour: boolean;
  readonly nowMs: number;
  /** Write instants as they are, instead of how long ago they were. */
  readonly utc: boolean;
  /** Show what is left out otherwise. */
  readonly verbose: boolean;
}

/** What the user says of a view. */
export interface ViewOptions {
  readonly utc?: boolean | undefined;
  readonly verbose?: boolean | undefined;
}

/**
 * Describes an output.
 * @param columns those of the variable COLUMNS, which wins over what the terminal says
 */
export function screenOf(
  out: Pick<NodeJS.WriteStream, "isTTY" | "columns">,
  columns: number | null,
  { utc = false, verbose = false }: ViewOptions = {},
): Screen {
  const width = columns ?? ((out.isTTY && out.columns) || Number.POSITIVE_INFINITY);
  return {
    width: Math.max(LEAST_WIDTH, width),
    colour: pc.isColorSupported && out.isTTY === true,
    nowMs: Date.now(),
    utc,
    verbose,
  };
}

/** Describes the output of this process as it is now: a terminal may change its width. */
export const screenHere = (view?: ViewOptions): Screen => screenOf(process.stdout, columnsOf(), view);

/** Says when that was or will be: `12 min ago`, `in 2h`, or the instant itself. */
export function whenOf({ nowMs, utc }: Pick<Screen, "nowMs" | "utc">, instant: string): string {
  const atMs = Date.parse(instant);
  if (utc || Number.isNaN(atMs)) return instant;
  // What was to last two hours, and has begun a moment ago, lasts two hours.
  const leftMs = Math.ceil((atMs - nowMs) / MINUTE_MS) * MINUTE_MS;
  if (leftMs > MINUTE_MS) return `in ${formatDuration(leftMs)}`;
  return atMs > nowMs ? `in ${formatDuration(atMs - nowMs)}` : `${formatDuration(nowMs - atMs)} ago`;
}

/** Says since when: `for 12 min`, or `since 2026-11-23T10:30:00.123Z`. */
export function sinceOf({ nowMs, utc }: Pick<Screen, "nowMs" | "utc">, instant: string): string {
  const atMs = Date.parse(instant);
  return utc || !(atMs <= nowMs) ? `since ${instant}` : `for ${formatDuration(nowMs - atMs)}`;
}
