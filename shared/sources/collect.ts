/** Reads all sources at once, each under its own deadline, into one snapshot. */

import { withDeadline } from "../deadline.ts";
import { describeError, placed } from "../errors.ts";
import type { FactName, Readings, Since, Snapshot } from "../facts/facts.ts";
import { cut, MAX_LINE } from "../text.ts";
import { firstLines } from "./lines.ts";
import type { Source, SourceResult } from "./source.ts";

/** A source, or why there is none: it is not named, or left out on purpose. */
export type ConfiguredSource =
  | Source
  | (Pick<Source, "name" | "gives"> & { readonly absent: "not configured" | "off" });

export interface CollectOptions {
  readonly sources: readonly ConfiguredSource[];
  /** The facts to read. A source that gives none of them is not read. */
  readonly wanted: ReadonlySet<FactName>;
  readonly deadlineMs: number;
  readonly now: () => number;
  readonly since: Since;
  /** Takes secrets out of a line. */
  readonly redact: (line: string) => string;
  /** Says by what was read whether the agent is known to be no agent of the platform. */
  readonly isStranger: (agent: string, readings: Readings) => boolean;
}

/** Makes lines of the reasons of facts that could not be read: they go into verdicts, and from there into the state. */
const withLines = (readings: Readings, toLine: (text: string) => string): Readings =>
  Object.fromEntries(
    Object.entries(readings).map(([fact, reading]) => [
      fact,
      reading.read ? reading : { ...reading, reason: toLine(reading.reason) },
    ]),
  );

type WhyUnread = { readonly off?: true; readonly notConfigured?: true };
const unread = (facts: Iterable<FactName>, reason: string, why: WhyUnread = {}): Readings =>
  Object.fromEntries(Array.from(facts, (fact) => [fact, { read: false, reason, ...why }]));

/** Reads each wanted fact that some source gives. A source that fails leaves its facts unread; it never throws. */
export async function collect(options: CollectOptions): Promise<Snapshot> {
  const { sources, wanted, deadlineMs, now, since, isStranger } = options;
  // A secret that was cut in the middle would not be recognised.
  const toLine = (text: string) => cut(options.redact(text), MAX_LINE);
  const takenAtMs = now();
  const latencyMsBySource: Record<string, number> = {};
  const asked = sources.filter((source) => source.gives.some((fact) => wanted.has(fact)));
  const results = await Promise.all(asked.map(readOne));

  async function readOne(source: ConfiguredSource): Promise<SourceResult> {
    if ("absent" in source) {
      const reason = `${source.name}: ${source.absent}`;
      if (source.absent === "off")
        return { readings: unread(source.gives, reason, { off: true }), unavailable: [] };
      return { readings: unread(source.gives, reason, { notConfigured: true }), unavailable: [reason] };
    }
    const own = new Set(source.gives.filter((fact) => wanted.has(fact)));
    const startedAt = performance.now();
    try {
      return await withDeadline(deadlineMs, (signal) => source.read({ signal, now, wanted: own, since }));
    } catch (error) {
      const reason = toLine(`${source.name}: ${placed(describeError(error), source.place)}`);
      return { readings: unread(own, reason), unavailable: [reason] };
    } finally {
      latencyMsBySource[source.name] = Math.round(performance.now() - startedAt);
    }
  }
  const readings: Readings = withLines(Object.assign({}, ...results.map((r) => r.readings)), toLine);
  // Strangers are left out first: there may be so many that an agent's own line would be cut.
  const linesOf = ({ unavailable, unavailableByAgent = [] }: SourceResult, name: string) => {
    const own = unavailableByAgent.filter(({ agent }) => !isStranger(agent, readings));
    const lines = own.map(({ line }) => line);
    return [...unavailable, ...firstLines(name, lines)];
  };
  return {
    takenAtMs,
    readings,
    unavailable: results.flatMap((result, i) => linesOf(result, asked[i]!.name)).map(toLine),
    latencyMsBySource,
    offSources: sources
      .filter((s) => !asked.includes(s) || ("absent" in s && s.absent === "off"))
      .map((source) => source.name),
  };
}
