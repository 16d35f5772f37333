/** The record of a cycle in which nothing happened. */

import { formatInstant } from "../../shared/time.ts";
import type { CycleRecord } from "../../shared/wire/schemas/cycles.ts";

export const cycleAt = (atMs: number): CycleRecord => ({
  snapshot_time: formatInstant(atMs),
  trigger: "schedule",
  duration_ms: 106,
  checks_run: ["S-01"],
  checks_off: [],
  sources_unavailable: [],
  violation_count: 0,
  verdicts: { "S-01": { status: "green", checked: 2, unseen: [], reason: null } },
  transitions: [],
  spreads: [],
  recoveries: [],
});
