/** The uptime bars: the last day of an invariant at a glance. */
import { MINUTE_MS } from "../time.ts";
import type { CycleOutline } from "../wire/schemas/cycles.ts";

export const BAR_MS = 5 * MINUTE_MS;
export const BARS = 288;
export const UPTIME_MS = BARS * BAR_MS;

/** From worst to least. "missing" means that no cycle judged it. */
export const BAR_STATES = ["red", "unknown", "green", "off", "missing"] as const;
export type BarState = (typeof BAR_STATES)[number];
/** Oldest first. */
export type UptimeBars = readonly BarState[];

const stateIn = (cycle: CycleOutline, id: string): BarState =>
  cycle.checks_off.includes(id) ? "off" : (cycle.verdicts[id]?.status ?? "missing");

/** Gets the worst of the states, "missing" if there are none. */
export const worstOf = (states: Iterable<BarState>): BarState => {
  const seen = new Set(states);
  return BAR_STATES.find((state) => seen.has(state)) ?? "missing";
};

/**
 * Sorts the cycles into 288 bars of five minutes, oldest bar first.
 *
 * The newest scheduled cycle is in the middle of its bar: if the schedule is a minute late, no bar is empty and none has
 * two cycles. A bar without a cycle appears once its time is over.
 * @param cycles of the last day, newest first
 * @returns the cycles of each bar, newest first
 */
export function cyclesByBar(cycles: readonly CycleOutline[], nowMs: number): readonly CycleOutline[][] {
  const timed = cycles.map((cycle) => ({ cycle, atMs: Date.parse(cycle.snapshot_time) }));
  const newest = timed[0];
  const anchorMs = (timed.find(({ cycle }) => cycle.trigger === "schedule") ?? newest)?.atMs ?? nowMs;
  const barOf = (atMs: number) => Math.floor((atMs - anchorMs) / BAR_MS + 0.5);
  const last = Math.max(barOf(nowMs) - 1, newest ? barOf(newest.atMs) : 0, 0);
  const bars = Array.from({ length: BARS }, (): CycleOutline[] => []);
  for (const { cycle, atMs } of timed) bars[barOf(atMs) - last + BARS - 1]?.push(cycle);
  return bars;
}

/**
 * Makes the bars of each invariant. A bar has the worst state of its time.
 * @param cycles of the last day, newest first
 */
export function uptimesOf(
  cycles: readonly CycleOutline[],
  invariantIds: readonly string[],
  nowMs: number,
): Readonly<Record<string, UptimeBars>> {
  const bars = cyclesByBar(cycles, nowMs);
  return Object.fromEntries(
    invariantIds.map((id) => [id, bars.map((inBar) => worstOf(inBar.map((c) => stateIn(c, id))))]),
  );
}

/** Gets the number of violations of an invariant in each bar: the most of its cycles. */
export const countsOf = (bars: readonly (readonly CycleOutline[])[], id: string): readonly number[] =>
  bars.map((inBar) => Math.max(0, ...inBar.map(({ found }) => found?.[id]?.violations ?? 0)));

/** Describes the bars: `3 red, 1 unknown, 280 green, 4 missing of 288`. */
export function describeUptime(bars: UptimeBars): string {
  const counts = BAR_STATES.map((state) => [state, bars.filter((bar) => bar === state).length] as const);
  const named = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`);
  return `${named.join(", ")} of ${bars.length}`;
}
