import { z } from "@hono/zod-openapi";
import { nearest } from "../../../nearest.ts";
import { type AgentBody, AgentSchema, type AgentsBody } from "../../../wire/schemas/agents.ts";
import { Subject } from "../inputs.ts";
import { type ToolContext, ToolError, tool } from "../tool.ts";
import { commands, link, nameWord, sentence, since } from "../words.ts";

const MAX_LISTED = 20;
const Output = AgentSchema.extend({ url: z.string().nullable() });

/** Reads the agent. @throws ToolError with the nearest name where there is none */
async function readAgent(name: string, { api }: ToolContext): Promise<AgentBody> {
  return api<AgentBody>(`/api/canary/agents/${encodeURIComponent(name)}`).catch(async (error) => {
    if (!(error instanceof ToolError) || error.status !== 404) throw error;
    const { agents } = await api<AgentsBody>("/api/canary/agents");
    const names = agents.map((agent) => agent.name);
    const meant = nearest(name, names);
    const hint =
      meant !== null
        ? `did you mean ${nameWord(meant)}?`
        : `there are ${names.slice(0, MAX_LISTED).map(nameWord).join(", ") || "none"}${names.length > MAX_LISTED ? ` and ${names.length - MAX_LISTED} more` : ""}`;
    throw new ToolError(
      `there is no agent ${nameWord(name)} on the roster, and none that is or was red; ${hint}`,
      404,
    );
  });
}

function headLine({
  name,
  on_roster,
  slots_used,
  max_parallel_tasks,
  running,
  queued,
  seen_at,
}: AgentBody): string {
  const known = (count: number | null) => count ?? "?";
  const roster = on_roster === null ? "roster unknown" : on_roster ? "on the roster" : "not on the roster";
  return `${nameWord(name)}: ${roster}; slots ${known(slots_used)} of ${known(max_parallel_tasks)}, ${known(running)} running, ${known(queued)} queued, as seen ${seen_at ?? "never"}`;
}

const redLines = (
  { invariant_id, title, severity, words, verify, fix, safe, ...red }: AgentBody["red"][number],
  nowMs: number,
) => [
  `${invariant_id} ${title}: red (${severity}) since ${since(red.since, nowMs)}: ${sentence(words ?? "")}`,
  ...commands("Verify:", verify),
  ...commands("Fix:", fix),
  ...(safe === null ? [] : [`Is it safe? ${safe}`]),
];

export const agent = tool({
  name: "agent",
  title: "One agent",
  description:
    "One agent: what is red of it with the commands that verify and fix it, and its slots and rows as the last full cycle saw them.",
  role: "reader",
  input: z.object({ name: Subject }),
  output: Output,
  async run({ name }, context) {
    const body = await readAgent(name, context);
    const url = context.links.agent(body.name);
    const slots = (body.slots ?? []).map(
      ({ id, ttl_seconds }) => `slot ${nameWord(id)}, TTL ${ttl_seconds ?? "?"} s`,
    );
    const rows = (body.rows ?? []).map(({ id, status }) => `row ${nameWord(id)} ${status}`);
    return {
      lines: [
        headLine(body),
        ...(body.red.length === 0 ? ["Nothing is red of it."] : []),
        ...body.red.flatMap((red) => redLines(red, context.nowMs)),
        ...[...slots, ...rows].slice(0, MAX_LISTED),
        ...body.unread.map((line) => `could not be read: ${sentence(line)}`),
        ...link(url),
      ],
      data: { ...body, url },
    };
  },
});
