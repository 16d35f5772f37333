/** The rows of the pages: each invariant with its last 24 hours. */
import { INVARIANT_IDS } from "../invariants/index.ts";
import type { CycleOutline } from "../wire/schemas.ts";
import type { InvariantSummary, Summary } from "./summary.ts";
import { UPTIME_MS, type UptimeBars, uptimesOf } from "./uptime.ts";
import type { CanaryView } from "./view.ts";

export interface InvariantRow extends InvariantSummary {
  readonly uptime: UptimeBars;
  /** The newest cycle of the last 24 hours that found something, and what it found. */
  readonly latest: { readonly cycle: string; readonly words: string; readonly violations: number } | null;
}

/** Reads the cycles of the last 24 hours, newest first: one request or two for each day that these touch. */
export function readLastDay({ store, now }: CanaryView): Promise<CycleOutline[]> {
  const nowMs = now();
  return store.history.outlineCycles({ startMs: nowMs - UPTIME_MS, endMs: nowMs, nowMs }, INVARIANT_IDS);
}

function latestIn(cycles: readonly CycleOutline[], id: string): InvariantRow["latest"] {
  for (const { snapshot_time, found } of cycles) {
    const of = found?.[id];
    if (of) return { cycle: snapshot_time, words: of.summary, violations: of.violations };
  }
  return null;
}

/** Makes the rows, in the registry's order. */
export function rowsOf({ invariants, nowMs }: Summary, cycles: readonly CycleOutline[]): InvariantRow[] {
  const uptimes = uptimesOf(cycles, INVARIANT_IDS, nowMs);
  return invariants.map((i) => ({ ...i, uptime: uptimes[i.id]!, latest: latestIn(cycles, i.id) }));
}
