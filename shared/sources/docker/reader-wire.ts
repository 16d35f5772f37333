/** The shapes of a reader's call and of its answer. What daemons say is checked in the reader, and the reader's answer here. */
import { z } from "zod";
import { isReadableName } from "../../facts/facts.ts";
import { MAX_ZOMBIES } from "./daemon.ts";
import type { DaemonOutcome } from "./read.ts";

const MAX_TEXT = 1_000;
const text = z.string().max(MAX_TEXT);
const count = z.int().min(0);
const agent = z.string().refine(isReadableName);
const Container = z.object({ agent, containerId: text });

export const CallSchema = z.object({
  read_docker: z.object({
    hosts: z.array(text).min(1),
    wanted: z.array(z.enum(["zombies", "containers"])),
    unfinished: z.array(z.object({ daemon: text, from: count })),
    answer_by: z.number(),
  }),
});

const Running = Container.extend({
  startedAtMs: z.number().nullable(),
  isPullMode: z.boolean(),
  poolSize: count.nullable(),
});
const Processes = Container.extend({
  startedAt: text.nullable(),
  zombiePids: z.array(z.int().min(0).max(9_999_999)).max(MAX_ZOMBIES),
});
const Outcome = z.union([
  z.object({ host: text, unread: z.string() }),
  z.object({
    host: text,
    running: z.array(Running),
    uninspected: z.array(Container),
    processes: z.array(Processes),
    unlisted: z.array(Container),
    nameless: count,
    unavailable: z.array(z.object({ agent, line: z.string() })),
    notReached: count,
    unfinished: z.object({ from: count, looked: count }).nullable(),
  }),
]);
const Answer = z.object({ daemons: z.array(z.unknown()) });

/**
 * Reads a reader's answer: an outcome for each of these daemons, whatever it says.
 * @param answer as JSON is parsed
 */
export function outcomesIn(answer: unknown, hosts: readonly string[]): DaemonOutcome[] {
  const { data } = Answer.safeParse(answer);
  const outcomes = new Map<string, DaemonOutcome>();
  for (const one of data?.daemons ?? []) {
    const parsed = Outcome.safeParse(one).data;
    if (parsed === undefined) continue;
    const { host } = parsed;
    outcomes.set(
      host,
      "unread" in parsed
        ? parsed
        : { ...parsed, processes: parsed.processes.map((own) => ({ ...own, daemon: host })) },
    );
  }
  return hosts.map(
    (host) => outcomes.get(host) ?? { host, unread: "the answer of its reader is not that of a reader" },
  );
}
