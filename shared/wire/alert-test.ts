/** What a test of the channels is asked and answers, in wire names. */
import { z } from "@hono/zod-openapi";

export const AlertTestRequest = z
  .strictObject({
    channel: z
      .string()
      .min(1, "name a channel, or leave it out for all")
      .optional()
      .openapi({ description: "The name of a channel, such as slack. Left out: all.", example: "slack" }),
  })
  .openapi("AlertTestRequest");

export const AlertTestResponse = z
  .object({
    results: z.array(
      z.object({
        channel: z.string(),
        ok: z.boolean().openapi({ description: "Whether the channel confirmed that it has the alert." }),
        answer: z
          .string()
          .openapi({ description: "What it answered, without secrets.", example: "HTTP 200 ok" }),
      }),
    ),
  })
  .openapi("AlertTestResponse");

export type AlertTestResponse = z.infer<typeof AlertTestResponse>;
