/** Request parameters that several routes share. */
import { z } from "@hono/zod-openapi";
import { findInvariant, KNOWN_IDS } from "../../invariants/index.ts";
import { parseTimestamp } from "../../time.ts";

export const KnownId = z
  .string()
  .refine((id) => findInvariant(id) !== undefined, { error: `there is no such invariant; ${KNOWN_IDS}` });

/** Unix ms. A date without a time means its start. */
export const Time = z
  .string()
  .transform((text, context) => {
    const ms = parseTimestamp(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
    if (ms !== null) return ms;
    context.addIssue("give an ISO 8601 time, such as 2026-11-23T10:30:00Z");
    return z.NEVER;
  })
  .openapi({ type: "string", example: "2026-11-23T10:30:00Z" });

export const RangeQuery = z.object({ start_time: Time.optional(), end_time: Time.optional() });

/** The parameters of a paged list. */
export const pageQuery = (defaultLimit: number) => ({
  limit: z
    .string()
    .regex(/^([1-9]\d{0,2}|1000)$/, "give a whole number from 1 to 1000")
    .transform(Number)
    .openapi({ type: "integer", minimum: 1, maximum: 1000, default: defaultLimit })
    .default(defaultLimit),
  cursor: z
    .string()
    .min(1)
    .optional()
    .openapi({ description: "next_cursor of the page before, which may be empty" }),
});

/** The name of a subject. A name copied out of an alert in Slack may have zero-width spaces in it. */
export const Subject = z
  .string()
  .overwrite((name) => name.replaceAll("\u200b", ""))
  .min(1, "name an agent, or leave it out for all");

export const Flag = z
  .enum(["true", "false"], { error: "give true or false" })
  .transform((text) => text === "true")
  .openapi({ type: "boolean" });
