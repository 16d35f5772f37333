/** What the routes of breaks answer. */
import { z } from "zod";

/** One fault that is on. */
export const BrokenBody = z.object({
  invariant_id: z.string(),
  /** Its name, for an invariant that has several. */
  fault: z.string(),
  title: z.string(),
  agent: z.string(),
  /** What was read back when it was made, without the canary. */
  took_hold: z.string(),
  /** ISO 8601 UTC. */
  since: z.string(),
  /** When the invariant is red, in a sentence without its end. */
  expect: z.string(),
});
export type BrokenBody = z.infer<typeof BrokenBody>;

/** Answer to a break. `was_on`: the invariant was broken already, and nothing was done. */
export const BreakAnswer = BrokenBody.extend({ was_on: z.boolean() });

/** Answer to a cure: what was cured; empty where nothing was broken. */
export const CureAnswer = z.object({ cured: z.array(BrokenBody.extend({ cure: z.string() })) });

export const FaultsAnswer = z.object({
  faults: z.array(
    z.object({
      invariant_id: z.string(),
      fault: z.string(),
      title: z.string(),
      /** Why it can't be had here. */
      obstacle: z.string().nullable(),
      /** Null where it is not on. */
      on: BrokenBody.nullable(),
    }),
  ),
});
export type FaultsAnswer = z.infer<typeof FaultsAnswer>;
