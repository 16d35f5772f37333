/** What earlier cycles left: their records, their violations, and counters, as API and pages list them. */
import { QueryCommand, type QueryCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Severity, Tier } from "../invariants/invariant.ts";
import { formatInstant, HOUR_MS } from "../time.ts";
import { bytesOf, MAX_ANSWER_BYTES } from "../wire/fit-into.ts";
import type { CycleOutline, CyclePointRecord, CycleRecord } from "../wire/schemas/cycles.ts";
import type { ViolationRecord } from "../wire/schemas/violations.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { neighbours, outlineCycles, series } from "./cycle-series.ts";
import { fieldsOf, type Item, isExpired, type Table } from "./requests.ts";
import { dayOf, dayOfViolation, daysBetween, parseCountAttribute, violationSortKey } from "./table.ts";

/** A stretch of time (unix ms), both ends in it. */
export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
  /** Items that have expired by now are left out, also those that DynamoDB has not deleted yet. */
  readonly nowMs: number;
}
export interface ViolationFilter extends TimeRange {
  readonly invariantId?: string | undefined;
  readonly severity?: Severity | undefined;
  readonly tier?: Tier | undefined;
  readonly subject?: string | undefined;
}
export interface ListPage<T> {
  readonly items: readonly T[];
  /** Where the next page starts; null at the end. */
  readonly cursor: string | null;
}

/** Counters of one day, by `invariant_id` and severity. */
export interface DayStats {
  readonly day: string;
  readonly counts: readonly {
    readonly invariantId: string;
    readonly severity: Severity;
    readonly count: number;
  }[];
}

/** The times of two cycles. */
export interface Neighbours {
  readonly previous: string | null;
  readonly next: string | null;
}

export interface History {
  /** Lists violations, newest first. */
  listViolations(
    filter: ViolationFilter,
    limit: number,
    cursor: string | null,
  ): Promise<ListPage<ViolationRecord>>;
  getViolation(id: number, nowMs: number): Promise<ViolationRecord | null>;
  /** Lists violations whose ids follow one another, in one request: those that are kept, in the order of their ids. */
  listViolationsFrom(firstId: number, most: number, nowMs: number): Promise<ViolationRecord[]>;
  stats(range: TimeRange): Promise<DayStats[]>;
  /** Lists cycles, newest first. */
  listCycles(range: TimeRange, limit: number, cursor: string | null): Promise<ListPage<CycleRecord>>;
  /** Lists every cycle of that time, newest first, cut down to what a row of uptime bars shows; a request or two a day. */
  outlineCycles(range: TimeRange, invariantIds: readonly string[]): Promise<CycleOutline[]>;
  /** The points of a plot, oldest first: every cycle of that time that ran every invariant. One request or two a day. */
  series(range: TimeRange): Promise<CyclePointRecord[]>;
  /** The times of the cycles before and after that one; null where there is none within a week. Two requests, mostly. */
  neighbours(snapshotTime: string, nowMs: number): Promise<Neighbours>;
  /** @param snapshotTime as the cycle's record has it */
  getCycle(snapshotTime: string, nowMs: number): Promise<CycleRecord | null>;
}

export const historyOf = (table: Table): History => ({
  listViolations: (filter, limit, cursor) => listViolations(table, filter, limit, cursor),
  getViolation: (id, nowMs) => getViolation(table, id, nowMs),
  listViolationsFrom: (firstId, most, nowMs) => listViolationsFrom(table, firstId, most, nowMs),
  stats: (range) => stats(table, range),
  listCycles: (range, limit, cursor) => listCycles(table, range, limit, cursor),
  outlineCycles: (range, ids) => outlineCycles(table, range, ids),
  series: (range) => series(table, range),
  neighbours: (snapshotTime, nowMs) => neighbours(table, snapshotTime, nowMs),
  getCycle: (snapshotTime, nowMs) => getCycle(table, snapshotTime, nowMs),
});

/** Requests to the days of one page. A filter may leave nothing of a day of a hundred thousand items. */
const MAX_REQUESTS = 20;
/** Violations get their ids in the order of their cycles, but for cycles that overlap: by less than this. */
const OVERLAP_MS = HOUR_MS;

interface DayListing<T> {
  /** The days to look at, newest first. */
  readonly days: Iterable<string>;
  readonly prefix: string;
  /** Narrows the query of a day. */
  readonly filter?: Pick<QueryCommandInput, "FilterExpression" | "ExpressionAttributeValues">;
  /** Says that nothing after this item is to be listed. */
  isEnd?(item: Item): boolean;
  /** Returns null for an item that is not to be listed. */
  read(item: Item): T | null;
}

/** A page of a list is an answer of a function, however large its items are. */
const MAX_PAGE_BYTES = 0.8 * MAX_ANSWER_BYTES;

/**
 * Newest first over the days, from the cursor's item on; one query for each day that is reached. Where the requests of a page
 * are used up, the page ends where it is: it may be empty, and still have a cursor.
 */
