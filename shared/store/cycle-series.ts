/** Cycles as pages show them beside one another: the points of a plot, and the neighbours of one cycle. */
import { DAY_MS, formatInstant } from "../time.ts";
import type { CyclePointRecord } from "../wire/schemas.ts";
import type { Neighbours, TimeRange } from "./history.ts";
import { type Item, isExpired, type Table } from "./requests.ts";
import { dayOf, daysBetween, TABLE } from "./table.ts";

/** How many days before and after a cycle are searched for another one. */
const DAYS_SEARCHED = 7;

const toPoint = ({ sk, duration_ms, source_latency_ms, red_subjects }: Item): CyclePointRecord => ({
  time: String(sk),
  duration_ms: Number(duration_ms),
  source_latency_ms: source_latency_ms ?? null,
  red_subjects: red_subjects ?? null,
});

/** The points of a plot, oldest first. A cycle of some invariants that is known as such is left out. */
export async function series(
  table: Table,
  { startMs, endMs, nowMs }: TimeRange,
): Promise<CyclePointRecord[]> {
  const pointsOf = async (day: string): Promise<CyclePointRecord[]> => {
    const points: CyclePointRecord[] = [];
    const items = table.query({
      KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
      ExpressionAttributeValues: {
        ":pk": `CYCLE#${day}`,
        ":start": formatInstant(startMs),
        ":end": formatInstant(endMs),
      },
      ProjectionExpression: "sk, #expires, duration_ms, source_latency_ms, red_subjects, is_full",
      ExpressionAttributeNames: { "#expires": TABLE.timeToLive },
    });
    for await (const item of items)
      if (!isExpired(item, nowMs) && item.is_full !== false) points.push(toPoint(item));
    return points;
  };
  return (await Promise.all([...daysBetween(startMs, endMs)].reverse().map(pointsOf))).flat();
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
