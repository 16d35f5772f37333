/** What each invariant will be: judged, not run or unknown. */

import type { ReadOnlyCanary } from "../canary.ts";
import type { Gathered } from "../cycle/gather.ts";
import { judge } from "../cycle/judge.ts";
import { EMPTY_MEMORY } from "../cycle/memory.ts";
import { seenCount } from "../facts/coverage.ts";
import type { Invariant } from "../invariants/invariant.ts";
import { type Verdict, whyOff } from "../verdict/evaluate.ts";
import type { Prospect } from "./finding.ts";

const sortedSet = (names: readonly string[]): string[] => [...new Set(names)].sort();

function prospectOf({ invariant, status, reason, coverage, findings }: Verdict): Prospect {
  const { id, title } = invariant;
  return {
    id,
    title,
    outcome: status === "unknown" ? "unknown" : "judged",
    reason,
    checked: seenCount(coverage),
    red_subjects: sortedSet(findings.map(({ subject }) => subject)),
    unseen: sortedSet(coverage.unseen.map(({ subject }) => subject)),
  };
}

const notRun = ({ id, title }: Invariant, reason: string): Prospect => ({
  id,
  title,
  outcome: "not run",
  reason,
  checked: null,
  red_subjects: [],
  unseen: [],
});

/** Judges what was gathered as a first cycle would, and forgets it. */
export async function prospectsOf(canary: ReadOnlyCanary, gathered: Gathered): Promise<Prospect[]> {
  const { all, off } = canary.checks;
  const reasons = new Map(
    all.flatMap((invariant) => {
      const reason = off.get(invariant.id) ?? whyOff(invariant, gathered.readings);
      return reason === null ? [] : [[invariant.id, reason] as const];
    }),
  );
  const run = all.filter(({ id }) => !reasons.has(id));
  const { verdicts } = await judge(canary, run, gathered, EMPTY_MEMORY);
  const byId = new Map(verdicts.map((verdict) => [verdict.invariant.id, prospectOf(verdict)]));
  return all.map((invariant) => byId.get(invariant.id) ?? notRun(invariant, reasons.get(invariant.id)!));
}
