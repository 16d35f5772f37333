/** The alert machine: what changed between the last cycle and this one. Pure. */
import type { Severity } from "../invariants/invariant.ts";
import { SEVERITIES } from "../invariants/invariant.ts";
import type { InvariantState, InvariantStates, RedSubject } from "./memory.ts";
import type { AnyFinding, Verdict } from "./verdict.ts";

/** An invariant went from green (or never judged) to red. */
export interface Broke {
  readonly kind: "broke";
  readonly invariantId: string;
  readonly severity: Severity;
  readonly subjects: readonly string[];
  readonly violationsInCycle: number;
  /** When it was last red before this; null if never. */
  readonly previousViolationAtMs: number | null;
}

/** An invariant that was red has a subject that was not. */
export interface Spread extends Omit<Broke, "kind"> {
  readonly kind: "spread";
}

/** Every subject that was red has been seen healthy, or is gone. */
export interface Recovered {
  readonly kind: "recovered";
  readonly invariantId: string;
  readonly severity: Severity;
  readonly subjects: readonly string[];
  readonly redSinceMs: number;
}
export type Transition = Broke | Spread | Recovered;

const NEVER_JUDGED: Omit<InvariantState, "sinceMs"> = {
  status: "unknown",
  lastRedAtMs: null,
  red: {},
  redBesides: 0,
  blindSinceMs: null,
  blindReason: null,
};

/** @returns the worst severity among the findings */
export function worstSeverity(verdict: Verdict, findings: readonly AnyFinding[]): Severity {
  const present = new Set(findings.map((f) => f.severity ?? verdict.invariant.severity));
  return SEVERITIES.find((severity) => present.has(severity)) ?? verdict.invariant.severity;
}

/**
 * @returns whether what was red in this subject could not be looked at: then it stays red
 */
function isUnseen(verdict: Verdict, subject: string, red: RedSubject): boolean {
  if (!verdict.complete && !verdict.subjects.has(subject)) return true;
  return verdict.unseen.some(
    (unseen) =>
      unseen.subject === subject &&
      (unseen.key === undefined ||
        red.more === true ||
        red.keys.some((key) => key === unseen.key || key.startsWith(`${unseen.key}/`))),
  );
}

/** @returns the subjects that are red after this verdict: those with findings, and those not seen healthy since */
function redAfter(prior: InvariantState, verdict: Verdict, nowMs: number): Record<string, RedSubject> {
  const red: Record<string, RedSubject> = Object.create(null);
  for (const [subject, before] of Object.entries(prior.red))
    if (isUnseen(verdict, subject, before)) red[subject] = before;
  for (const { subject, keys } of verdict.findings) {
    const known = red[subject];
    red[subject] = {
      sinceMs: known?.sinceMs ?? prior.red[subject]?.sinceMs ?? nowMs,
      keys: [...new Set([...(known?.keys ?? []), ...keys])],
      ...(known?.more && { more: true }),
    };
  }
  return red;
}

function stepOne(prior: InvariantState, verdict: Verdict, nowMs: number): [InvariantState, Transition[]] {
  if (verdict.status === "unknown")
    return [{ ...prior, blindSinceMs: prior.blindSinceMs ?? nowMs, blindReason: verdict.reason }, []];

  const { id: invariantId } = verdict.invariant;
  const red = redAfter(prior, verdict, nowMs);
  // A verdict that saw everything names all that is red: nothing is left to be counted besides.
  const redBesides = verdict.complete && verdict.unseen.length === 0 ? 0 : prior.redBesides;
  const isRed = Object.keys(red).length > 0 || redBesides > 0;
  const wasRed = prior.status === "red";
  const state: InvariantState = {
    status: isRed ? "red" : "green",
    sinceMs: prior.status === (isRed ? "red" : "green") ? prior.sinceMs : nowMs,
    lastRedAtMs: verdict.findings.length > 0 ? nowMs : prior.lastRedAtMs,
    red,
    redBesides,
    blindSinceMs: null,
    blindReason: null,
  };
  if (wasRed && !isRed) {
    const subjects = Object.keys(prior.red).sort();
    const severity = verdict.invariant.severity;
    return [state, [{ kind: "recovered", invariantId, severity, subjects, redSinceMs: prior.sinceMs }]];
  }
  const joined = verdict.findings.filter((f) => !Object.hasOwn(prior.red, f.subject));
  // Which subjects were cut off by the cap is not known, so none can be said to have joined.
  if (joined.length === 0 || prior.redBesides > 0) return [state, []];
  return [
    state,
    [
      {
        kind: wasRed ? "spread" : "broke",
        invariantId,
        severity: worstSeverity(verdict, joined),
        subjects: [...new Set(joined.map((f) => f.subject))].sort(),
        violationsInCycle: verdict.findings.length,
        previousViolationAtMs: prior.lastRedAtMs,
      },
    ],
  ];
}

/**
 * @param prior the states as the last cycle left them
 * @param verdicts of the invariants that ran; the others' states stay as they are
 * @returns the new states, and what changed, in the order of the verdicts
 */
export function step(
  prior: InvariantStates,
  verdicts: readonly Verdict[],
  nowMs: number,
): { states: InvariantStates; transitions: readonly Transition[] } {
  const states: Record<string, InvariantState> = { ...prior };
  const transitions: Transition[] = [];
  for (const verdict of verdicts) {
    const { id } = verdict.invariant;
    const [state, changes] = stepOne(prior[id] ?? { ...NEVER_JUDGED, sinceMs: nowMs }, verdict, nowMs);
    states[id] = state;
    transitions.push(...changes);
  }
  return { states, transitions };
}
