/** From facts to verdicts. */

import { describeError } from "../errors.ts";
import type { FactName, Reading, Readings, Unseen } from "../facts/facts.ts";
import type { Finding, Invariant } from "../invariants/invariant.ts";

export type AnyFinding = Finding<Record<string, unknown>>;

/** What one invariant came to in one cycle. */
export interface Verdict {
  readonly invariant: Invariant;
  readonly status: "green" | "red" | "unknown";
  /** Why the status is unknown; null otherwise. */
  readonly reason: string | null;
  /** Subjects that were looked at. */
  readonly subjects: ReadonlySet<string>;
  readonly unseen: readonly Unseen[];
  /** Why not all could be looked at. */
  readonly incomplete: string | undefined;
  /** Whether a subject that is neither here nor unseen is gone. */
  readonly complete: boolean;
  /** Whether all that has this key was looked at; asked for what was red and was not found again. */
  readonly examined: (subject: string, key: string) => boolean;
  /** Sorted by subject. */
  readonly findings: readonly AnyFinding[];
}

const NOTHING_SEEN = {
  subjects: new Set<string>(),
  unseen: [],
  incomplete: undefined,
  complete: false,
  findings: [],
  examined: () => false,
};

/** @returns a verdict that judges nothing, with the reason */
export const unknownVerdict = (invariant: Invariant, reason: string): Verdict => ({
  invariant,
  status: "unknown",
  reason,
  ...NOTHING_SEEN,
});

/** @returns how many subjects were seen whole */
export function checkedCount(verdict: Verdict): number {
  const unseen = new Set(verdict.unseen.map((u) => u.subject));
  return [...verdict.subjects].filter((subject) => !unseen.has(subject)).length;
}

/** @returns whether some fact that the invariant reads was left out on purpose */
export const isOff = (invariant: Invariant, readings: Readings): boolean =>
  invariant.reads.some((fact) => {
    const reading = readings[fact];
    return reading?.read === false && reading.off === true;
  });

/**
 * Judges one invariant. A fact that was not read, a check that throws, and a check that saw nothing of what there is,
 * all make the verdict unknown; none of them touches another invariant.
 */
export function evaluate(invariant: Invariant, readings: Readings, dwellSeconds: number): Verdict {
  const facts: Record<string, unknown> = {};
  const times: Record<string, unknown> = {};
  const partial: Record<string, string> = {};
  for (const name of invariant.reads) {
    const reading = readings[name] as Reading<unknown> | undefined;
    if (!reading) return unknownVerdict(invariant, `${name}: not read`);
    if (!reading.read) return unknownVerdict(invariant, reading.reason);
    facts[name] = reading.value;
    times[name] = reading.time;
    if (reading.partial !== undefined) partial[name] = reading.partial;
  }
  try {
    const checked = invariant.check(
      facts as unknown as Parameters<Invariant["check"]>[0],
      { times, partial, dwellSeconds } as unknown as Parameters<Invariant["check"]>[1],
    );
    if (typeof checked === "string") return unknownVerdict(invariant, checked);
    const subjects = new Set(checked.subjects);
    const { incomplete, examined } = checked;
    const verdict = {
      invariant,
      subjects,
      unseen: checked.unseen,
      incomplete,
      complete: incomplete === undefined && Object.keys(partial).length === 0,
      // What an incomplete look did not examine for certain counts as not looked at; a listed subject is otherwise seen.
      examined: (subject: string, key: string) =>
        incomplete === undefined ? subjects.has(subject) : (examined?.(key) ?? false),
      findings: [...checked.findings].sort(bySubject),
    };
    return { ...verdict, ...statusOf(verdict, incomplete) };
  } catch (error) {
    return unknownVerdict(invariant, `the check failed: ${describeError(error)}`);
  }
}

const bySubject = (a: AnyFinding, b: AnyFinding) =>
  a.subject < b.subject || (a.subject === b.subject && a.keys.join() < b.keys.join()) ? -1 : 1;

/**
 * @param incomplete why there may be more than was seen
 * @returns red before unknown before green
 */
export function statusOf(
  verdict: Pick<Verdict, "findings" | "subjects" | "unseen">,
  incomplete: string | undefined,
): Pick<Verdict, "status" | "reason"> {
  if (verdict.findings.length > 0) return { status: "red", reason: null };
  if (incomplete !== undefined) return { status: "unknown", reason: incomplete };
  const unseen = new Set(verdict.unseen.map((u) => u.subject));
  const seen = [...verdict.subjects].some((subject) => !unseen.has(subject));
  if (!seen && unseen.size > 0)
    return { status: "unknown", reason: `none of ${unseen.size} subject(s) could be seen` };
  return { status: "green", reason: null };
}

/** @returns the facts that these invariants read */
export const factsOf = (invariants: readonly Invariant[]): ReadonlySet<FactName> =>
  new Set(invariants.flatMap((invariant) => invariant.reads));
