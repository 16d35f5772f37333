/** Episodes. */
import { z } from "@hono/zod-openapi";
import { Id, Instant, list, ObservedState, Severity } from "./parts.ts";

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

export type EpisodeRecord = Readonly<z.infer<typeof EpisodeSchema>>;
export type EpisodesBody = Readonly<z.infer<typeof EpisodesPage>>;