async function listByDay<T extends object>(
  table: Table,
  { days, prefix, filter, isEnd, read }: DayListing<T>,
  limit: number,
  cursor: string | null,
): Promise<ListPage<T>> {
  const [fromDay, before] = cursor === null ? [null, null] : decodeCursor(cursor);
  const items: T[] = [];
  let bytes = 0;
  let last = "";
  let requests = 0;
  for (const day of days) {
    if (fromDay !== null && day > fromDay) continue;
    const inDay = day === fromDay ? before : null;
    const pages = table.pages({
      ...filter,
      ExpressionAttributeValues: {
        ":pk": `${prefix}#${day}`,
        ...(inDay && { ":before": inDay }),
        ...filter?.ExpressionAttributeValues,
      },
      KeyConditionExpression: `pk = :pk${inDay ? " AND sk < :before" : ""}`,
      ScanIndexForward: false,
      // DynamoDB counts what the filter leaves out too.
      ...(!filter && { Limit: Math.max(limit, 100) }),
    });
    for await (const page of pages) {
      requests += 1;
      for (const item of page.items) {
        if (isEnd?.(item)) return { items, cursor: null };
        const value = read(item);
        if (value === null) continue;
        bytes += bytesOf(value);
        const isFull = items.length === limit || bytes > MAX_PAGE_BYTES;
        if (isFull && items.length > 0) return { items, cursor: last };
        items.push(value);
        last = encodeCursor(day, String(item.sk));
      }
      if (page.lastKey && requests >= MAX_REQUESTS)
        return { items, cursor: encodeCursor(day, String(page.lastKey.sk)) };
    }
  }
  return { items, cursor: null };
}

async function listViolations(
  table: Table,
  { invariantId, severity, tier, subject, ...range }: ViolationFilter,
  limit: number,
  cursor: string | null,
): Promise<ListPage<ViolationRecord>> {
  const conditions = { invariant_id: invariantId, severity, tier, subject };
  const given = Object.entries(conditions).filter(([, value]) => value !== undefined);
  // Only days that have violations are asked for: the counters know them.
  const days = (await stats(table, range)).map((s) => s.day).reverse();
  const wanted = [
    "snapshot_time BETWEEN :start AND :end",
    "expires_at > :now",
    ...given.map(([name]) => `${name} = :${name}`),
  ].join(" AND ");
  const endsBefore = formatInstant(Math.max(0, range.startMs - OVERLAP_MS));
  const filter = {
    // What is too old is read too: it says where to stop.
    FilterExpression: `snapshot_time < :ends OR (${wanted})`,
    ExpressionAttributeValues: {
      ":ends": endsBefore,
      ":start": formatInstant(range.startMs),
      ":end": formatInstant(range.endMs),
      ":now": Math.floor(range.nowMs / 1000),
      ...Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])),
    },
  };
  const isEnd = (item: Item) => item.snapshot_time < endsBefore;
  return listByDay(table, { days, prefix: "VIOLATION", filter, isEnd, read: readViolation }, limit, cursor);
}

async function getViolation(table: Table, id: number, nowMs: number): Promise<ViolationRecord | null> {
  const day = dayOfViolation(id);
  if (!day) return null;
  const item = await table.get(`VIOLATION#${day}`, violationSortKey(id));
  return item && !isExpired(item, nowMs) ? readViolation(item) : null;
}

async function listViolationsFrom(
  { client, name }: Table,
  firstId: number,
  most: number,
  nowMs: number,
): Promise<ViolationRecord[]> {
  const day = dayOfViolation(firstId);
  if (!day) return [];
  const { Items = [] } = await client.send(
    new QueryCommand({
      TableName: name,
      KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
      ExpressionAttributeValues: {
        ":pk": `VIOLATION#${day}`,
        ":first": violationSortKey(firstId),
        ":last": violationSortKey(firstId + most - 1),
      },
    }),
  );
  return Items.filter((item) => !isExpired(item, nowMs)).map(readViolation);
}

async function stats(table: Table, { startMs, endMs, nowMs }: TimeRange): Promise<DayStats[]> {
  // DynamoDB refuses a BETWEEN whose ends are swapped.
  if (startMs > endMs) return [];
  const days: DayStats[] = [];
  const items = table.query({
    KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
    ExpressionAttributeValues: { ":pk": "STATS", ":start": dayOf(startMs), ":end": dayOf(endMs) },
  });
  for await (const item of items) {
    if (isExpired(item, nowMs)) continue;
    const counts = Object.entries(item).flatMap(([name, count]) => {
      const counted = parseCountAttribute(name);
      return counted ? [{ ...counted, count: Number(count) }] : [];
    });
    days.push({ day: String(item.sk), counts });
  }
  return days;
}

async function listCycles(
  table: Table,
  { startMs, endMs, nowMs }: TimeRange,
  limit: number,
  cursor: string | null,
): Promise<ListPage<CycleRecord>> {
  const [start, end] = [formatInstant(startMs), formatInstant(endMs)];
  const isListed = (item: Item) =>
    String(item.sk) >= start && String(item.sk) <= end && !isExpired(item, nowMs);
  const listing = {
    days: daysBetween(startMs, endMs),
    prefix: "CYCLE",
    read: (item: Item) => (isListed(item) ? readCycle(item) : null),
  };
  return listByDay(table, listing, limit, cursor);
}

async function getCycle(table: Table, snapshotTime: string, nowMs: number): Promise<CycleRecord | null> {
  const item = await table.get(`CYCLE#${snapshotTime.slice(0, 10)}`, snapshotTime);
  return item && !isExpired(item, nowMs) ? readCycle(item) : null;
}

/** The crossing from stored items to records: the table holds what `EvidenceStore.write` put there. */
const readViolation = (item: Item) => fieldsOf(item) as ViolationRecord;
const readCycle = (item: Item) => fieldsOf(item) as CycleRecord;
