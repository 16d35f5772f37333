/** Cycles next to one another: the points of a plot, the outlines of uptime bars, and the neighbours of one cycle. */
import { DAY_MS, formatInstant, HOUR_MS } from "../time.ts";
import type { CycleOutline, CyclePointRecord } from "../wire/schemas/cycles.ts";
import type { Neighbours, TimeRange } from "./history.ts";
import { OUTLINE, outlineOf, pointOf } from "./outline.ts";
import { fieldsOf, type Item, isExpired, type Table } from "./requests.ts";
import { dayOf, daysBetween, TABLE } from "./table.ts";

/** How many days before and after a cycle are searched for another one. */
const DAYS_SEARCHED = 7;
/** After so long without an outline, the records are asked whether there were cycles. */
const GAP_MS = HOUR_MS;
/** Each costs a request or two a day. */
const MAX_STRETCHES = 8;

/** Some attributes of the items of that time, oldest first, by the prefix of their keys: a request or two a day. */
async function readItems(
  table: Table,
  prefix: string,
  { startMs, endMs, nowMs }: TimeRange,
  attributes: readonly string[],
  names: Readonly<Record<string, string>> = {},
): Promise<Item[]> {
  const readDay = async (day: string): Promise<Item[]> => {
    const kept: Item[] = [];
    const items = table.query({
      KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
      ExpressionAttributeValues: {
        ":pk": `${prefix}#${day}`,
        ":start": formatInstant(startMs),
        ":end": formatInstant(endMs),
      },
      ProjectionExpression: ["sk", "#expires", ...attributes].join(", "),
      ExpressionAttributeNames: { ...names, "#expires": TABLE.timeToLive },
    });
    for await (const item of items) if (!isExpired(item, nowMs)) kept.push(item);
    return kept;
  };
  return (await Promise.all([...daysBetween(startMs, endMs)].reverse().map(readDay))).flat();
}

/**
 * The stretches of a range in which the records are read: all that is longer than `GAP_MS` without an outline, in at most
 * `MAX_STRETCHES`. Where gaps are more, those that are nearest to each other are read as one.
 */
function stretchesOf(times: readonly number[], range: TimeRange): TimeRange[] {
  const bounds = [range.startMs, ...times, range.endMs];
  const gaps = bounds
    .slice(1)
    .map((endMs, i) => ({ ...range, startMs: bounds[i]!, endMs }))
    .filter(({ startMs, endMs }) => endMs - startMs > GAP_MS);
  if (gaps.length === 0) return [];
  const apartMs = (gap: number) => gaps[gap]!.startMs - gaps[gap - 1]!.endMs;
  const begins = [...gaps.keys()]
    .slice(1)
    .sort((a, b) => apartMs(b) - apartMs(a))
    .slice(0, MAX_STRETCHES - 1)
    .sort((a, b) => a - b);
  return [0, ...begins].map((begin, i) => ({
    ...gaps[begin]!,
    endMs: gaps[(begins[i] ?? gaps.length) - 1]!.endMs,
  }));
}

/** How something about a cycle is read from its outline, and from its record. */
interface Reading<T> {
  readonly attribute: string;
  /** Null for a cycle that says nothing of it. */
  ofOutline(item: Item): T | null;
  readonly recordAttributes: readonly string[];
  readonly recordNames?: Readonly<Record<string, string>>;
  ofRecord(item: Item): T | null;
}

/**
 * Reads something about each cycle of that time, oldest first: from the outlines, which are small, and in the gaps
 * between them from the records, which may be large. Older versions wrote no outlines.
 */
