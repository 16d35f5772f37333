import { z } from "@hono/zod-openapi";
import { guidanceOf } from "../../../invariants/guidance.ts";
import { findInvariant, KNOWN_IDS } from "../../../invariants/index.ts";
import type { Invariant } from "../../../invariants/invariant.ts";
import type { AgentBody } from "../../../wire/schemas/agents.ts";
import type { StatusBody } from "../../../wire/schemas/status.ts";
import { InvariantId, Subject } from "../inputs.ts";
import { type ToolContext, ToolError, tool } from "../tool.ts";
import { commands, link, nameWord, sentence, since } from "../words.ts";

const MAX_RUNBOOK = 12_000;

const Output = z.object({
  id: z.string(),
  title: z.string(),
  severity: z.string(),
  impact: z.string(),
  first: z.string(),
  /** What was found of the subject; null without one, or where it is not red. */
  found: z.string().nullable(),
  red_since: z.string().nullable(),
  verify: z.array(z.string()),
  fix: z.array(z.string()),
  safe: z.string(),
  /** Whether the commands have the names that were found. Otherwise they have placeholders such as <agent>. */
  has_names: z.boolean(),
  runbook: z.string().nullable(),
  url: z.string().nullable(),
  runbook_url: z.string().nullable(),
});

/** Finds what is red of the subject in that invariant. Null where nothing is, or nobody of that name is known. */
async function redOf({ id }: Invariant, subject: string | undefined, { api }: ToolContext) {
  if (subject === undefined) return null;
  const agent = await api<AgentBody>(`/api/canary/agents/${encodeURIComponent(subject)}`).catch((error) => {
    if (error instanceof ToolError && error.status === 404) return null;
    throw error;
  });
  return agent?.red.find((red) => red.invariant_id === id) ?? null;
}

/** The commands with placeholders, for the database that this canary reads. */
async function placeholdersOf(invariant: Invariant, { api }: ToolContext) {
  const { database = "sqlite" } = await api<StatusBody>("/api/canary/status");
  return guidanceOf(invariant, null, database);
}

async function readRunbook(id: string): Promise<string> {
  const { runbookOf } = await import("../../../runbooks.ts");
  return runbookOf(id).slice(0, MAX_RUNBOOK);
}

export const explain = tool({
  name: "explain",
  title: "What to do about an invariant",
  description:
    "What breaks while an invariant does not hold, the commands that verify and fix it, and whether the fix is safe. With a subject the commands have the names that were found; without one they have placeholders. The commands are for an operator's shell: this server runs none of them.",
  role: "reader",
  input: z.object({
    invariant_id: InvariantId,
    subject: Subject.optional(),
    runbook: z
      .boolean()
      .default(false)
      .describe("Also the whole runbook: causes, and how to tell them apart"),
  }),
  output: Output,
  async run({ invariant_id, subject, runbook }, context) {
    const invariant = findInvariant(invariant_id);
    if (invariant === undefined) throw new ToolError(`there is no invariant ${invariant_id}; ${KNOWN_IDS}`);
    const { id, title, severity, impact, safe } = invariant;
    const red = await redOf(invariant, subject, context);
    const { verify, fix } = red ?? (await placeholdersOf(invariant, context));
    const data = {
      id,
      title,
      severity: red?.severity ?? severity,
      impact,
      first: invariant.runbook,
      found: red?.words ?? null,
      red_since: red?.since ?? null,
      verify: [...verify],
      fix: [...fix],
      safe,
      has_names: red !== null && red.state !== null,
      runbook: runbook ? await readRunbook(id) : null,
      url: context.links.invariant(id),
      runbook_url: context.links.runbook(id),
    };
    const notRed =
      subject !== undefined && red === null ? [`${nameWord(subject)} is not red in ${id} now.`] : [];
    const found = red ? [`Red since ${since(red.since, context.nowMs)}: ${sentence(red.words ?? "")}`] : [];
    return {
      lines: [
        `${id} ${title} (${data.severity}): ${impact}`,
        ...notRed,
        ...found,
        `First: ${invariant.runbook}`,
        ...commands("Verify:", verify),
        ...commands("Fix:", fix),
        `Is it safe? ${safe}`,
        ...(data.runbook === null ? link(data.runbook_url) : [data.runbook]),
      ],
      data,
    };
  },
});
