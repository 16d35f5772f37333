/** Plots and uptime bars where versions without outlines ran in between: every cycle is there, for a bounded number of requests. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { outlineCycles, series } from "../../shared/store/cycle-series.ts";
import { outlineItem } from "../../shared/store/outline.ts";
import type { Item, Table } from "../../shared/store/requests.ts";
import { dayOf } from "../../shared/store/table.ts";
import { DAY_MS, formatInstant, HOUR_MS, MINUTE_MS } from "../../shared/time.ts";
import { START_MS } from "../support/cycle.ts";
import { cycleAt } from "../support/cycle-record.ts";

const EVERY_MS = 10 * MINUTE_MS;
const DAYS = 3;
const RANGE = {
  startMs: START_MS - EVERY_MS,
  endMs: START_MS + DAYS * DAY_MS,
  nowMs: START_MS + DAYS * DAY_MS,
};

/** The cycles of three days, those of some hours (counted from the first) by a version that wrote records alone. */
function tableOf(isOlder: (hour: number) => boolean, hasRun: (hour: number) => boolean = () => true) {
  const times = Array.from({ length: (DAYS * DAY_MS) / EVERY_MS }, (_, i) => START_MS + i * EVERY_MS);
  const ran = times.filter((atMs) => hasRun(Math.floor((atMs - START_MS) / HOUR_MS)));
  const expires_at = RANGE.nowMs / 1000 + 1;
  const items: Item[] = ran.flatMap((atMs) => {
    const cycle = cycleAt(atMs);
    const record = { pk: `CYCLE#${dayOf(atMs)}`, sk: cycle.snapshot_time, expires_at, ...cycle };
    const isOld = isOlder(Math.floor((atMs - START_MS) / HOUR_MS));
    return isOld ? [record] : [record, { ...outlineItem(cycle), expires_at }];
  });
  const asked: string[] = [];
  const query: Table["query"] = async function* ({ ExpressionAttributeValues: values }) {
    const { ":pk": pk, ":start": start, ":end": end } = values!;
    asked.push(pk);
    yield* items.filter((item) => item.pk === pk && item.sk >= start && item.sk <= end);
  };
  const table = { query } as Table;
  return {
    all: ran.map(formatInstant),
    async read() {
      const drawn = (await series(table, RANGE)).map(({ time }) => time);
      const requests = { outlines: 0, records: 0 };
      for (const pk of asked) requests[pk.startsWith("CYCLE#") ? "records" : "outlines"] += 1;
      const bars = (await outlineCycles(table, RANGE, ["S-01"])).map(({ snapshot_time }) => snapshot_time);
      return { drawn, bars: bars.reverse(), requests };
    },
  };
}

test.each<[string, (hour: number) => boolean]>([
  ["all the time", () => true],
  ["for two nights", (hour) => hour % 24 >= 14 && hour % 24 < 20 && hour < 48],
  [
    "for a day, and for two hours before and after",
    (hour) => [3, 4, 62, 63].includes(hour) || (hour >= 20 && hour < 44),
  ],
])("an older version ran %s: nothing is missing", async (_, isOlder) => {
  const { all, read } = tableOf(isOlder);
  const { drawn, bars } = await read();
  expect(drawn).toEqual(all);
  expect(bars).toEqual(all);
});

test("where outlines have no gap, no record is read", async () => {
  const { all, read } = tableOf(() => false);
  expect(await read()).toEqual({ drawn: all, bars: all, requests: { outlines: DAYS + 1, records: 0 } });
});

test("one night without a canary costs what an older version's night costs: a query a day", async () => {
  const isNight = (hour: number) => hour >= 10 && hour < 20;
  for (const { all, read } of [
    tableOf(isNight),
    tableOf(
      () => false,
      (hour) => !isNight(hour),
    ),
  ]) {
    const { drawn, requests } = await read();
    expect(drawn).toEqual(all);
    // It goes on after midnight.
    expect(requests).toEqual({ outlines: DAYS + 1, records: 2 });
  }
});

test("whichever hours were an older version's, or nobody's: nothing is missing, and the requests are few", async () => {
  const hours = fc.array(fc.constantFrom("new" as const, "new" as const, "older" as const, "none" as const), {
    minLength: DAYS * 24,
    maxLength: DAYS * 24,
  });
  let most = 0;
  await fc.assert(
    fc.asyncProperty(hours, async (kinds) => {
      const { all, read } = tableOf(
        (hour) => kinds[hour] === "older",
        (hour) => kinds[hour] !== "none",
      );
      const { drawn, bars, requests } = await read();
      expect(drawn).toEqual(all);
      expect(bars).toEqual(all);
      most = Math.max(most, requests.records);
    }),
    { numRuns: 30 },
  );
  expect(most).toBeLessThanOrEqual(8 + DAYS);
});
