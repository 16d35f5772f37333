/** The outcome of a cycle, or of a test of the channels, as it comes from another process. */
import { z } from "@hono/zod-openapi";
import type { AlertTest } from "../alerts/alert-test.ts";
import type { CycleOutcome } from "../cycle/outcome.ts";
import { CycleResponse } from "../wire/schemas/cycles.ts";

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

export const AlertTestSchema: z.ZodType<AlertTest> = z.object({
  channels: texts,
  results: z.array(z.object({ channel: z.string(), ok: z.boolean(), answer: z.string() })),
});
