/** What goes in and out over HTTP. */
import { z } from "@hono/zod-openapi";
import { INVARIANTS } from "../invariants/index.ts";
import { SEVERITIES } from "../invariants/invariant.ts";
import { parseTimestamp } from "../time.ts";

const Id = z.string().openapi({ example: INVARIANTS[0]!.id });
const Instant = z.string().openapi({ example: "2026-11-23T10:30:00.123Z" });
const Severity = z.enum(SEVERITIES);
const Tier = z.enum(["A", "B"]);
const ObservedState = z.record(z.string(), z.unknown());

export const Violation = z
  .object({
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
  silenced: z.boolean(),
});
const Spread = Transition.extend({ subjects: z.array(z.string()) });
const Recovery = z.object({
  invariant_id: Id,
  severity: Severity,
  subjects: z.array(z.string()),
  red_since: Instant,
  silenced: z.boolean(),
});
export const VerdictSchema = z
  .object({
    status: z.enum(["green", "red", "unknown"]),
    checked: z.number().int(),
    unseen: z.array(z.string()),
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
    checks_run: z.array(Id),
    checks_off: z.array(Id),
    sources_unavailable: z.array(z.string()),
    violations: z.array(Violation),
    transitions: z.array(Transition),
    spreads: z.array(Spread),
    recoveries: z.array(Recovery),
    verdicts: z.record(z.string(), VerdictSchema),
  })
  .openapi("CycleResponse");

export const Cycle = z
  .object({
    snapshot_time: Instant,
    trigger: z.string(),
    duration_ms: z.number().int(),
    checks_run: z.array(Id),
    checks_off: z.array(Id),
    sources_unavailable: z.array(z.string()),
    violation_count: z.number().int(),
    /** By invariant, where it has violations: how many, the first one's id (the others follow it), all in one line. */
    found: z
      .record(
        z.string(),
        z.object({
          violations: z.number().int(),
          first_violation_id: z.number().int(),
          summary: z.string(),
        }),
      )
      .optional(),
    verdicts: z.record(z.string(), VerdictSchema),
    transitions: z.array(Transition),
    spreads: z.array(Spread),
    recoveries: z.array(Recovery),
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
const InvariantQuery = z
  .string()
  .refine((id) => INVARIANTS.some((i) => i.id === id), {
    error: `there is no such invariant; there are ${INVARIANTS.map((i) => i.id).join(", ")}`,
  })
  .optional();

export const ViolationsQuery = z.object({
  invariant_id: InvariantQuery,
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
  .object({ violations: z.array(Violation), next_cursor: z.string().nullable() })
  .openapi("ViolationsPage");
export const CyclesPage = z
  .object({ cycles: z.array(Cycle), next_cursor: z.string().nullable() })
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

export const SilenceSchema = z
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
    invariant_id: z.string().refine((id) => INVARIANTS.some((i) => i.id === id), {
      error: `there is no such invariant; there are ${INVARIANTS.map((i) => i.id).join(", ")}`,
    }),
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
export const SilencesList = z.object({ silences: z.array(SilenceSchema) }).openapi("Silences");

export const Status = z
  .object({
    /** The last cycle that ran every invariant; what stands beside it is of that cycle. */
    checked_at: Instant.nullable(),
    cycle_duration_ms: z.number().int().nullable(),
    sources_unavailable: z.array(z.string()),
    alerts: z.object({
      status: z.enum(["no channel", "delivered", "pending"]),
      channels: z.array(z.string()),
      pending: z.number().int(),
    }),
    silences: z.array(SilenceSchema),
    source_latency_ms: z.record(z.string(), z.number().int()),
    invariants: z.array(
      z.object({
        id: Id,
        title: z.string(),
        tier: Tier,
        severity: Severity,
        status: z.enum(["green", "red", "unknown", "off"]),
        since: Instant.nullable(),
        last_red_at: Instant.nullable(),
        red_subjects: z.array(z.string()),
        blind_since: Instant.nullable(),
        blind_reason: z.string().nullable(),
      }),
    ),
  })
  .openapi("Status");

export const Health = z
  .object({ status: z.enum(["fresh", "stale", "unknown"]), checked_at: Instant.nullable() })
  .openapi("Health");
