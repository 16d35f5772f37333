/** Silences. */
import { z } from "@hono/zod-openapi";
import { Id, Instant, list } from "./parts.ts";

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

export type SilenceBody = Readonly<z.infer<typeof SilenceSchema>>;
export type SilenceCreatedBody = Readonly<z.infer<typeof SilenceCreated>>;
export type SilencesBody = Readonly<z.infer<typeof SilencesList>>;
