/** Runs the canary's cycles and keeps what each said, and when it looked. */
import type { Canary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import type { CycleReport } from "../../shared/wire/schemas.ts";
import { steadyNow } from "../platform/journal.ts";
import type { Span } from "./claims.ts";
import type { Found, WatchedCycle } from "./judge.ts";

/** R-01 looks into containers, of which the soak has none: it is not asked. */
export const ASKED = ["S-01", "S-02", "S-03", "E-01", "E-02", "E-05", "L-03", "B-01", "B-02"] as const;

/** Something that runs one cycle after the other. */
export type Watcher = () => Promise<WatchedCycle>;

interface Read {
  readonly source: string;
  readonly span: Span;
}

/** What one violation is about, as its observed_state names it. */
function keysOf(violation: CycleReport["violations"][number]): string[] {
  const state = violation.observed_state as Record<string, unknown>;
  const list = (name: string, side: string) => (state[name] as string[]).map((id) => `${side}:${id}`);
  if (violation.invariant_id === "S-01")
    return [...list("in_redis_only", "redis"), ...list("in_sql_only", "sql")];
  return [typeof state.execution_id === "string" ? state.execution_id : violation.subject];
}

const foundOf = ({ violations }: CycleReport): Found[] =>
  violations.map((violation) => ({
    invariant: violation.invariant_id,
    subject: violation.subject,
    keys: keysOf(violation),
  }));

/** @returns from the first source's start to the last one's end; `nth` reads of each source belong together */
function spanOf(reads: readonly Read[], nth: number): Span | null {
  const mine = [...new Set(reads.map(({ source }) => source))].flatMap(
    (name) => reads.filter(({ source }) => source === name)[nth] ?? [],
  );
  if (mine.length === 0) return null;
  return [Math.min(...mine.map(({ span }) => span[0])), Math.max(...mine.map(({ span }) => span[1]))];
}

/**
 * @param canary what it reads is timed, and nothing else of it changed
 * @returns a watcher that throws where a cycle could not happen
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
              reads.push({ source: source.name, span: [fromMs, steadyNow()] });
            }
          },
        },
  );
  return async () => {
    reads = [];
    const outcome = await runCycle({ ...canary, sources }, { trigger: "soak", invariantIds: ASKED });
    if (outcome.kind !== "done")
      throw new Error(
        `a cycle could not happen: ${"reason" in outcome ? outcome.reason : "it was in progress"}`,
      );
    return {
      first: spanOf(reads, 0)!,
      second: spanOf(reads, 2) ?? spanOf(reads, 1),
      found: foundOf(outcome.report),
      verdicts: outcome.report.verdicts,
    };
  };
}
