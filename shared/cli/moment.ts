/** Reads the times that a user gives. */
import { formatInstant, parseDuration } from "../time.ts";
import { UsageError } from "./errors.ts";

/**
 * Reads a time: a duration counts back from now.
 * @param option names it in the error
 * @returns an instant in the form of the API, or the day or instant as it was given
 * @throws UsageError where it is neither
 */
export function parseMoment(option: string, text: string, nowMs: number): string {
  const ms = parseDuration(text, "smhd");
  if (ms !== null) return formatInstant(Math.max(0, nowMs - ms));
  if (/^\d{4}-\d\d-\d\d/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new UsageError(
    `${option} ${text} is no time: give a duration such as 30m, 2h or 3d, or an instant such as 2026-11-23T10:00:00Z`,
  );
}

/** Reads --since and --until as the parameters of the API. @throws UsageError where one is no time */
export const rangeOf = (
  { since, until }: { readonly since?: string | undefined; readonly until?: string | undefined },
  nowMs: number,
) => ({
  start_time: since === undefined ? undefined : parseMoment("--since", since, nowMs),
  end_time: until === undefined ? undefined : parseMoment("--until", until, nowMs),
});

/**
 * Reads a duration.
 * @param option names it in the error
 * @throws UsageError where it is none
 */
export function parseLength(option: string, text: string): number {
  const ms = parseDuration(text, "mhd");
  if (ms) return ms;
  throw new UsageError(`${option} ${text} is not a duration: give one such as 30m, 2h or 3d`);
}
