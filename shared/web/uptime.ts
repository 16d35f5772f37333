/** A day of cycles as bars: what an operator sees of an invariant's past at a glance. */
import type { CycleOutline } from "../wire/schemas.ts";

export const BAR_MS = 5 * 60_000;
export const BARS = 288;
export const STRIP_MS = BARS * BAR_MS;

/** From worst to least; "missing" where no cycle has judged it. */
export const BAR_STATES = ["red", "unknown", "green", "off", "missing"] as const;
export type BarState = (typeof BAR_STATES)[number];
/** Oldest first. */
export type Strip = readonly BarState[];

const stateIn = (cycle: CycleOutline, id: string): BarState =>
  cycle.checks_off.includes(id) ? "off" : (cycle.verdicts[id]?.status ?? "missing");

/** @returns the worst of these, "missing" where there are none */
export const worstOf = (states: Iterable<BarState>): BarState => {
  const seen = new Set(states);
  return BAR_STATES.find((state) => seen.has(state)) ?? "missing";
};

/**
 * The bars are laid around the newest scheduled cycle, each in the middle of its own: a schedule that is late by a
 * minute leaves no gap and makes no double. A bar without a cycle is shown once its time is over.
 * @param cycles of the last day, newest first
 * @returns for each invariant 288 bars of five minutes, each the worst that was seen in it
 */
export function stripsOf(
  cycles: readonly CycleOutline[],
  invariantIds: readonly string[],
  nowMs: number,
): Readonly<Record<string, Strip>> {
  const timed = cycles.map((cycle) => ({ cycle, atMs: Date.parse(cycle.snapshot_time) }));
  const newest = timed[0];
  const anchorMs = (timed.find(({ cycle }) => cycle.trigger === "schedule") ?? newest)?.atMs ?? nowMs;
  const barOf = (atMs: number) => Math.floor((atMs - anchorMs) / BAR_MS + 0.5);
  const last = Math.max(barOf(nowMs) - 1, newest ? barOf(newest.atMs) : 0, 0);
  const byBar = new Map<number, CycleOutline[]>();
  for (const { cycle, atMs } of timed) {
    const bar = barOf(atMs) - last + BARS - 1;
    byBar.set(bar, [...(byBar.get(bar) ?? []), cycle]);
  }
  return Object.fromEntries(
    invariantIds.map((id) => [
      id,
      Array.from({ length: BARS }, (_, bar) => worstOf((byBar.get(bar) ?? []).map((c) => stateIn(c, id)))),
    ]),
  );
}

/** @returns the strip in words: `3 red, 1 unknown, 280 green, 4 missing of 288` */
export function describeStrip(strip: Strip): string {
  const counts = BAR_STATES.map((state) => [state, strip.filter((bar) => bar === state).length] as const);
  const named = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${state}`);
  return `${named.join(", ")} of ${strip.length}`;
}
