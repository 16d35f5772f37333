/** A cycle: as it is answered, as it is stored, and next to others. */
import { z } from "@hono/zod-openapi";
import { Id, Instant, list, OffReasons, Severity } from "./parts.ts";
import { Violation } from "./violations.ts";

const Transition = z.object({
  invariant_id: Id,
  severity: Severity,
  violations_in_cycle: z.number().int(),
  previous_violation_at: Instant.nullable(),
  /** Whether a silence held back the notification. */
  silenced: z.boolean(),
});
const Spread = Transition.extend({ subjects: list(z.string()) });
const Recovery = z.object({
  invariant_id: Id,
  severity: Severity,
  subjects: list(z.string()),
  red_since: Instant,
  silenced: z.boolean(),
});
export const VerdictSchema = z
  .object({
    status: z.enum(["green", "red", "unknown"]),
    /** How many subjects were looked at: agents, and for L-03 ghosts. */
    checked: z.number().int(),
    unseen: list(z.string()),
    /** Why it is unknown, or red without a violation: what was red could not be looked at. */
    reason: z.string().nullable(),
  })
  .openapi("Verdict");

const scope = {
  checks_run: list(Id),
  checks_off: list(Id),
  checks_off_reasons: OffReasons,
  sources_unavailable: list(z.string()),
};
const changes = { transitions: list(Transition), spreads: list(Spread), recoveries: list(Recovery) };

export const CycleResponse = z
  .object({
    snapshot_time: Instant,
    cycle_duration_ms: z.number().int(),
    ...scope,
    /** The first of each invariant, where there are many. */
    violations: list(Violation),
    /** How many there are. */
    violations_total: z.number().int(),
    ...changes,
    verdicts: z.record(z.string(), VerdictSchema),
  })
  .openapi("CycleResponse");

/** What a cycle found of one invariant. The ids of its recorded violations are consecutive. */
const Found = z.object({
  violations: z.number().int(),
  /** Null where none is recorded. */
  first_violation_id: z.number().int().nullable(),
  /** All violations in one line. */
  summary: z.string(),
});

export const Cycle = z
  .object({
    snapshot_time: Instant,
    /** "schedule", "http", "page", "cli" */
    trigger: z.string(),
    duration_ms: z.number().int(),
    ...scope,
    violation_count: z.number().int(),
    /** By invariant, if it has violations. Absent in records of older versions. */
    found: z.record(z.string(), Found).optional(),
    verdicts: z.record(z.string(), VerdictSchema),
    ...changes,
    /** Whether it ran every invariant. Absent in records of older versions, as are the two below. */
    is_full: z.boolean().optional(),
    /** How long each source took. Of a cycle that ran every invariant. */
    source_latency_ms: z.record(z.string(), z.number().int()).optional(),
    /** How many subjects were red after it, each counted once. Of a cycle that ran every invariant. */
    red_subjects: z.number().int().optional(),
  })
  .openapi("Cycle");

export const CyclesPage = z
  .object({ cycles: list(Cycle), next_cursor: z.string().nullable() })
  .openapi("CyclesPage");

/** One cycle, and the times of those before and after it; null where there is none within a week. */
export const CycleBetween = z
  .object({ cycle: Cycle, previous: Instant.nullable(), next: Instant.nullable() })
  .openapi("CycleBetween");

/** What a plot of some days shows of one cycle. Null where its record does not say it. */
const CyclePoint = z.object({
  time: Instant,
  duration_ms: z.number().int(),
  source_latency_ms: z.record(z.string(), z.number().int()).nullable(),
  red_subjects: z.number().int().nullable(),
});
export const CycleSeries = z.object({ points: list(CyclePoint) }).openapi("CycleSeries");

export type VerdictRecord = Readonly<z.infer<typeof VerdictSchema>>;
export type TransitionRecord = Readonly<z.infer<typeof Transition>>;
export type RecoveryRecord = Readonly<z.infer<typeof Recovery>>;
export type FoundRecord = Readonly<z.infer<typeof Found>>;

export type CycleReport = Readonly<z.infer<typeof CycleResponse>>;
/** A cycle as it is stored. */
export type CycleRecord = Readonly<z.infer<typeof Cycle>>;
/** The part of a cycle that an uptime bar needs. */
export type CycleOutline = Pick<CycleRecord, "snapshot_time" | "trigger" | "checks_off"> & {
  readonly verdicts: Readonly<Record<string, Pick<VerdictRecord, "status">>>;
  readonly found?:
    | Readonly<Record<string, Pick<FoundRecord, "violations" | "first_violation_id">>>
    | undefined;
};
export type CyclePointRecord = Readonly<z.infer<typeof CyclePoint>>;
