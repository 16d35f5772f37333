import { z } from "@hono/zod-openapi";
import { plural } from "../../../text.ts";
import { SilenceSchema } from "../../../wire/schemas/silences.ts";
import { Status, type StatusBody } from "../../../wire/schemas/status.ts";
import { describeAge, isFresh } from "../../describe-status.ts";
import { tool } from "../tool.ts";
import { link, nameWord, sentence, since } from "../words.ts";

const MAX_SUBJECTS = 10;
const MAX_SILENCES = 20;
const MAX_UNAVAILABLE = 10;
const Invariant = Status.shape.invariants.unwrap().element;

const Output = z.object({
  environment: z.string(),
  checked_at: z.string().nullable(),
  /** False: what follows is as it was then. */
  is_fresh: z.boolean(),
  counts: z.record(z.string(), z.int()),
  red: z.array(
    Invariant.pick({ id: true, title: true, severity: true, since: true }).extend({
      subjects: z.array(z.string()),
      subjects_total: z.int(),
      /** Null where it can be judged. */
      blind_since: z.string().nullable(),
      url: z.string().nullable(),
    }),
  ),
  unknown: z.array(z.object({ id: z.string(), since: z.string().nullable(), reason: z.string().nullable() })),
  sources_unavailable: z.array(z.string()),
  silences: z.array(SilenceSchema),
  alerts_pending: z.int(),
  url: z.string().nullable(),
});
type Data = z.output<typeof Output>;

function headLine({ environment, checked_at, is_fresh, counts }: Data, nowMs: number): string {
  const words = Object.entries(counts).map(([status, count]) => `${count} ${status}`);
  if (checked_at === null) return `${environment}: never checked`;
  const age = describeAge(Date.parse(checked_at), nowMs);
  return `${environment}: ${words.join(", ")}; checked ${age}${is_fresh ? "" : ", STALE: what follows is as it was then"}`;
}

function redLine(
  { id, title, severity, subjects, subjects_total, ...red }: Data["red"][number],
  nowMs: number,
) {
  const more = subjects_total - subjects.length;
  const names = [...subjects.map(nameWord), ...(more > 0 ? [`${more} more`] : [])].join(", ");
  const when = red.since === null ? "" : ` since ${since(red.since, nowMs)}`;
  const blind = red.blind_since === null ? "" : `; can't be judged since ${red.blind_since}`;
  return `${id} ${title}: red (${severity})${when}: ${names}${blind} ${red.url ?? ""}`.trimEnd();
}

function silenceLine({
  id,
  invariant_id,
  subject,
  until,
  until_recovered,
  by,
  reason,
}: Data["silences"][number]) {
  const end = [until, until_recovered && "it recovers"].filter(Boolean).join(" or ");
  const what = subject === null ? "" : ` for ${nameWord(subject)}`;
  return `silence ${id}: ${invariant_id}${what} until ${end}, by ${sentence(by)}: ${sentence(reason)}`;
}

export const status = tool({
  name: "status",
  title: "What is red",
  description:
    "What is red, unknown and silenced now, since when, and which agents. Begin here. Then `explain` an invariant with the subject for the commands, or look at an `agent`.",
  role: "reader",
  input: z.object({}),
  output: Output,
  async run(_, { api, environment, links, nowMs }) {
    const body = await api<StatusBody>("/api/canary/status");
    const count = (state: string) => body.invariants.filter((i) => i.status === state).length;
    const data: Data = {
      environment,
      checked_at: body.checked_at,
      is_fresh: isFresh(body.checked_at === null ? null : Date.parse(body.checked_at), nowMs),
      counts: Object.fromEntries(["red", "unknown", "green", "off"].map((state) => [state, count(state)])),
      red: body.invariants
        .filter((invariant) => invariant.status === "red")
        .map(({ id, title, severity, since, red_subjects, blind_since }) => ({
          id,
          title,
          severity,
          since,
          subjects: red_subjects.slice(0, MAX_SUBJECTS),
          subjects_total: red_subjects.length,
          blind_since,
          url: links.invariant(id),
        })),
      unknown: body.invariants
        .filter((invariant) => invariant.status === "unknown")
        .map(({ id, since, blind_reason }) => ({ id, since, reason: blind_reason })),
      sources_unavailable: body.sources_unavailable.slice(0, MAX_UNAVAILABLE),
      silences: body.silences.slice(0, MAX_SILENCES),
      alerts_pending: body.alerts.pending,
      url: links.status,
    };
    const unread = data.sources_unavailable.map((line) => `could not be read: ${sentence(line)}`);
    const unknown = data.unknown.map(
      ({ id, reason }) => `${id}: unknown: ${sentence(reason ?? "not judged yet")}`,
    );
    const pending =
      data.alerts_pending > 0 ? [`${plural(data.alerts_pending, "alert")} not delivered yet`] : [];
    return {
      lines: [
        headLine(data, nowMs),
        ...data.red.map((red) => redLine(red, nowMs)),
        ...unknown,
        ...unread,
        ...data.silences.map(silenceLine),
        ...pending,
        ...link(data.url),
      ],
      data,
    };
  },
});
