/** A day as 288 bars, with late, lost, doubled and filtered cycles. */
import { describe, expect, test } from "vitest";
import { BAR_MS, BARS, describeUptime, uptimesOf, worstOf } from "../../shared/web/uptime.ts";
import type { CycleOutline } from "../../shared/wire/schemas/cycles.ts";

const NOW_MS = Date.parse("2026-11-23T10:00:00Z");
const MINUTE_MS = 60_000;
type Status = "green" | "red" | "unknown";

const cycleAt = (
  atMs: number,
  status: Status | null = "green",
  over: Partial<CycleOutline> = {},
): CycleOutline => ({
  snapshot_time: new Date(atMs).toISOString(),
  trigger: "schedule",
  checks_off: [],
  verdicts: status === null ? {} : { "S-01": { status } },
  ...over,
});
/** One cycle every five minutes for a day, the newest a minute ago. */
const day = (jitterMs: (i: number) => number = () => 0) =>
  Array.from({ length: BARS }, (_, i) => cycleAt(NOW_MS - MINUTE_MS - i * BAR_MS + jitterMs(i)));
const uptimeOf = (cycles: CycleOutline[], nowMs = NOW_MS) =>
  uptimesOf(
    [...cycles].sort((a, b) => b.snapshot_time.localeCompare(a.snapshot_time)),
    ["S-01"],
    nowMs,
  )["S-01"]!;

describe("a day of cycles", () => {
  test("each has its bar, also where the schedule is late by up to two minutes", () => {
    expect(describeUptime(uptimeOf(day()))).toBe("288 green of 288");
    const jittered = day((i) => (i === 0 ? 0 : ((i * 7919) % 240_000) - 120_000));
    expect(describeUptime(uptimeOf(jittered))).toBe("288 green of 288");
  });

  test("a cycle that is lost leaves a gap where it would have been", () => {
    const bars = uptimeOf(day().filter((_, i) => i !== 10));
    expect(bars[BARS - 1 - 10]).toBe("missing");
    expect(describeUptime(bars)).toBe("287 green, 1 missing of 288");
  });

  test("of several in one bar the worst is shown, wherever somebody asked for them", () => {
    const at = NOW_MS - MINUTE_MS - 20 * BAR_MS;
    const asked = (ms: number, status: Status) => cycleAt(at + ms, status, { trigger: "http" });
    const bars = uptimeOf([...day(), asked(30_000, "red"), asked(60_000, "unknown"), asked(90_000, "green")]);
    expect(bars[BARS - 1 - 20]).toBe("red");
    expect(describeUptime(bars)).toBe("1 red, 287 green of 288");
  });

  test("a cycle that somebody asked for moves no bar", () => {
    const asked = cycleAt(NOW_MS - 1_000, "red", { trigger: "http" });
    const bars = uptimeOf([...day(), asked]);
    expect(describeUptime(bars)).toBe("1 red, 287 green of 288");
    expect(bars.at(-1)).toBe("red");
  });

  test("a run of other invariants says nothing of this one", () => {
    const at = NOW_MS - MINUTE_MS - 20 * BAR_MS;
    const cycles = day().filter((_, i) => i !== 20);
    expect(uptimeOf([...cycles, cycleAt(at, null)])[BARS - 1 - 20]).toBe("missing");
  });

  test("what is left out is off", () => {
    expect(uptimeOf([cycleAt(NOW_MS, null, { checks_off: ["S-01"] })]).at(-1)).toBe("off");
  });

  test("a canary that has stopped shows it, once the time of a bar is over", () => {
    const cycles = day();
    const missingAfter = (ms: number) =>
      uptimeOf(cycles, NOW_MS - MINUTE_MS + ms).filter((state) => state === "missing").length;
    expect([0, 5, 7, 8, 12, 13, 60].map((minutes) => missingAfter(minutes * MINUTE_MS))).toEqual([
      0, 0, 0, 1, 1, 2, 11,
    ]);
  });

  test("without a cycle everything is missing", () => {
    expect(describeUptime(uptimeOf([]))).toBe("288 missing of 288");
  });
});

test("red is worse than unknown, and that than green", () => {
  expect(worstOf(["green", "unknown", "red"])).toBe("red");
  expect(worstOf(["green", "off", "unknown"])).toBe("unknown");
  expect(worstOf([])).toBe("missing");
});
