const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*(?:(Z)|([+-])(\d\d):?(\d\d)?)?$/i;

/** As the platform writes it, `2026-05-18T10:30:00.123456Z`: all but a few of the 10^5 that a large fleet has. */
const USUAL_LENGTH = 27;
const USUAL_DIGITS = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 22, 23, 24, 25];
const HYPHEN = 45;
const ZERO = 48;
const COLON = 58;

/** @returns unix ms, or null where the text is not of that shape, or no date: then it is read with more care */
function parseUsual(text: string): number | null {
  if (
    text.length !== USUAL_LENGTH ||
    text[10] !== "T" ||
    text[19] !== "." ||
    text[26] !== "Z" ||
    text.charCodeAt(4) !== HYPHEN ||
    text.charCodeAt(7) !== HYPHEN ||
    text.charCodeAt(13) !== COLON ||
    text.charCodeAt(16) !== COLON
  )
    return null;
  for (const at of USUAL_DIGITS) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return null;
  }
  const two = (at: number) => 10 * text.charCodeAt(at) + text.charCodeAt(at + 1) - 11 * ZERO;
  const [year, month, day] = [100 * two(0) + two(2), two(5), two(8)];
  const [hour, minute, second] = [two(11), two(14), two(17)];
  // Days that some months lack, and years before 1000, are left to the careful reading.
  if (year < 1000 || month < 1 || month > 12 || day < 1 || day > 28) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  const micros = 10_000 * two(20) + 100 * two(22) + two(24);
  return Date.UTC(year, month - 1, day, hour, minute, second) + (micros / 1_000_000) * 1000;
}

/**
 * Reads a timestamp of the platform's database as an instant.
 * @param text ISO 8601 with `Z`, with an offset, or naive, which means UTC
 * @returns unix ms, or null where the text is empty, garbage, or no date of the calendar
 */
export function parseTimestamp(text: string | null): number | null {
  const usual = text === null ? null : parseUsual(text);
  if (usual !== null) return usual;
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
  // Date.UTC takes the years 0 to 99 for those of the last century.
  if (+year! < 1000) return null;
  const ms = Date.UTC(+year!, +month! - 1, +day!, +hour!, +minute!, +second);
  const date = new Date(ms);
  // Date.UTC rolls 31 February over into March; a rolled-over part means that the text was no date.
  if (date.getUTCMonth() !== +month! - 1 || date.getUTCDate() !== +day! || date.getUTCHours() !== +hour!)
    return null;
  if (+minute! > 59 || +second > 59 || +offsetHours > 23 || +offsetMinutes > 59) return null;
  const offsetMs = (sign === "-" ? -1 : 1) * (+offsetHours * 60 + +offsetMinutes) * 60_000;
  return ms + Number(`0.${fraction || "0"}`) * 1000 - offsetMs;
}

/** @returns the instant (unix ms) as ISO 8601 UTC with milliseconds, the form of every time that the canary writes */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString();
}
