/** The outcome of a cycle as it comes from another process. */
import { z } from "@hono/zod-openapi";
import type { CycleOutcome } from "../cycle/outcome.ts";
import { CycleResponse } from "../wire/schemas.ts";

const texts = z.array(z.string());

export const OutcomeSchema: z.ZodType<CycleOutcome> = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("done"),
    report: CycleResponse,
    latencyMsBySource: z.record(z.string(), z.number()),
    alerts: z.object({
      delivered: z.number(),
      pending: z.number(),
      dropped: z.array(z.object({ key: z.string(), channel: z.string() })),
      failures: texts,
    }),
  }),
  z.object({ kind: z.literal("stateless"), report: CycleResponse, reason: z.string() }),
  z.object({ kind: z.literal("busy"), retryAfterSeconds: z.int().min(1) }),
]);
