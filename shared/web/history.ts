/** The violations of one invariant over time, page by page, newest first. */
import type { DayStats } from "../store/history.ts";
import { dayOf, EVIDENCE_DAYS, keptRange } from "../store/table.ts";
import { DAY_MS } from "../time.ts";
import type { CycleOutline } from "../wire/schemas/cycles.ts";
import { type Found, foundByCycle } from "./rows.ts";
import type { CanaryView } from "./view.ts";

/** The limits of one page: its violations, and the cycles that they come from. */
const MAX_VIOLATIONS = 10;
const MAX_CYCLES = 10;
/** Days that are searched for a cycle with violations. The day of `before` may have none before it. */
const MAX_DAYS_SEARCHED = 2;

/** Violations by day. */
type Counts = ReadonlyMap<string, number>;

const sumOf = (found: readonly Found[]) => found.reduce((sum, { violations }) => sum + violations, 0);

const countsOf = (stats: readonly DayStats[], id: string): Counts =>
  new Map(
    stats.map(({ day, counts }) => [
      day,
      counts.filter((c) => c.invariantId === id).reduce((sum, c) => sum + c.count, 0),
    ]),
  );

/** Lists the days with violations up to an instant, newest first. */
const daysUpTo = (counts: Counts, ms: number) =>
  [...counts]
    .filter(([day, count]) => count > 0 && day <= dayOf(ms))
    .map(([day]) => day)
    .reverse();

/** Searches earlier days, newest first, until one has a cycle with violations. A day's cycles are one request. */
async function searchDays({ store, now }: CanaryView, id: string, counts: Counts, endMs: number) {
  for (const day of daysUpTo(counts, endMs).slice(0, MAX_DAYS_SEARCHED)) {
    const startMs = Date.parse(day);
    const range = { startMs, endMs: Math.min(endMs, startMs + DAY_MS - 1), nowMs: now() };
    const found = foundByCycle(await store.history.outlineCycles(range, [id]), id);
    if (found.length > 0) return found;
  }
  return [];
}

/** Takes the first cycles that together fill a page. */
const firstPage = (found: readonly Found[]) =>
  found.slice(0, MAX_CYCLES).filter((_, i) => sumOf(found.slice(0, i)) < MAX_VIOLATIONS);

/**
 * Reads one page of the history. The record of a cycle names its violations, so the number of requests does not grow
 * with the violations of other invariants.
 * @param lastDay the cycles of the last 24 hours, which the page reads anyway
 * @param before only violations of cycles before this instant (unix ms)
 */
export async function readHistory(
  view: CanaryView,
  id: string,
  lastDay: Promise<readonly CycleOutline[]>,
  before: number | null,
) {
  const { history } = view.store;
  const nowMs = view.now();
  const everything = keptRange(undefined, undefined, nowMs);
  const [cycles, stats] = await Promise.all([lastDay, history.stats(everything)]);
  const counts = countsOf(stats, id);
  const recent = before === null ? foundByCycle(cycles, id) : [];
  const endMs = before === null ? nowMs : before - 1;
  const found = recent.length > 0 ? recent : await searchDays(view, id, counts, endMs);
  const shown = firstPage(found);
  const violations = await Promise.all(
    shown.map(({ first_violation_id: first, violations }) =>
      first === null ? [] : history.listViolationsFrom(first, Math.min(violations, MAX_VIOLATIONS), nowMs),
    ),
  );
  // The last 24 hours begin in the middle of a day, which may have earlier violations.
  const firstDay = dayOf(nowMs - DAY_MS);
  const inFirstDay = recent.filter(({ cycle }) => cycle.startsWith(firstDay));
  const isCut = recent.length > 0 && (counts.get(firstDay) ?? 0) > sumOf(inFirstDay);
  const hasOlder = (time: string) =>
    isCut || shown.length < found.length || daysUpTo(counts, Date.parse(time.slice(0, 10)) - 1).length > 0;
  const last = shown.at(-1)?.cycle;
  return {
    /** Violations of each of the last 90 days, oldest day first. */
    days: Array.from({ length: EVIDENCE_DAYS }, (_, i) => {
      const day = dayOf(nowMs - (EVIDENCE_DAYS - 1 - i) * DAY_MS);
      return { day, count: counts.get(day) ?? 0 };
    }),
    violations: violations.flat().slice(0, MAX_VIOLATIONS),
    /** The number of violations in the shown cycles. */
    violationsInCycles: sumOf(shown),
    /** Where the next page starts; null at the end. */
    olderThan: last !== undefined && hasOlder(last) ? last : null,
  };
}
