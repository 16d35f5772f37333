/** Violations, and how many there are. */
import { z } from "@hono/zod-openapi";
import { Id, Instant, list, ObservedState, Severity, Tier } from "./parts.ts";

export const Violation = z
  .object({
    /** Begins with the day. Null in the answer of a cycle whose state could not be written. */
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

export const ViolationsPage = z
  .object({ violations: list(Violation), next_cursor: z.string().nullable() })
  .openapi("ViolationsPage");

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

/** A violation in the answer of a cycle. */
export type ReportedViolation = Readonly<z.infer<typeof Violation>>;
/** A violation as it is stored. */
export type ViolationRecord = ReportedViolation & { readonly id: number };
export type ViolationsBody = Readonly<z.infer<typeof ViolationsPage>>;
