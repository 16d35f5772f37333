import { z } from "@hono/zod-openapi";
import { plural } from "../../../text.ts";
import { EpisodeSchema, type EpisodesBody } from "../../../wire/schemas/episodes.ts";
import { InvariantId, page, range, Subject } from "../inputs.ts";
import { tool } from "../tool.ts";
import { nameWord, nextPage, query, sentence, since } from "../words.ts";

const Episode = EpisodeSchema.pick({
  id: true,
  invariant_id: true,
  severity: true,
  subject: true,
  since: true,
  until: true,
  cycles: true,
  ended: true,
  held: true,
  words: true,
  last_violation_id: true,
}).extend({ url: z.string().nullable() });
const Output = z.object({ episodes: z.array(Episode), next_cursor: z.string().nullable() });

function lineOf(episode: z.output<typeof Episode>, nowMs: number): string {
  const { invariant_id, subject, severity, until, ended, held, cycles, words } = episode;
  const end = until === null ? "open" : `${ended} ${until}`;
  const heldBy = held === null ? "" : `, ${held}`;
  const what = words === null ? "" : `: ${sentence(words)}`;
  return `${invariant_id} ${nameWord(subject)} (${severity}) since ${since(episode.since, nowMs)}, ${end}${heldBy}, ${plural(cycles, "cycle")}${what}`;
}

export const episodes = tool({
  name: "episodes",
  title: "What was red, from when to when",
  description:
    "Episodes, newest first: one agent's red of one invariant from its beginning to its end, open or over. Use it for what happened last night, how often, and for how long.",
  role: "reader",
  input: z.object({
    invariant_id: InvariantId.optional(),
    subject: Subject.optional(),
    open: z.boolean().optional().describe("true: only those that have not ended"),
    ...range,
    ...page,
  }),
  output: Output,
  async run(input, { api, links, nowMs }) {
    const body = await api<EpisodesBody>(`/api/canary/episodes${query(input)}`);
    const listed = body.episodes.map((episode) => ({
      ...Episode.omit({ url: true }).parse(episode),
      url: links.agent(episode.subject),
    }));
    return {
      lines: [
        listed.length === 0 ? "No episodes." : plural(listed.length, "episode"),
        ...listed.map((episode) => lineOf(episode, nowMs)),
        ...nextPage(body.next_cursor),
      ],
      data: { episodes: listed, next_cursor: body.next_cursor },
    };
  },
});
