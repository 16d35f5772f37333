/** The shapes of all that is stored as evidence or served over HTTP, in wire names (snake_case), and their types. */
import { z } from "@hono/zod-openapi";
import { findInvariant, INVARIANTS, KNOWN_IDS } from "../invariants/index.ts";
import { SEVERITIES } from "../invariants/invariant.ts";
import { parseTimestamp } from "../time.ts";

/** A list whose type nobody may change. */
const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();

const Id = z.string().openapi({ example: INVARIANTS[0]!.id });
const Instant = z.string().openapi({ example: "2026-11-23T10:30:00.123Z" });
const Severity = z.enum(SEVERITIES);
const Tier = z.enum(["A", "B"]);
const ObservedState = z.record(z.string(), z.unknown());

export const Violation = z
  .object({
    /** Holds its day. Null in the answer of a cycle whose state could not be written. */
    id: z.number().int().nullable().openapi({ example: 20261123000021 }),
    invariant_id: Id,
    tier: Tier,
    severity: Severity,
    subject: z.string(),
    snapshot_time: Instant,
    observed_state: ObservedState,
    signal_query: z.string(),
  })
  .openapi("Violation");

const Transition = z.object({
  invariant_id: Id,
  severity: Severity,
  violations_in_cycle: z.number().int(),
  previous_violation_at: Instant.nullable(),
  /** It is recorded, but a silence kept operators from being notified. */
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
export const Verdict = z
  .object({
    status: z.enum(["green", "red", "unknown"]),
    checked: z.number().int(),
    unseen: list(z.string()),
    reason: z.string().nullable(),
  })
  .openapi("Verdict");

export const RunCycleRequest = z
  .strictObject({
    invariants: z.array(z.string()).min(1, "name at least one, or leave it out for all").optional(),
  })
  .openapi("RunCycleRequest");

export const CycleResponse = z
  .object({
    snapshot_time: Instant,
    cycle_duration_ms: z.number().int(),
    checks_run: list(Id),
    checks_off: list(Id),
    sources_unavailable: list(z.string()),
    violations: list(Violation),
    transitions: list(Transition),
    spreads: list(Spread),
    recoveries: list(Recovery),
    verdicts: z.record(z.string(), Verdict),
  })
  .openapi("CycleResponse");

/** What a cycle found of one invariant. The ids of its violations follow one another. */
const Found = z.object({
  violations: z.number().int(),
  first_violation_id: z.number().int(),
  /** All of them in one line. */
  summary: z.string(),
});

export const Cycle = z
  .object({
    snapshot_time: Instant,
    /** "schedule", "http", "page", "cli" */
    trigger: z.string(),
    duration_ms: z.number().int(),
    checks_run: list(Id),
    checks_off: list(Id),
    sources_unavailable: list(z.string()),
    violation_count: z.number().int(),
    /** By invariant, where it has violations. Records of older versions have none. */
    found: z.record(z.string(), Found).optional(),
    verdicts: z.record(z.string(), Verdict),
    transitions: list(Transition),
    spreads: list(Spread),
    recoveries: list(Recovery),
  })
  .openapi("Cycle");

const TimeQuery = z
  .string()
  .transform((text, context) => {
    const ms = parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
    if (ms !== null) return ms;
    context.addIssue("give an ISO 8601 time, such as 2026-11-23T10:30:00Z");
    return z.NEVER;
  })
  .openapi({ type: "string", example: "2026-11-23T10:30:00Z" });
const Limit = (fallback: number) =>
  z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, "give a whole number from 1 to 1000")
    .transform(Number)
    .openapi({ type: "integer", minimum: 1, maximum: 1000, default: fallback })
    .default(fallback);
const Cursor = z.string().min(1).optional().openapi({ description: "next_cursor of the page before" });
const KnownId = z
  .string()
  .refine((id) => findInvariant(id) !== undefined, { error: `there is no such invariant; ${KNOWN_IDS}` });

export const ViolationsQuery = z.object({
  invariant_id: KnownId.optional(),
  severity: Severity.optional(),
  tier: Tier.optional(),
  start_time: TimeQuery.optional(),
  end_time: TimeQuery.optional(),
  limit: Limit(100),
  cursor: Cursor,
});
export const RangeQuery = z.object({ start_time: TimeQuery.optional(), end_time: TimeQuery.optional() });
export const CyclesQuery = RangeQuery.extend({ limit: Limit(50), cursor: Cursor });

export const ViolationsPage = z
  .object({ violations: list(Violation), next_cursor: z.string().nullable() })
  .openapi("ViolationsPage");
export const CyclesPage = z
  .object({ cycles: list(Cycle), next_cursor: z.string().nullable() })
  .openapi("CyclesPage");

export const ViolationStats = z
  .object({
    start_day: z.string(),
    end_day: z.string(),
    total: z.number().int(),
    by_invariant: z.record(z.string(), z.number().int()),
    by_severity: z.record(z.string(), z.number().int()),
    by_day: z.record(z.string(), z.number().int()),
  })
  .openapi("ViolationStats");

export const Silence = z
  .object({
    id: z.string(),
    invariant_id: Id,
    subject: z.string().nullable(),
    until: Instant,
    reason: z.string(),
    created_at: Instant,
  })
  .openapi("Silence");
export const SilenceRequest = z
  .strictObject({
    invariant_id: KnownId,
    subject: z
      .string()
      // A name that was copied from Slack has these beside its marks, and would match nothing.
      .overwrite((name) => name.replaceAll("\u200b", ""))
      .min(1, "name an agent, or leave it out for all")
      .max(200, "give at most 200 characters")
      .optional(),
    until: TimeQuery,
    reason: z
      .string()
      .trim()
      .min(1, "say why, for whoever reads it at 3 a.m.")
      .max(200, "give at most 200 characters"),
  })
  .openapi("SilenceRequest");
export const SilencesList = z.object({ silences: list(Silence) }).openapi("Silences");

export const Status = z
  .object({
    /** The last cycle that ran every invariant; the durations and sources are of that cycle. */
    checked_at: Instant.nullable(),
    cycle_duration_ms: z.number().int().nullable(),
    sources_unavailable: list(z.string()),
    alerts: z.object({
      status: z.enum(["no channel", "delivered", "pending"]),
      channels: list(z.string()),
      pending: z.number().int(),
    }),
    silences: list(Silence),
    source_latency_ms: z.record(z.string(), z.number().int()),
    invariants: list(
      z.object({
        id: Id,
        title: z.string(),
        tier: Tier,
        severity: Severity,
        status: z.enum(["green", "red", "unknown", "off"]),
        since: Instant.nullable(),
        last_red_at: Instant.nullable(),
        red_subjects: list(z.string()),
        blind_since: Instant.nullable(),
        blind_reason: z.string().nullable(),
      }),
    ),
  })
  .openapi("Status");

export const Health = z
  .object({ status: z.enum(["fresh", "stale", "unknown"]), checked_at: Instant.nullable() })
  .openapi("Health");

/** A violation in the answer of a cycle. */
export type ReportedViolation = Readonly<z.infer<typeof Violation>>;
/** A violation as it is stored. */
export type ViolationRecord = ReportedViolation & { readonly id: number };
export type VerdictRecord = Readonly<z.infer<typeof Verdict>>;
export type TransitionRecord = Readonly<z.infer<typeof Transition>>;
export type SpreadRecord = Readonly<z.infer<typeof Spread>>;
export type RecoveryRecord = Readonly<z.infer<typeof Recovery>>;
export type FoundRecord = Readonly<z.infer<typeof Found>>;

/** The answer of a cycle. */
export type CycleReport = Readonly<z.infer<typeof CycleResponse>>;
/** A cycle as it is stored. */
export type CycleRecord = Readonly<z.infer<typeof Cycle>>;
/** What an uptime bar needs of a cycle. */
export type CycleOutline = Pick<CycleRecord, "snapshot_time" | "trigger" | "checks_off" | "found"> & {
  readonly verdicts: Readonly<Record<string, Pick<VerdictRecord, "status">>>;
};

export type StatusBody = Readonly<z.infer<typeof Status>>;
/** How one invariant stands, as `/api/canary/status` has it. */
export type InvariantStatus = Readonly<StatusBody["invariants"][number]>;
export type SilenceBody = Readonly<z.infer<typeof Silence>>;
export type SilencesBody = Readonly<z.infer<typeof SilencesList>>;
export type ViolationsBody = Readonly<z.infer<typeof ViolationsPage>>;
export type CyclesBody = Readonly<z.infer<typeof CyclesPage>>;
