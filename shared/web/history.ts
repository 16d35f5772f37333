/** The violations of one invariant over time, page by page, newest first. */
import type { DayStats } from "../store/history.ts";
import { dayOf, keptRange } from "../store/table.ts";
import { DAY_MS } from "../time.ts";
import type { CycleOutline, ViolationRecord } from "../wire/schemas.ts";
import type { CanaryView } from "./view.ts";

/** Violations that one page shows, and how many cycles it looks into for them. */
const MAX_VIOLATIONS = 25;
const MAX_CYCLES = 10;
/** Days that are searched for a cycle with violations. The day of `before` may have none before it. */
const MAX_DAYS_SEARCHED = 2;
const DAYS_KEPT = 90;

export interface History {
  /** Violations of each of the last 90 days, oldest day first. */
  readonly days: readonly { readonly day: string; readonly count: number }[];
  /** Newest first. */
  readonly violations: readonly ViolationRecord[];
  /** How many violations the cycles have that these are of. */
  readonly violationsInCycles: number;
  /** Where the next page starts; null at the end. */
  readonly olderThan: string | null;
}

type Counts = ReadonlyMap<string, number>;

const foundIn = (cycle: CycleOutline, id: string) => cycle.found?.[id];
const violationsIn = (cycles: readonly CycleOutline[], id: string) =>
  cycles.reduce((sum, cycle) => sum + (foundIn(cycle, id)?.violations ?? 0), 0);

const countsOf = (stats: readonly DayStats[], id: string): Counts =>
  new Map(
    stats.map(({ day, counts }) => [
      day,
      counts.filter((c) => c.invariantId === id).reduce((sum, c) => sum + c.count, 0),
    ]),
  );

/** The days with violations up to that instant, newest first. */
const daysUpTo = (counts: Counts, ms: number) =>
  [...counts]
    .filter(([day, count]) => count > 0 && day <= dayOf(ms))
    .map(([day]) => day)
    .reverse();

/** Searches the days before, newest first, until one has a cycle with violations. A day's cycles are one request. */
async function searchDays(
  { store }: CanaryView,
  id: string,
  counts: Counts,
  endMs: number,
  nowMs: number,
): Promise<CycleOutline[]> {
  for (const day of daysUpTo(counts, endMs).slice(0, MAX_DAYS_SEARCHED)) {
    const startMs = Date.parse(day);
    const range = { startMs, endMs: Math.min(endMs, startMs + DAY_MS - 1), nowMs };
    const cycles = (await store.history.outlineCycles(range, [id])).filter((cycle) => foundIn(cycle, id));
    if (cycles.length > 0) return cycles;
  }
  return [];
}

/** The first of the cycles that together fill a page. */
function firstPage(cycles: readonly CycleOutline[], id: string): CycleOutline[] {
  const page: CycleOutline[] = [];
  for (const cycle of cycles) {
    if (violationsIn(page, id) >= MAX_VIOLATIONS || page.length === MAX_CYCLES) break;
    page.push(cycle);
  }
  return page;
}

/**
 * Reads one page of the history. The record of a cycle knows which violations are its own, so that the number of requests
 * does not grow with what others have found.
 * @param lastDay the cycles of the last 24 hours, which the page reads anyway
 * @param before only violations of cycles before that instant (unix ms)
 */
export async function readHistory(
  view: CanaryView,
  id: string,
  lastDay: Promise<readonly CycleOutline[]>,
  before: number | null,
): Promise<History> {
  const { store } = view;
  const nowMs = view.now();
  const [cycles, stats] = await Promise.all([
    lastDay,
    store.history.stats(keptRange(undefined, undefined, nowMs)),
  ]);
  const counts = countsOf(stats, id);
  const recent = before === null ? cycles.filter((cycle) => foundIn(cycle, id)) : [];
  const found =
    recent.length > 0
      ? recent
      : await searchDays(view, id, counts, before === null ? nowMs : before - 1, nowMs);
  const shown = firstPage(found, id);
  const violations = await Promise.all(
    shown.map((cycle) => {
      const { first_violation_id, violations } = foundIn(cycle, id)!;
      return store.history.listViolationsFrom(
        first_violation_id,
        Math.min(violations, MAX_VIOLATIONS),
        nowMs,
      );
    }),
  );
  const last = shown.at(-1)?.snapshot_time;
  // The last 24 hours begin in the middle of a day, which may have had violations before that.
  const firstDay = dayOf(nowMs - DAY_MS);
  const inFirstDay = recent.filter((cycle) => cycle.snapshot_time.startsWith(firstDay));
  const isCut = recent.length > 0 && (counts.get(firstDay) ?? 0) > violationsIn(inFirstDay, id);
  const hasOlder = (time: string) =>
    isCut || shown.length < found.length || daysUpTo(counts, Date.parse(time.slice(0, 10)) - 1).length > 0;
  return {
    days: Array.from({ length: DAYS_KEPT }, (_, i) => {
      const day = dayOf(nowMs - (DAYS_KEPT - 1 - i) * DAY_MS);
      return { day, count: counts.get(day) ?? 0 };
    }),
    violations: violations.flat().slice(0, MAX_VIOLATIONS),
    violationsInCycles: violationsIn(shown, id),
    olderThan: last !== undefined && hasOlder(last) ? last : null,
  };
}
