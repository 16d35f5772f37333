/**
 * The schemas of everything that is stored as evidence or served over HTTP, in wire names (snake_case), and their types.
 * The schema of a request is in its route's file (shared/web/api).
 */
import { z } from "@hono/zod-openapi";
import { INVARIANTS } from "../invariants/index.ts";
import { SEVERITIES } from "../invariants/invariant.ts";

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();

const Id = z.string().openapi({ example: INVARIANTS[0]!.id });
const Instant = z.string().openapi({ example: "2026-11-23T10:30:00.123Z" });
const Severity = z.enum(SEVERITIES);
const Tier = z.enum(["A", "B"]);
const ObservedState = z.record(z.string(), z.unknown());

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

/** Why each invariant is not run, by its id. Absent in what older versions wrote. */
const OffReasons = z.record(z.string(), z.string()).readonly().optional();

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

export const ViolationsPage = z
  .object({ violations: list(Violation), next_cursor: z.string().nullable() })
  .openapi("ViolationsPage");
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

/** Why an episode is open although the last cycle did not find it. */
export const HELD = ["unseen", "off", "uncounted"] as const;

/** One subject's red of one invariant, from the cycle in which it began to the one in which it ended. */
export const EpisodeSchema = z
  .object({
    id: z.string().openapi({ example: "S-02-20261123T103000123Z-0f1e2d3c4b5a6978" }),
    invariant_id: Id,
    /** The worst that any cycle found. */
    severity: Severity,
    subject: z.string(),
    since: Instant,
    /** Null while it is open. */
    until: Instant.nullable(),
    /** How many cycles found it. Those that could not look are not counted. */
    cycles: z.number().int(),
    /** Null while it is open; "unknown" where the canary's state was lost meanwhile, and `until` is when it was last recorded. */
    ended: z.enum(["recovered", "gone", "unknown"]).nullable(),
    /**
     * Why it is open although the last cycle did not find it: it could not be looked at, the invariant is off, or it is one of
     * those that the memory only counts. Null otherwise.
     */
    held: z.enum(HELD).nullable(),
    /** Whether it was on the roster when it began; null where the roster was not read. */
    on_roster: z.boolean().nullable(),
    /** Null where the violation was not recorded. */
    first_violation_id: z.number().int().nullable(),
    last_violation_id: z.number().int().nullable(),
    /** As the first cycle found it; null where that is not known. */
    first_state: ObservedState.nullable(),
    /** As the last full cycle found it. */
    last_state: ObservedState.nullable(),
    /** `last_state` in words. */
    words: z.string().nullable(),
    /** When it was worst: the number of what was wrong, such as slots beyond the cap, and that in words where they are known. */
    peak: z.object({ at: Instant, value: z.number().int(), words: z.string().nullable() }),
  })
  .openapi("Episode");
export const EpisodesPage = z
  .object({ episodes: list(EpisodeSchema), next_cursor: z.string().nullable() })
  .openapi("EpisodesPage");

const AgentRed = z.object({
  invariant_id: Id,
  severity: Severity,
  since: Instant,
  cycles: z.number().int(),
  episode_id: z.string(),
});
/** As the last full cycle saw it. A number is null where its source was not read. */
const agentCounts = {
  on_roster: z.boolean().nullable(),
  max_parallel_tasks: z.number().int().nullable(),
  slots_used: z.number().int().nullable(),
  running: z.number().int().nullable(),
  queued: z.number().int().nullable(),
};
export const AgentSummary = z
  .object({ name: z.string(), ...agentCounts, red: list(AgentRed) })
  .openapi("AgentSummary");
export const AgentsPage = z
  .object({
    /** When the roster, the slots and the rows were read; null before the first full cycle. */
    seen_at: Instant.nullable(),
    /** Lines for what could not be read then. */
    unread: list(z.string()),
    /** The red ones first. */
    agents: list(AgentSummary),
    /** How many agents of the roster had no place in what is kept. */
    left_out: z.number().int(),
  })
  .openapi("AgentsPage");

