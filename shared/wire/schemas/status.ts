/** What is red, unknown and green now, and how fresh that is. */
import { z } from "@hono/zod-openapi";
import { Id, Instant, list, OffReasons, Severity, Tier } from "./parts.ts";
import { SilenceSchema } from "./silences.ts";

export const Status = z
  .object({
    /** The last cycle that ran every invariant. The durations and sources are from that cycle. */
    checked_at: Instant.nullable(),
    cycle_duration_ms: z.number().int().nullable(),
    checks_off_reasons: OffReasons,
    sources_unavailable: list(z.string()),
    /** What can't be judged or read, and why, in a line; null where nothing is blind. Absent in answers of older versions. */
    blind: z.string().nullable().optional(),
    alerts: z.object({
      status: z.enum(["no channel", "delivered", "pending"]),
      /** Those of the last full cycle; empty before the first. */
      channels: list(z.string()),
      pending: z.number().int(),
    }),
    silences: list(SilenceSchema),
    /** The platform's database, as the last full cycle read it; null before the first. A canary that does not say it reads SQLite. */
    database: z.enum(["sqlite", "postgres"]).nullable().optional(),
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
        /** How many subjects the last cycle that ran it looked at. */
        checked: z.number().int().nullable(),
      }),
    ),
  })
  .openapi("Status");

export const Health = z
  .object({ status: z.enum(["fresh", "stale", "unknown"]), checked_at: Instant.nullable() })
  .openapi("Health");

export type StatusBody = Readonly<z.infer<typeof Status>>;
/** The state of one invariant in `/api/canary/status`. */
export type InvariantStatus = Readonly<StatusBody["invariants"][number]>;
