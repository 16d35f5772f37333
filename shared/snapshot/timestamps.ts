const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s*(?:(Z)|([+-])(\d\d):?(\d\d)?)?$/i;

/**
 * Reads a timestamp of the platform's database as an instant.
 * @param text ISO 8601 with `Z`, with an offset, or naive, which means UTC
 * @returns unix ms, or null where the text is empty, garbage, or no date of the calendar
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
