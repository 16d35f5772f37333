/** Inputs that several tools share. The API checks them once more, in its own words. */
import { z } from "@hono/zod-openapi";
import { INVARIANTS } from "../../invariants/index.ts";

export const InvariantId = z.string().describe(`The id of an invariant, such as ${INVARIANTS[0]!.id}`);
export const Subject = z.string().describe("The exact name of an agent");
const Time = z.string().describe("ISO 8601, such as 2026-11-23T10:30:00Z");

export const range = { start_time: Time.optional(), end_time: Time.optional() };
export const page = {
  limit: z.int().min(1).max(50).default(10).describe("How many, the newest first"),
  cursor: z.string().optional().describe("next_cursor of the answer before"),
};
