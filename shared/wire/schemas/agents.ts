/** Agents, as the last full cycle saw them. */
import { z } from "@hono/zod-openapi";
import { Id, Instant, list, ObservedState, Severity } from "./parts.ts";

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

export type AgentSummaryRecord = Readonly<z.infer<typeof AgentSummary>>;
export type AgentsBody = Readonly<z.infer<typeof AgentsPage>>;
export type AgentBody = Readonly<z.infer<typeof AgentSchema>>;
export type SeenSlotRecord = Readonly<z.infer<typeof SeenSlot>>;
export type SeenRowRecord = Readonly<z.infer<typeof SeenRow>>;
