/** Reads all sources at once, each under its own deadline, and makes one snapshot of what they gave. */

import { withDeadline } from "../deadline.ts";
import { describeError } from "../errors.ts";
import type { FactName, Readings, Since, Snapshot } from "../facts/facts.ts";
import { allUnread, type Source, type SourceResult } from "./source.ts";

/** A source that can't be read because none is named, or that is left out on purpose. */
export interface AbsentSource {
  readonly name: string;
  readonly gives: readonly FactName[];
  readonly absent: "not configured" | "off";
}
export type ConfiguredSource = Source | AbsentSource;

export interface CollectOptions {
  readonly sources: readonly ConfiguredSource[];
  /** The facts to read; a source that gives none of them is not asked. */
  readonly wanted: ReadonlySet<FactName>;
  readonly deadlineMs: number;
  readonly now: () => number;
  readonly since: Since;
  /** Takes secrets out of a line before anybody reads it. */
  readonly redact: (line: string) => string;
}

/** What a source says of a fact that it could not read goes into verdicts, and from there into the state. */
const withoutSecrets = (readings: Readings, redact: (line: string) => string): Readings =>
  Object.fromEntries(
    Object.entries(readings).map(([fact, reading]) => [
      fact,
      reading.read ? reading : { ...reading, reason: redact(reading.reason) },
    ]),
  );

/** @returns one reading of each wanted fact that some source gives; never throws for a source */
export async function collect(options: CollectOptions): Promise<Snapshot> {
  const { sources, wanted, deadlineMs, now, since, redact } = options;
  const takenAtMs = now();
  const latencyMsBySource: Record<string, number> = {};
  const asked = sources.filter((source) => source.gives.some((fact) => wanted.has(fact)));
  const results = await Promise.all(asked.map(readOne));

  async function readOne(source: ConfiguredSource): Promise<SourceResult> {
    if ("absent" in source) {
      const reason = `${source.name}: ${source.absent}`;
      const off = source.absent === "off";
      const readings = Object.fromEntries(
        source.gives.map((fact) => [fact, { read: false, reason, ...(off && { off }) }]),
      ) as Readings;
      return { readings, unavailable: off ? [] : [reason] };
    }
    const startedAt = performance.now();
    try {
      const own = new Set(source.gives.filter((fact) => wanted.has(fact)));
      return await withDeadline(deadlineMs, (signal) => source.read({ signal, now, wanted: own, since }));
    } catch (error) {
      const reason = redact(`${source.name}: ${describeError(error)}`);
      return { readings: allUnread(source.gives, wanted, reason), unavailable: [reason] };
    } finally {
      latencyMsBySource[source.name] = Math.round(performance.now() - startedAt);
    }
  }
  return {
    takenAtMs,
    readings: withoutSecrets(Object.assign({}, ...results.map((r) => r.readings)), redact),
    unavailable: results.flatMap((r) => r.unavailable).map(redact),
    latencyMsBySource,
    offSources: asked.filter((s) => "absent" in s && s.absent === "off").map((source) => source.name),
  };
}
