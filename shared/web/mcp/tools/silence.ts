import { z } from "@hono/zod-openapi";
import { formatInstant, parseDuration } from "../../../time.ts";
import { SilenceCreated, type SilenceCreatedBody } from "../../../wire/schemas/silences.ts";
import { InvariantId, Subject } from "../inputs.ts";
import { ToolError, tool } from "../tool.ts";
import { link, nameWord, sentence } from "../words.ts";

const Output = SilenceCreated.extend({ url: z.string().nullable() });

function untilOf(length: string | undefined, nowMs: number): string | undefined {
  if (length === undefined) return undefined;
  const ms = parseDuration(length, "mhd");
  if (ms) return formatInstant(nowMs + ms);
  throw new ToolError(`for ${JSON.stringify(length)} is not a duration: give one such as 30m, 2h or 3d`);
}

export const silence = tool({
  name: "silence",
  title: "Silence or acknowledge",
  description:
    "Sends no alerts of an invariant, or of one agent of it, for a time or until it recovers (which ends the silence by itself). It is still checked, shown and recorded. Ask the operator before you call it.",
  role: "admin",
  input: z.object({
    invariant_id: InvariantId,
    subject: Subject.optional().describe("Only this agent. Left out: all of the invariant"),
    for: z.string().optional().describe("How long, such as 30m, 2h or 3d"),
    until_recovered: z
      .boolean()
      .optional()
      .describe("It ends by itself once all that it covers has recovered"),
    reason: z.string().describe("Why, for anyone who reads it at 3 a.m."),
    by: z.string().optional().describe("Who asked for it"),
  }),
  output: Output,
  async run({ for: length, ...rest }, { api, links, nowMs }) {
    const until = untilOf(length, nowMs);
    if (until === undefined && !rest.until_recovered)
      throw new ToolError("for: give how long, such as 2h, or until_recovered: true");
    const made = await api<SilenceCreatedBody>("/api/canary/silences", { ...rest, ...(until && { until }) });
    const end = [made.until, made.until_recovered && "it recovers"].filter(Boolean).join(" or ");
    const url = links.invariant(made.invariant_id);
    return {
      lines: [
        `silence ${made.id}: ${made.invariant_id}${made.subject === null ? "" : ` for ${nameWord(made.subject)}`} until ${end}, by ${sentence(made.by)}`,
        ...(made.note === null ? [] : [`Note: ${sentence(made.note)}`]),
        `To end it: canary unsilence ${made.id}`,
        ...link(url),
      ],
      data: { ...made, url },
    };
  },
});
