/** A new red of facts that were not read at one instant counts only if reading again finds the same. */

import type { InvariantStates } from "../cycle/memory.ts";
import type { Readings } from "../facts/facts.ts";
import { type AnyFinding, evaluate, statusOf, type Verdict } from "./evaluate.ts";

type IsKnown = (invariantId: string, finding: AnyFinding, key: string) => boolean;

/** @returns whether that finding was red before, by its subject and key */
export const knownIn =
  (states: InvariantStates): IsKnown =>
  (invariantId, { subject }, key) => {
    const state = states[invariantId];
    const red = state && Object.hasOwn(state.red, subject) ? state.red[subject] : undefined;
    return red !== undefined && (red.more === true || red.keys.includes(key));
  };

/** @returns the verdicts that hold something to read again */
export const suspects = (verdicts: readonly Verdict[], isKnown: IsKnown): Verdict[] =>
  verdicts.filter(
    ({ invariant, findings }) =>
      invariant.confirm && findings.some((f) => f.keys.some((key) => !isKnown(invariant.id, f, key))),
  );

/** @returns the finding less the keys that don't hold, or null when none is left */
function narrowed(verdict: Verdict, finding: AnyFinding, holds: (key: string) => boolean): AnyFinding | null {
  const keep = new Set(finding.keys.filter(holds));
  if (keep.size === 0) return null;
  if (keep.size === finding.keys.length) return finding;
  return verdict.invariant.narrow?.(finding, keep) ?? finding;
}

/**
 * Judges a suspect verdict by another read.
 * @param first what the reads before came to
 * @param readings the new read of the facts that the invariant reads
 * @returns the first verdict with only those findings that were known before or were found again. Where the new read
 *   failed, a new red is neither called red nor taken back: its subjects are unseen.
 */
export function confirmed(
  first: Verdict,
  readings: Readings,
  dwellSeconds: number,
  isKnown: IsKnown,
): Verdict {
  const { invariant } = first;
  const second = evaluate(invariant, readings, dwellSeconds);
  const foundAgain = new Map<string, Set<string>>();
  for (const { subject, keys } of second.findings) {
    const known = foundAgain.get(subject) ?? new Set();
    foundAgain.set(subject, known);
    for (const key of keys) known.add(key);
  }
  const isUnseen = ({ subject }: AnyFinding, key: string) =>
    second.status === "unknown" ||
    (!second.complete && !second.examined(subject, key)) ||
    second.unseen.some(
      (u) => u.subject === subject && (u.key === undefined || u.key === key || key.startsWith(`${u.key}/`)),
    );

  const findings: AnyFinding[] = [];
  const unseen = [...first.unseen];
  for (const finding of first.findings) {
    const holds = (key: string) =>
      isKnown(invariant.id, finding, key) || (foundAgain.get(finding.subject)?.has(key) ?? false);
    const kept = narrowed(first, finding, holds);
    if (kept) findings.push(kept);
    else if (finding.keys.some((key) => isUnseen(finding, key))) unseen.push({ subject: finding.subject });
  }
  const verdict = { ...first, findings, unseen };
  if (findings.length > 0) return verdict;
  if (second.status === "unknown")
    return { ...verdict, status: "unknown", reason: `a red could not be confirmed: ${second.reason}` };
  return {
    ...verdict,
    ...statusOf(verdict, first.incomplete),
  };
}
