/** Runs the canary's cycles, and keeps the report of each and when it read. */
import type { Canary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { steadyNow } from "../platform/journal.ts";
import type { Interval } from "./intervals.ts";
import type { ObservedCycle, Reported } from "./judge.ts";

/** Runs one cycle after the other. */
export type Watcher = () => Promise<ObservedCycle>;

interface Read {
  readonly source: string;
  readonly interval: Interval;
}

/** The keys of a violation, from its observed_state. */
function keysOf(violation: CycleReport["violations"][number]): string[] {
  const state = violation.observed_state as Record<string, unknown>;
  const list = (name: string, side: string) => (state[name] as string[]).map((id) => `${side}:${id}`);
  if ("in_redis_only" in state) return [...list("in_redis_only", "redis"), ...list("in_sql_only", "sql")];
  const id = state.execution_id ?? state.schedule_id;
  return [typeof id === "string" ? id : violation.subject];
}

const violationsOf = ({ violations }: CycleReport): Reported[] =>
  violations.map((violation) => ({
    invariant: violation.invariant_id,
    subject: violation.subject,
    keys: keysOf(violation),
  }));

/** From the first source's start to the last one's end. The nth reads of all sources belong together. */
function intervalOf(reads: readonly Read[], nth: number): Interval | null {
  const mine = [...new Set(reads.map(({ source }) => source))].flatMap(
    (name) => reads.filter(({ source }) => source === name)[nth] ?? [],
  );
  if (mine.length === 0) return null;
  return [
    Math.min(...mine.map(({ interval }) => interval[0])),
    Math.max(...mine.map(({ interval }) => interval[1])),
  ];
}

/**
 * Runs cycles of the canary and times its reads; nothing else is changed. The watcher throws where a cycle did not happen.
 */
export function watchWith(canary: Canary): Watcher {
  let reads: Read[] = [];
  const sources = canary.sources.map((source) =>
    "absent" in source
      ? source
      : {
          ...source,
          async read(context: Parameters<typeof source.read>[0]) {
            const fromMs = steadyNow();
            try {
              return await source.read(context);
            } finally {
              reads.push({ source: source.name, interval: [fromMs, steadyNow()] });
            }
          },
        },
  );
  return async () => {
    reads = [];
    const outcome = await runCycle({ ...canary, sources }, { trigger: "soak" });
    if (outcome.kind !== "done")
      throw new Error(
        `a cycle could not happen: ${"reason" in outcome ? outcome.reason : "it was in progress"}`,
      );
    return {
      first: intervalOf(reads, 0)!,
      second: intervalOf(reads, 2) ?? intervalOf(reads, 1),
      violations: violationsOf(outcome.report),
      verdicts: outcome.report.verdicts,
    };
  };
}
