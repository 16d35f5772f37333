/** A new red of facts that were not read at one instant counts only if reading again finds the same. Pure. */
import { type Unseen, withUnseen } from "../facts/coverage.ts";
import type { Readings } from "../facts/facts.ts";
import { type AnyFinding, evaluate, statusOf, type Verdict } from "./evaluate.ts";

/** Says whether a finding was red before, by its invariant, its subject and one of its keys. */
export type WasRed = (invariantId: string, subject: string, key: string) => boolean;

/** Picks the verdicts that hold a new red which has to be read again. */
export const needConfirmation = (verdicts: readonly Verdict[], wasRed: WasRed): Verdict[] =>
  verdicts.filter(
    ({ invariant, findings }) =>
      invariant.confirm && findings.some((f) => f.keys.some((key) => !wasRed(invariant.id, f.subject, key))),
  );

/** Restricts a finding to the keys that hold. Returns null when none is left. */
function restrictTo(
  verdict: Verdict,
  finding: AnyFinding,
  holds: (key: string) => boolean,
): AnyFinding | null {
  const keep = new Set(finding.keys.filter(holds));
  if (keep.size === 0) return null;
  if (keep.size === finding.keys.length) return finding;
  const narrowed = verdict.invariant.narrow?.(finding, keep) ?? finding;
  return narrowed.keys.length > 0 ? narrowed : null;
}

function keysBySubject(findings: readonly AnyFinding[]): ReadonlyMap<string, ReadonlySet<string>> {
  const keys = new Map<string, Set<string>>();
  for (const finding of findings) {
    const known = keys.get(finding.subject) ?? new Set();
    keys.set(finding.subject, known);
    for (const key of finding.keys) known.add(key);
  }
  return keys;
}

/**
 * Judges a verdict with a new red by another read.
 * @param first the verdict so far
 * @param readings the new read of the facts that the invariant reads
 * @returns the first verdict with only those findings that were red before or were found again. Where the new read
 *   failed, a new red is neither called red nor dismissed: its subjects are unseen.
 */
export function confirmed(first: Verdict, readings: Readings, wasRed: WasRed): Verdict {
  const { invariant } = first;
  const second = evaluate(invariant, readings);
  const foundAgain = keysBySubject(second.findings);
  const isUnseen = (subject: string, key: string) =>
    second.status === "unknown" || !second.coverage.saw(subject, key);

  const findings: AnyFinding[] = [];
  const unseen: Unseen[] = [];
  for (const finding of first.findings) {
    const { subject } = finding;
    const kept = restrictTo(
      first,
      finding,
      (key) => wasRed(invariant.id, subject, key) || (foundAgain.get(subject)?.has(key) ?? false),
    );
    if (kept) findings.push(kept);
    else if (finding.keys.some((key) => isUnseen(subject, key))) unseen.push({ subject });
  }
  const verdict = { ...first, findings, coverage: withUnseen(first.coverage, unseen) };
  if (findings.length > 0) return verdict;
  if (second.status === "unknown")
    return { ...verdict, status: "unknown", reason: `a red could not be confirmed: ${second.reason}` };
  return { ...verdict, ...statusOf(findings, verdict.coverage) };
}
