/** The one DynamoDB table: its keys, what is kept for how long, and how a violation's id names its item. */
import type { Severity } from "../invariants/invariant.ts";
import { DAY_MS } from "../time.ts";

/** Attribute names of the table's key and of its TTL. */
export const TABLE = { partitionKey: "pk", sortKey: "sk", timeToLive: "expires_at" } as const;

/** Evidence is kept this long. TTL deletion is late, so readers look at `expires_at` themselves. */
export const EVIDENCE_DAYS = 90;
export const EVIDENCE_SECONDS = EVIDENCE_DAYS * 86_400;
/** DynamoDB takes 400 kB in an item, counted its own way: this leaves room. */
export const MAX_ITEM_BYTES = 300_000;

/** The UTC day of an instant (unix ms): `2026-11-23`. */
export const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

/** The value of `expires_at`, in unix seconds. */
export const expiresAt = (nowMs: number, seconds: number): number => Math.floor(nowMs / 1000) + seconds;

/**
 * Limits a range to the time that evidence is kept for.
 * @param startMs the wanted start (unix ms); the oldest kept instant where it is left out
 * @param endMs the wanted end (unix ms); now where it is left out
 */
export function keptRange(startMs: number | undefined, endMs: number | undefined, nowMs: number) {
  const oldestMs = nowMs - EVIDENCE_SECONDS * 1000;
  // A range that lies wholly outside gets a start after its end: it is empty.
  return { startMs: Math.max(startMs ?? oldestMs, oldestMs), endMs: Math.min(endMs ?? nowMs, nowMs), nowMs };
}

const ID_DIGITS = 6;
const SORT_KEY_DIGITS = 16;

/**
 * Makes a violation's id, such as 20261123000021: the day, and the place in six digits (more where a day has more).
 * @param day as `dayOf` gives it
 * @param place the violation's place in its day, from 1
 */
export const violationId = (day: string, place: number): number =>
  Number(day.replaceAll("-", "") + String(place).padStart(ID_DIGITS, "0"));

/** The sort key of a violation. It sorts the ids of one day. */
export const violationSortKey = (id: number): string => String(id).padStart(SORT_KEY_DIGITS, "0");

/** The day in a violation's id, null where the id holds none. */
export function dayOfViolation(id: number): string | null {
  const match = /^(\d{4})(\d\d)(\d\d)\d{6,8}$/.exec(String(id));
  return match ? `${match[1]}-${match[2]}-${match[3]}` : null;
}

/** The days from the last to the first, as they are listed. */
export function* daysBetween(startMs: number, endMs: number): Generator<string> {
  if (startMs > endMs) return;
  const first = dayOf(startMs);
  for (let ms = endMs; ; ms -= DAY_MS) {
    const day = dayOf(ms);
    if (day < first) return;
    yield day;
  }
}

/** The attribute of a day's counters that counts violations of that invariant and severity. */
export const countAttribute = (invariantId: string, severity: Severity): string =>
  `count#${invariantId}#${severity}`;

/** Reads such an attribute name. Returns null for any other. */
export function parseCountAttribute(name: string): { invariantId: string; severity: Severity } | null {
  const [kind, invariantId, severity] = name.split("#");
  return kind === "count" ? { invariantId: invariantId!, severity: severity as Severity } : null;
}
