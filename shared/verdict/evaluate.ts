/** From facts to verdicts. Pure. */

import { describeError } from "../errors.ts";
import {
  type Coverage,
  coverageOf,
  insufficientCoverage,
  NOTHING_SEEN,
  seenCount,
  undecidedCoverage,
} from "../facts/coverage.ts";
import type { FactName, Reading, Readings } from "../facts/facts.ts";
import { type Finding, type Invariant, offWithOf } from "../invariants/invariant.ts";
import { cut, MAX_LINE, plural } from "../text.ts";

export type AnyFinding = Finding<Record<string, unknown>>;

/** Who reads a fact rests on this one too. A database with too few agents may be another one, and so are its executions. */
const RESTS_ON: Readonly<Partial<Record<FactName, FactName>>> = { executions: "roster" };

const foundationOf = ({ reads }: Invariant): readonly FactName[] =>
  reads.flatMap((fact) => [...(RESTS_ON[fact] ? [RESTS_ON[fact]] : []), fact]);

/** What one invariant came to in one cycle, without regard to earlier ones: see shared/alerts/still-red.ts. */
export interface Verdict {
  readonly invariant: Invariant;
  readonly status: "green" | "red" | "unknown";
  /** Why the status is unknown; null otherwise. */
  readonly reason: string | null;
  readonly coverage: Coverage;
  /** Sorted by subject. */
  readonly findings: readonly AnyFinding[];
  /** Lines for `sources_unavailable`. */
  readonly notes?: readonly string[];
  /** It is not red yet, and what it discredits is in doubt already. */
  readonly isInDoubt?: true;
  /** The invariant by which the facts of this one may not be the platform's. */
  readonly discreditedBy?: string;
}

/** A verdict that judges nothing, with the reason. */
export const unknownVerdict = (invariant: Invariant, reason: string): Verdict => ({
  invariant,
  status: "unknown",
  reason,
  coverage: NOTHING_SEEN,
  findings: [],
});

/** Says why the invariant is not run: a fact without which it is not was left out on purpose. Null where it is run. */
export function whyOff(invariant: Invariant, readings: Readings): string | null {
  for (const fact of offWithOf(invariant)) {
    const reading = readings[fact];
    if (reading?.read === false && reading.off) return reading.reason;
  }
  return null;
}

/**
 * Says why what the invariant rests on is too little to call it green by; null where it is enough. What it rests on without
 * a read of its own may be unread, unless there was nothing to look at either.
 */
function whyInsufficient(invariant: Invariant, readings: Readings, isNothing: boolean): string | null {
  for (const fact of foundationOf(invariant)) {
    const reading = readings[fact];
    if (reading?.read && reading.insufficient !== undefined) return reading.insufficient;
    if (isNothing && reading?.read === false && !reading.off) return reading.reason;
  }
  return null;
}

/**
 * Judges one invariant. A fact that was not read, a check that throws, and a check that saw nothing of what there is,
 * all make the verdict unknown; none of them touches another invariant. So do facts that are too little to call anything
 * green by, except that what is found in them counts.
 */
export function evaluate(invariant: Invariant, readings: Readings): Verdict {
  const facts: Record<string, unknown> = {};
  const times: Record<string, unknown> = {};
  const unlisted: Record<string, string> = {};
  for (const name of invariant.reads) {
    const reading = readings[name] as Reading<unknown> | undefined;
    if (!reading) return unknownVerdict(invariant, `${name}: not read`);
    if (!reading.read) return unknownVerdict(invariant, reading.reason);
    facts[name] = reading.value;
    times[name] = reading.time;
    if (reading.unlisted !== undefined) unlisted[name] = reading.unlisted;
  }
  const optional = Object.fromEntries(
    (invariant.optional ?? []).map((name): [FactName, Reading<unknown>] => [
      name,
      readings[name] ?? { read: false, reason: `${name}: not read` },
    ]),
  );
  try {
    const checked = invariant.check(
      facts as unknown as Parameters<Invariant["check"]>[0],
      { times, unlisted, readings: optional } as unknown as Parameters<Invariant["check"]>[1],
    );
    if (typeof checked === "string") return unknownVerdict(invariant, checked);
    const covered = coverageOf(checked, Object.keys(unlisted).length > 0);
    const looked = checked.isUndecided ? undecidedCoverage(covered) : covered;
    const why = whyInsufficient(invariant, readings, seenCount(looked) === 0);
    const coverage = why === null ? looked : insufficientCoverage(looked, why);
    const findings = [...checked.findings].sort(bySubject);
    const { notes = [], isInDoubt } = checked;
    return {
      invariant,
      ...(isInDoubt && { isInDoubt }),
      coverage,
      findings,
      ...(notes.length > 0 && { notes }),
      ...statusOf(findings, coverage),
    };
  } catch (error) {
    return unknownVerdict(invariant, cut(`the check failed: ${describeError(error)}`, MAX_LINE));
  }
}

const bySubject = (a: AnyFinding, b: AnyFinding) =>
  a.subject < b.subject || (a.subject === b.subject && a.keys.join() < b.keys.join()) ? -1 : 1;

/** Ranks the outcome: red before unknown before green. */
export function statusOf(
  findings: readonly AnyFinding[],
  coverage: Coverage,
): Pick<Verdict, "status" | "reason"> {
  if (findings.length > 0) return { status: "red", reason: null };
  if (coverage.unlisted !== null) return { status: "unknown", reason: coverage.unlisted };
  if (coverage.unseen.length > 0 && seenCount(coverage) === 0) {
    const hidden = new Set(coverage.unseen.map((part) => part.subject)).size;
    return { status: "unknown", reason: `none of ${plural(hidden, "subject")} could be seen` };
  }
  return { status: "green", reason: null };
}

/** Lists the facts that the verdicts of these invariants rest on. */
export const factsOf = (invariants: readonly Invariant[]): ReadonlySet<FactName> =>
  new Set(invariants.flatMap((invariant) => [...foundationOf(invariant), ...(invariant.optional ?? [])]));

/**
 * Makes unknown what rests on a source that is not the platform's: the invariant that says so names the cause.
 * One whose own facts could not be read keeps that reason.
 * @param discreditsNow says of an invariant whether it is red now, or in doubt. One that is discredited itself discredits
 *   no other.
 */
export function withoutDiscredited(
  verdicts: readonly Verdict[],
  readings: Readings,
  all: readonly Invariant[],
  discreditsNow: (invariant: Invariant) => boolean,
): Verdict[] {
  const discrediting: Invariant[] = [];
  const culpritOf = (invariant: Invariant) =>
    discrediting.find(
      ({ id, discredits }) =>
        id !== invariant.id && foundationOf(invariant).some((fact) => discredits?.facts.includes(fact)),
    );
  for (const invariant of all)
    if (invariant.discredits && discreditsNow(invariant) && !culpritOf(invariant))
      discrediting.push(invariant);
  return verdicts.map((verdict) => {
    const culprit = culpritOf(verdict.invariant);
    if (!culprit) return verdict;
    const { id, discredits } = culprit;
    if (foundationOf(verdict.invariant).some((fact) => readings[fact]?.read === false))
      return { ...verdict, discreditedBy: id };
    return { ...unknownVerdict(verdict.invariant, `${id}: ${discredits!.because}`), discreditedBy: id };
  });
}
