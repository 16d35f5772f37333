import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatInstant, parseTimestamp, timestampReader } from "../shared/time.ts";

const AT_MS = Date.UTC(2026, 4, 18, 10, 30, 0);

describe("timestamps that the platform has written", () => {
  test.each([
    ["today's form, with microseconds", "2026-05-18T10:30:00.123456Z", AT_MS + 123.456],
    ["an old naive row, which means UTC", "2026-05-18T10:30:00.123456", AT_MS + 123.456],
    ["SQLite's own form", "2026-05-18 10:30:00", AT_MS],
    ["whole seconds", "2026-05-18T10:30:00Z", AT_MS],
    ["an offset of nothing", "2026-05-18T10:30:00+00:00", AT_MS],
    ["an offset to the east", "2026-05-18T12:30:00+02:00", AT_MS],
    ["an offset to the west, over midnight", "2026-05-17T23:00:00.5-11:30", AT_MS + 500],
    ["an offset without its colon", "2026-05-18T12:30:00+0200", AT_MS],
    ["an offset of whole hours", "2026-05-18T12:30:00+02", AT_MS],
    ["a blank before the offset", "2026-05-18 12:30:00 +02:00", AT_MS],
    ["nine digits of a second", "2026-05-18T10:30:00.000000001Z", AT_MS],
    ["one digit of a second", "2026-05-18T10:30:00.5Z", AT_MS + 500],
    ["minutes only", "2026-05-18T10:30Z", AT_MS],
    ["small letters", "2026-05-18t10:30:00z", AT_MS],
    ["blanks around", "  2026-05-18T10:30:00Z\n", AT_MS],
    ["a leap day", "2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
    ["the first instant", "1970-01-01T00:00:00Z", 0],
    ["the first year of four digits", "1000-01-01T00:00:00Z", Date.UTC(1000, 0, 1)],
    ["the last year of four digits", "9999-12-31T23:59:59Z", Date.UTC(9999, 11, 31, 23, 59, 59)],
  ])("%s: %s", (_, text, ms) => {
    expect(parseTimestamp(text)).toBeCloseTo(ms, 3);
  });
});

describe("what is no time is null, never a wrong one", () => {
  test.each([
    null,
    "",
    " ",
    "garbage",
    "now",
    "1779100200",
    "2026-05-18",
    "10:30:00",
    "2026-02-29T00:00:00Z",
    "2026-02-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-05-00T00:00:00Z",
    "2026-05-18T24:00:00Z",
    "2026-05-18T10:60:00Z",
    "2026-05-18T10:30:60Z",
    "2026-05-18T10:30:00+24:00",
    "2026-05-18T10:30:00+02:60",
    "2026-05-18T10:30:00Z+02:00",
    "2026-05-18T10:30:00Zulu",
    "2026-05-18T10:30:00.",
    "2026-5-18T10:30:00Z",
    "26-05-18T10:30:00Z",
    "+02026-05-18T10:30:00Z",
    "0000-05-18T10:30:00Z",
    "0026-05-18T10:30:00Z",
    "0099-12-31T23:59:59Z",
    "0999-12-31T23:59:59Z",
    "２０２６-05-18T10:30:00Z",
    "2026-05-18T10:30:00Z\n2026-05-18T10:30:00Z",
  ])("%j", (text) => {
    expect(parseTimestamp(text)).toBeNull();
  });
});

describe("times that the canary writes", () => {
  test("are UTC with milliseconds", () => {
    expect(formatInstant(AT_MS + 7)).toBe("2026-05-18T10:30:00.007Z");
  });

  test("sort as text as they do as instants, and are read back as they were", () => {
    const instant = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) });
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        expect(parseTimestamp(formatInstant(a))).toBe(a);
        expect(formatInstant(a) < formatInstant(b)).toBe(a < b);
      }),
    );
  });

  test("the same instant in any offset is read as the same", () => {
    const offset = fc.integer({ min: -23 * 60, max: 23 * 60 });
    fc.assert(
      fc.property(offset, (minutes) => {
        const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
        const suffix = `${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
        const local = formatInstant(AT_MS + minutes * 60_000).slice(0, -1);
        expect(parseTimestamp(local + suffix)).toBe(AT_MS);
      }),
    );
  });
});

describe("a reader of many timestamps", () => {
  test("gives what each by itself would give, whatever came before it", () => {
    const instant = fc
      .date({
        min: new Date("0990-01-01T00:00:00Z"),
        max: new Date("2100-01-01T00:00:00Z"),
        noInvalidDate: true,
      })
      .map((date) => date.toISOString().replace("Z", "123Z"));
    const broken = fc
      .tuple(instant, fc.nat(26), fc.constantFrom("0", "9", "6", "3", " ", "T", ":", "Z", "+"))
      .map(([text, at, character]) => text.slice(0, at) + character + text.slice(at + 1));
    const texts = fc.array(fc.oneof(instant, broken, fc.string(), fc.constant(null)), { minLength: 1 });
    fc.assert(
      fc.property(texts, (all) => {
        const read = timestampReader();
        // Twice: the second time what is known of their minutes counts.
        expect([...all, ...all].map(read)).toEqual([...all, ...all].map(parseTimestamp));
      }),
      { numRuns: 300 },
    );
  });
});
