/** The rows of the pages: each invariant with its last 24 hours. */
import { INVARIANT_IDS } from "../invariants/index.ts";
import type { CycleOutline } from "../wire/schemas/cycles.ts";
import type { InvariantSummary, Summary } from "./summary.ts";
import { countsOf, cyclesByBar, UPTIME_MS, type UptimeBars, uptimesOf } from "./uptime.ts";
import type { CanaryView } from "./view.ts";

/** What a cycle found of one invariant. */
export interface Found {
  readonly violations: number;
  readonly first_violation_id: number | null;
  /** The cycle's time. */
  readonly cycle: string;
}

export interface InvariantRow extends InvariantSummary {
  readonly uptime: UptimeBars;
  /** Its violations in each bar. */
  readonly counts: readonly number[];
  /** The newest finding of the last 24 hours. */
  readonly latest: Found | null;
}

/** Gets what the cycles found of an invariant, in their order, without cycles that found nothing. */
export const foundByCycle = (cycles: readonly CycleOutline[], id: string): Found[] =>
  cycles.flatMap(({ snapshot_time, found }) => (found?.[id] ? [{ ...found[id], cycle: snapshot_time }] : []));

/** Reads the cycles of the last 24 hours, newest first, in one or two requests for each of the two days. */
export function readLastDay({ store, now }: CanaryView): Promise<CycleOutline[]> {
  const nowMs = now();
  return store.history.outlineCycles({ startMs: nowMs - UPTIME_MS, endMs: nowMs, nowMs }, INVARIANT_IDS);
}

/** Makes the rows, in the registry's order. */
export function invariantRows(
  { invariants, nowMs }: Summary,
  cycles: readonly CycleOutline[],
): InvariantRow[] {
  const uptimes = uptimesOf(cycles, INVARIANT_IDS, nowMs);
  const bars = cyclesByBar(cycles, nowMs);
  return invariants.map((i) => ({
    ...i,
    uptime: uptimes[i.id]!,
    counts: countsOf(bars, i.id),
    latest: foundByCycle(cycles, i.id)[0] ?? null,
  }));
}

/**
 * Reads in words what the newest cycles found of the rows that are red, by invariant. The outlines have no words: one request
 * for each of these cycles, which mostly are one.
 */
export async function readWords(
  { store, now }: CanaryView,
  rows: readonly InvariantRow[],
): Promise<ReadonlyMap<string, string>> {
  const red = rows.flatMap(({ id, status, latest }) =>
    status === "red" && latest ? [{ id, ...latest }] : [],
  );
  const read = async (time: string) => [time, await store.history.getCycle(time, now())] as const;
  const records = new Map(await Promise.all([...new Set(red.map(({ cycle }) => cycle))].map(read)));
  return new Map(
    red.flatMap(({ id, cycle }) => {
      const summary = records.get(cycle)?.found?.[id]?.summary;
      return summary === undefined ? [] : [[id, summary]];
    }),
  );
}
