import { z } from "@hono/zod-openapi";
import { plural } from "../../../text.ts";
import { Cycle, type CycleRecord, type CyclesPage } from "../../../wire/schemas/cycles.ts";
import { page, range } from "../inputs.ts";
import { tool } from "../tool.ts";
import { nextPage, query, sentence } from "../words.ts";

const MAX_UNREAD = 5;
const One = Cycle.pick({
  snapshot_time: true,
  trigger: true,
  duration_ms: true,
  violation_count: true,
}).extend({
  red: z.array(z.string()),
  unknown: z.array(z.string()),
  /** What was found of each red invariant, in one line. */
  found: z.record(z.string(), z.string()),
  sources_unavailable: z.array(z.string()),
  url: z.string().nullable(),
});
const Output = z.object({ cycles: z.array(One), next_cursor: z.string().nullable() });

const idsThatAre = ({ verdicts }: CycleRecord, status: string) =>
  Object.entries(verdicts).flatMap(([id, verdict]) => (verdict.status === status ? [id] : []));

function lineOf({
  snapshot_time,
  trigger,
  duration_ms,
  red,
  unknown,
  found,
  sources_unavailable,
}: z.output<typeof One>) {
  const words = red.map((id) => (found[id] ? `${id} (${sentence(found[id])})` : id)).join(", ");
  const state = red.length === 0 ? "nothing red" : `red: ${words}`;
  const blind = unknown.length === 0 ? "" : `; unknown: ${unknown.join(", ")}`;
  const unread =
    sources_unavailable.length === 0 ? "" : `; unread: ${sources_unavailable.map(sentence).join("; ")}`;
  return `${snapshot_time} (${trigger}, ${duration_ms} ms) ${state}${blind}${unread}`;
}

export const cycles = tool({
  name: "cycles",
  title: "The latest cycles",
  description:
    "Cycles, newest first: when each ran, what was red and unknown, and what could not be read. The last 24 hours where no start_time is given.",
  role: "reader",
  input: z.object({ ...range, ...page }),
  output: Output,
  async run(input, { api, links }) {
    const body = await api<z.output<typeof CyclesPage>>(`/api/canary/cycles${query(input)}`);
    const listed = body.cycles.map((cycle) => ({
      snapshot_time: cycle.snapshot_time,
      trigger: cycle.trigger,
      duration_ms: cycle.duration_ms,
      violation_count: cycle.violation_count,
      red: idsThatAre(cycle, "red"),
      unknown: idsThatAre(cycle, "unknown"),
      found: Object.fromEntries(Object.entries(cycle.found ?? {}).map(([id, { summary }]) => [id, summary])),
      sources_unavailable: cycle.sources_unavailable.slice(0, MAX_UNREAD),
      url: links.cycle(cycle.snapshot_time),
    }));
    return {
      lines: [
        listed.length === 0 ? "No cycles." : plural(listed.length, "cycle"),
        ...listed.map(lineOf),
        ...nextPage(body.next_cursor),
      ],
      data: { cycles: listed, next_cursor: body.next_cursor },
    };
  },
});
