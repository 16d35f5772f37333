/** Clocks that are compared with this machine's. Pure. */
import type { ReadingTime } from "../facts/facts.ts";
import { formatDuration, SECOND_MS } from "../time.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** The checks allow for this much. */
const MOST_APART_MS = 2 * SECOND_MS;

/** Rounded up, so that nothing is called exact. */
const seconds = (ms: number): string => `${(Math.ceil(ms / 100) / 10).toFixed(1)} s`;

/**
 * Compares a clock with ours, as far as the time that its answer took allows.
 * @param theirMs what it showed, unix ms
 * @param between when we asked and when the answer was there, by our clock
 * @param resolutionMs what its answer was rounded down by, at most
 */
export function compareClocks(theirMs: number, between: ReadingTime, resolutionMs = 0): Finding {
  const least = theirMs - between.toMs;
  const most = theirMs + resolutionMs - between.fromMs;
  if (least > MOST_APART_MS) return apart(least, "ahead of");
  if (most < -MOST_APART_MS) return apart(-most, "behind");
  const within = Math.max(Math.abs(least), Math.abs(most));
  return ok("clock", `agrees with this machine's within ${seconds(within)}`);
}

const apart = (ms: number, where: string): Finding =>
  warning(
    "clock",
    `at least ${seconds(ms)} ${where} this machine's: set both by NTP, since ages are measured across them`,
  );

/** Says how old the newest run is. It can't have begun in the future. */
export function newestRun(startedAtMs: number, nowMs: number): Finding {
  const ageMs = nowMs - startedAtMs;
  return ageMs < -MOST_APART_MS
    ? warning(
        "newest run",
        `begins ${seconds(-ageMs)} in the future: the platform's clock is ahead of this machine's`,
      )
    : ok("newest run", `began ${formatDuration(Math.max(0, ageMs))} ago`);
}
