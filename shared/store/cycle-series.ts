/** Cycles next to one another: the points of a plot, the outlines of uptime bars, and the neighbours of one cycle. */
import { DAY_MS, formatInstant } from "../time.ts";
import type { CycleOutline, CyclePointRecord } from "../wire/schemas.ts";
import type { Neighbours, TimeRange } from "./history.ts";
import { fieldsOf, type Item, isExpired, type Table } from "./requests.ts";
import { dayOf, daysBetween, TABLE } from "./table.ts";

/** How many days before and after a cycle are searched for another one. */
const DAYS_SEARCHED = 7;

const toPoint = ({ sk, duration_ms, source_latency_ms, red_subjects }: Item): CyclePointRecord => ({
  time: String(sk),
  duration_ms: Number(duration_ms),
  source_latency_ms: source_latency_ms ?? null,
  red_subjects: red_subjects ?? null,
});

/** Reads some attributes of all cycles of that time, oldest first: a request or two a day. */
async function readCycles(
  table: Table,
  { startMs, endMs, nowMs }: TimeRange,
  attributes: readonly string[],
  names: Readonly<Record<string, string>> = {},
): Promise<Item[]> {
  const readDay = async (day: string): Promise<Item[]> => {
    const kept: Item[] = [];
    const items = table.query({
      KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
      ExpressionAttributeValues: {
        ":pk": `CYCLE#${day}`,
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

/** The points of a plot, oldest first. A cycle of some invariants that is known as such is left out. */
export async function series(table: Table, range: TimeRange): Promise<CyclePointRecord[]> {
  const attributes = ["duration_ms", "source_latency_ms", "red_subjects", "is_full"];
  const items = await readCycles(table, range, attributes);
  return items.filter(({ is_full }) => is_full !== false).map(toPoint);
}

// Where none of the invariants was run there are no verdicts in the answer at all.
const toOutline = (item: Item) =>
  ({ verdicts: {}, ...(fieldsOf(item) as object), snapshot_time: item.sk }) as CycleOutline;

/** What the uptime bars show of each cycle, newest first. */
export async function outlineCycles(
  table: Table,
  range: TimeRange,
  invariantIds: readonly string[],
): Promise<CycleOutline[]> {
  const names = Object.fromEntries(invariantIds.map((id, i) => [`#i${i}`, id]));
  const statuses = Object.keys(names).map((name) => `verdicts.${name}.#status`);
  const attributes = ["#trigger", "checks_off", "#found", ...statuses];
  const reserved = { "#status": "status", "#trigger": "trigger", "#found": "found" };
  return (await readCycles(table, range, attributes, { ...names, ...reserved })).reverse().map(toOutline);
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
