/** Reading and writing of instants and durations. Instants are unix ms. */

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*(?:(Z)|([+-])(\d\d):?(\d\d)?)?$/i;

/**
 * Parses a timestamp of the platform's database.
 * @param text ISO 8601 with `Z`, with an offset, or without either, which means UTC
 * @returns unix ms, or null where the text is empty, garbage, or not a date of the calendar
 */
export function parseTimestamp(text: string | null): number | null {
  const match = text === null ? null : ISO.exec(text.trim());
  if (!match) return null;
  const [
    ,
    year,
    month,
    day,
    hour,
    minute,
    second = "0",
    fraction = "",
    ,
    sign,
    offsetHours = "0",
    offsetMinutes = "0",
  ] = match;
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  if (+year! < 1000) return null;
  const ms = Date.UTC(+year!, +month! - 1, +day!, +hour!, +minute!, +second);
  const date = new Date(ms);
  // Date.UTC rolls 31 February over into March: a changed part means that the text was not a date.
  if (date.getUTCMonth() !== +month! - 1 || date.getUTCDate() !== +day! || date.getUTCHours() !== +hour!)
    return null;
  if (+minute! > 59 || +second > 59 || +offsetHours > 23 || +offsetMinutes > 59) return null;
  const offsetMs = (sign === "-" ? -1 : 1) * (+offsetHours * 60 + +offsetMinutes) * 60_000;
  return ms + Number(`0.${fraction || "0"}`) * 1000 - offsetMs;
}

/** The end of the platform's usual form, `2026-05-18T10:30:00.123456Z`. */
const USUAL_END = /:[0-5]\d\.\d{6}Z$/;
const USUAL_LENGTH = 27;
const MINUTE_LENGTH = 17;

/** Makes a faster `parseTimestamp` for many timestamps: the date and the minute are parsed once. */
export function timestampReader(): typeof parseTimestamp {
  const minutes = new Map<string, number | null>();
  return (text) => {
    if (text?.length !== USUAL_LENGTH || !USUAL_END.test(text)) return parseTimestamp(text);
    const start = text.slice(0, MINUTE_LENGTH);
    let minuteMs = minutes.get(start);
    if (minuteMs === undefined) {
      minuteMs = parseTimestamp(`${start}00Z`);
      minutes.set(start, minuteMs);
    }
    if (minuteMs === null) return null;
    return minuteMs + Number(text.slice(17, 19)) * 1000 + Number(`0${text.slice(19, 26)}`) * 1000;
  };
}

/** Writes an instant as ISO 8601 UTC with milliseconds, the form of every time that the canary writes. */
export const formatInstant = (ms: number): string => new Date(ms).toISOString();

/** Writes a duration in its largest unit: `40 s`, `5 min`, `2h`, `3d`. */
export function formatDuration(ms: number): string {
  if (ms < MINUTE_MS) return `${Math.floor(ms / SECOND_MS)} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < 2 * DAY_MS) return `${Math.floor(ms / HOUR_MS)}h`;
  return `${Math.floor(ms / DAY_MS)}d`;
}

const UNITS_MS: Record<string, number> = { s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };

/**
 * Parses a duration such as `30s`, `5m`, `2h` or `3d`.
 * @param units the units that are accepted, such as "smhd"
 * @returns ms, or null where the text is not a duration in one of these units
 */
export function parseDuration(text: string, units: string): number | null {
  const [, amount, unit] = /^(\d+)([smhd])$/.exec(text) ?? [];
  return unit && units.includes(unit) ? Number(amount) * UNITS_MS[unit]! : null;
}
