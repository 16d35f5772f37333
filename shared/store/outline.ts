/**
 * What plots and uptime bars need of a cycle, packed into an item of its own: less than a kilobyte, where the record grows with
 * the names and texts in it, up to hundreds of kilobytes. Seven days of them are read for one page.
 */
import type { CycleOutline, CyclePointRecord, CycleRecord } from "../wire/schemas/cycles.ts";
import type { Item } from "./requests.ts";

/** What the keys of the outlines begin with, before the day. */
export const OUTLINE = "OUTLINE";

const STATUSES = ["green", "red", "unknown"] as const;
type Status = (typeof STATUSES)[number];
/** An outline as it is stored, as JSON. */
interface Packed {
  readonly trigger: string;
  readonly off: readonly string[];
  /** The invariants of each status. */
  readonly verdicts: Readonly<Record<string, readonly string[]>>;
  /** The number of violations, and the id of the first that is recorded. */
  readonly found: Readonly<Record<string, readonly [violations: number, first: number | null]>>;
}
/** A point as it is stored, as JSON. */
type PackedPoint = readonly [
  duration_ms: number,
  red_subjects: CyclePointRecord["red_subjects"],
  source_latency_ms: CyclePointRecord["source_latency_ms"],
];

/** The item of a cycle, without its end. Only a cycle that ran every invariant has a point. */
export function outlineItem(cycle: CycleRecord): Item {
  const {
    snapshot_time,
    trigger,
    verdicts,
    found = {},
    duration_ms,
    red_subjects,
    source_latency_ms,
  } = cycle;
  const idsOf = (status: Status) => Object.keys(verdicts).filter((id) => verdicts[id]!.status === status);
  const outline: Packed = {
    trigger,
    off: cycle.checks_off,
    verdicts: Object.fromEntries(STATUSES.map((status) => [status, idsOf(status)])),
    found: Object.fromEntries(
      Object.entries(found).map(([id, { violations, first_violation_id }]) => [
        id,
        [violations, first_violation_id] as const,
      ]),
    ),
  };
  const point: PackedPoint = [duration_ms, red_subjects ?? null, source_latency_ms ?? null];
  return {
    pk: `${OUTLINE}#${snapshot_time.slice(0, 10)}`,
    sk: snapshot_time,
    outline: JSON.stringify(outline),
    ...(cycle.is_full !== false && { point: JSON.stringify(point) }),
  };
}

/** What the uptime bars of these invariants show of a cycle. */
export function outlineOf({ sk, outline }: Item, invariantIds: readonly string[]): CycleOutline {
  const { trigger, off, verdicts, found }: Packed = JSON.parse(outline);
  const wanted = new Set(invariantIds);
  const statuses = Object.entries(verdicts).flatMap(([status, ids]) =>
    ids.map((id) => [id, { status: status as Status }] as const),
  );
  const counts = Object.entries(found).map(
    ([id, [violations, first_violation_id]]) => [id, { violations, first_violation_id }] as const,
  );
  return {
    snapshot_time: String(sk),
    trigger,
    checks_off: off,
    verdicts: Object.fromEntries(statuses.filter(([id]) => wanted.has(id))),
    found: Object.fromEntries(counts.filter(([id]) => wanted.has(id))),
  };
}

/** The point of a plot; null for a cycle of some invariants. */
export function pointOf({ sk, point }: Item): CyclePointRecord | null {
  if (point === undefined) return null;
  const [duration_ms, red_subjects, source_latency_ms]: PackedPoint = JSON.parse(point);
  return { time: String(sk), duration_ms, source_latency_ms, red_subjects };
}