const SeenSlot = z.object({
  id: z.string(),
  acquired_at: Instant.nullable(),
  /** -2: its hash is missing; -1: it never expires; null where it has none. */
  ttl_seconds: z.number().nullable(),
});
const SeenRow = z.object({
  id: z.string(),
  status: z.enum(["queued", "running"]),
  started_at: z.string().nullable(),
  queued_at: Instant.nullable(),
  triggered_by: z.string().nullable(),
});
export const AgentSchema = z
  .object({
    name: z.string(),
    seen_at: Instant.nullable(),
    unread: list(z.string()),
    ...agentCounts,
    /** The first of them; `slots_used` counts all. Null where they were not read or had no place in what is kept. */
    slots: list(SeenSlot).nullable(),
    /** The first of them; `running` and `queued` count all. Null as above. */
    rows: list(SeenRow).nullable(),
    red: list(
      AgentRed.extend({
        title: z.string(),
        words: z.string().nullable(),
        state: ObservedState.nullable(),
        /** Commands that show whether it is still so, and that fix it; and what the fix does to a run that is alive after all. */
        verify: list(z.string()),
        fix: list(z.string()),
        safe: z.string().nullable(),
      }),
    ),
  })
  .openapi("Agent");

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
    /** Null where only the recovery ends it. */
    until: Instant.nullable(),
    /** Whether it ends by itself once all that it covers has recovered. */
    until_recovered: z.boolean(),
    reason: z.string(),
    /** Who made it: the token's name, the name that the person gave, or the caller's ARN. */
    by: z.string(),
    created_at: Instant,
  })
  .openapi("Silence");

/** The answer to a silence that was made. */
export const SilenceCreated = SilenceSchema.extend({
  /** What could not be checked: whether there is such a subject while the roster is not known. */
  note: z.string().nullable(),
}).openapi("SilenceCreated");

export const SilencesList = z.object({ silences: list(SilenceSchema) }).openapi("Silences");

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

/** A violation in the answer of a cycle. */
export type ReportedViolation = Readonly<z.infer<typeof Violation>>;
/** A violation as it is stored. */
export type ViolationRecord = ReportedViolation & { readonly id: number };
export type VerdictRecord = Readonly<z.infer<typeof VerdictSchema>>;
export type TransitionRecord = Readonly<z.infer<typeof Transition>>;
export type RecoveryRecord = Readonly<z.infer<typeof Recovery>>;
export type FoundRecord = Readonly<z.infer<typeof Found>>;

export type CycleReport = Readonly<z.infer<typeof CycleResponse>>;
/** A cycle as it is stored. */
export type CycleRecord = Readonly<z.infer<typeof Cycle>>;
/** The part of a cycle that an uptime bar needs. */
export type CycleOutline = Pick<CycleRecord, "snapshot_time" | "trigger" | "checks_off" | "found"> & {
  readonly verdicts: Readonly<Record<string, Pick<VerdictRecord, "status">>>;
};

export type EpisodeRecord = Readonly<z.infer<typeof EpisodeSchema>>;
export type EpisodesBody = Readonly<z.infer<typeof EpisodesPage>>;
export type CyclePointRecord = Readonly<z.infer<typeof CyclePoint>>;
export type AgentSummaryRecord = Readonly<z.infer<typeof AgentSummary>>;
export type AgentsBody = Readonly<z.infer<typeof AgentsPage>>;
export type AgentBody = Readonly<z.infer<typeof AgentSchema>>;
export type SeenSlotRecord = Readonly<z.infer<typeof SeenSlot>>;
export type SeenRowRecord = Readonly<z.infer<typeof SeenRow>>;

export type StatusBody = Readonly<z.infer<typeof Status>>;
/** The state of one invariant in `/api/canary/status`. */
export type InvariantStatus = Readonly<StatusBody["invariants"][number]>;
export type SilenceBody = Readonly<z.infer<typeof SilenceSchema>>;
export type SilenceCreatedBody = Readonly<z.infer<typeof SilenceCreated>>;
export type SilencesBody = Readonly<z.infer<typeof SilencesList>>;
export type ViolationsBody = Readonly<z.infer<typeof ViolationsPage>>;