async function readEach<T>(table: Table, range: TimeRange, reading: Reading<T>): Promise<T[]> {
  const { attribute, ofOutline, recordAttributes, recordNames, ofRecord } = reading;
  const outlines = await readItems(table, OUTLINE, range, [attribute]);
  const times = outlines.map(({ sk }) => Date.parse(sk));
  const stretches = stretchesOf(times, range);
  const records = await Promise.all(
    stretches.map((stretch) => readItems(table, "CYCLE", stretch, recordAttributes, recordNames)),
  );
  const known = new Set(outlines.map(({ sk }) => sk));
  const each = [
    ...outlines.map((item) => ({ sk: item.sk, one: ofOutline(item) })),
    ...records
      .flat()
      .filter(({ sk }) => !known.has(sk))
      .map((item) => ({ sk: item.sk, one: ofRecord(item) })),
  ];
  each.sort((a, b) => (a.sk < b.sk ? -1 : 1));
  return each.flatMap(({ one }) => (one === null ? [] : [one]));
}

/** The points of a plot, oldest first. A cycle of some invariants that is known as such is left out. */
export const series = (table: Table, range: TimeRange): Promise<CyclePointRecord[]> =>
  readEach<CyclePointRecord>(table, range, {
    attribute: "point",
    ofOutline: pointOf,
    recordAttributes: ["duration_ms", "source_latency_ms", "red_subjects", "is_full"],
    ofRecord: ({ sk, duration_ms, source_latency_ms, red_subjects, is_full }) =>
      is_full === false
        ? null
        : {
            time: String(sk),
            duration_ms: Number(duration_ms),
            source_latency_ms: source_latency_ms ?? null,
            red_subjects: red_subjects ?? null,
          },
  });

/** What the uptime bars show of each cycle, newest first. */
export async function outlineCycles(
  table: Table,
  range: TimeRange,
  invariantIds: readonly string[],
): Promise<CycleOutline[]> {
  const names = Object.fromEntries(invariantIds.map((id, i) => [`#i${i}`, id]));
  const statuses = Object.keys(names).map((name) => `verdicts.${name}.#status`);
  const reserved = { "#status": "status", "#trigger": "trigger", "#found": "found" };
  const cycles = await readEach<CycleOutline>(table, range, {
    attribute: "outline",
    ofOutline: (item) => outlineOf(item, invariantIds),
    recordAttributes: ["#trigger", "checks_off", "#found", ...statuses],
    recordNames: { ...names, ...reserved },
    // Where none of the invariants was run there are no verdicts in the answer at all.
    ofRecord: (item) =>
      ({ verdicts: {}, ...(fieldsOf(item) as object), snapshot_time: item.sk }) as CycleOutline,
  });
  return cycles.reverse();
}

/** The time of the nearest cycle before or after that one. A day without any costs one request more. */
async function nearest(
  table: Table,
  snapshotTime: string,
  direction: 1 | -1,
  nowMs: number,
): Promise<string | null> {
  const fromMs = Date.parse(snapshotTime);
  for (let days = 0; days <= DAYS_SEARCHED; days += 1) {
    const dayMs = fromMs + direction * days * DAY_MS;
    // Nothing comes after today.
    if (direction > 0 && days > 0 && dayOf(dayMs) > dayOf(nowMs)) return null;
    const items = table.query({
      KeyConditionExpression: `pk = :pk AND sk ${direction > 0 ? ">" : "<"} :time`,
      ExpressionAttributeValues: { ":pk": `CYCLE#${dayOf(dayMs)}`, ":time": snapshotTime },
      ProjectionExpression: "sk, #expires",
      ExpressionAttributeNames: { "#expires": TABLE.timeToLive },
      ScanIndexForward: direction > 0,
      Limit: 1,
    });
    for await (const item of items) return isExpired(item, nowMs) ? null : String(item.sk);
  }
  return null;
}

/** The times of the cycles before and after that one. */
export async function neighbours(table: Table, snapshotTime: string, nowMs: number): Promise<Neighbours> {
  const [previous, next] = await Promise.all([
    nearest(table, snapshotTime, -1, nowMs),
    nearest(table, snapshotTime, 1, nowMs),
  ]);
  return { previous, next };
}
