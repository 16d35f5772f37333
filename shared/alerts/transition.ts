/** What changed between the last cycle and this one. Pure: who is notified of it is decided in notify.ts. */

import { seenCount } from "../facts/coverage.ts";
import { SEVERITIES, type Severity } from "../invariants/invariant.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import { isSilenced, lasting, type Silence } from "./silence.ts";
import {
  type AlertState,
  type BlindSource,
  type BlindSources,
  type InvariantState,
  type InvariantStates,
  NOT_BLIND,
  type RedSubject,
  redSubjectOf,
  sourceOf,
  stateOf,
} from "./state.ts";
import { stillRed } from "./still-red.ts";

/** An invariant went from green (or never judged) to red. */
export interface Broke {
  readonly kind: "broke";
  readonly invariantId: string;
  readonly severity: Severity;
  readonly subjects: readonly string[];
  readonly violationsInCycle: number;
  /** When it was last red before this; null if never. */
  readonly previousViolationAtMs: number | null;
  /** It is recorded, but nobody is notified. */
  readonly silenced: boolean;
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
  readonly silenced: boolean;
}
export type Transition = Broke | Spread | Recovered;

/** The outcome of a cycle, as the alert machine needs it. */
export interface CycleResult {
  /** Of this cycle alone. */
  readonly verdicts: readonly Verdict[];
  /** Invariants that are not run in this environment, by id: turned off, or a fact that they read is. */
  readonly offInvariants: readonly string[];
  /** Sources that were not read on purpose, by name: left out, or nothing that was asked for needs them. */
  readonly offSources: readonly string[];
  /** Whether every invariant ran: a run of some says nothing of how long the others, or their sources, were blind. */
  readonly isFull: boolean;
  /** The lines of `sources_unavailable` for what could not be read. */
  readonly unavailable: readonly string[];
}

/** A container fleet can fail one by one; what is beyond this is in `sources_unavailable`, but not alerted by name. */
const MAX_BLIND_SOURCES = 200;

export const severityOf = ({ invariant }: Verdict, finding: AnyFinding): Severity =>
  finding.severity ?? invariant.severity;

/** The worst severity among the findings; the invariant's own where there are none. */
export function worstSeverity(verdict: Verdict, findings: readonly AnyFinding[]): Severity {
  const present = new Set(findings.map((f) => severityOf(verdict, f)));
  return SEVERITIES.find((severity) => present.has(severity)) ?? verdict.invariant.severity;
}

/**
 * Says whether the invariant is unknown, and no other alert says why. Where the invariant that discredits it is red, or is in
 * doubt and about to be, that one's alert does.
 */
export const isBlind = ({ status, discreditedBy, isInDoubt }: Verdict): boolean =>
  status === "unknown" && !discreditedBy && !isInDoubt;

/**
 * Computes the state after a cycle.
 * @param prior what the last cycle left
 * @param result of this cycle; other invariants that did not run, and sources that were not asked, stay as they are
 * @param silences may include ended ones
 * @returns the new state, and the transitions in the order of the verdicts
 */
export function transition(
  prior: AlertState,
  result: CycleResult,
  nowMs: number,
  silences: readonly Silence[],
): AlertState & { readonly transitions: readonly Transition[] } {
  const steps = result.verdicts.map((verdict) => {
    const { id } = verdict.invariant;
    const before = stateOf(prior.states, id, nowMs);
    const after = nextState(before, verdict, nowMs, result.isFull);
    return { id, after, change: changeOf(before, after, verdict, nowMs, silences) };
  });
  return {
    ...(prior.blindNotified && { blindNotified: prior.blindNotified }),
    states: {
      ...prior.states,
      ...turnedOff(prior.states, result.offInvariants),
      ...Object.fromEntries(steps.map(({ id, after }) => [id, after])),
    },
    blindSources: result.isFull
      ? blindAfter(prior.blindSources, result.unavailable, nowMs)
      : prior.blindSources,
    transitions: steps.flatMap(({ change }) => (change ? [change] : [])),
  };
}

/**
 * The states of invariants that are off. What is red stays so, since nobody has seen it healthy: it recovers, or operators
 * are notified of it again, once the invariant is on again. What is not looked at on purpose is not blind.
 */
const turnedOff = (states: InvariantStates, off: readonly string[]): InvariantStates =>
  Object.fromEntries(
    off.flatMap((id) => {
      const state = states[id];
      if (!state) return [];
      const red = Object.entries(state.red).map(([name, { announced: _, ...subject }]) => [name, subject]);
      return [[id, { ...state, ...NOT_BLIND, red: Object.fromEntries(red) }]];
    }),
  );

function nextState(prior: InvariantState, verdict: Verdict, nowMs: number, isFull: boolean): InvariantState {
  if (verdict.status === "unknown")
    return {
      ...prior,
      blindSinceMs: prior.blindSinceMs ?? nowMs,
      blindReason: verdict.reason,
      blindCycles: isBlind(verdict) ? prior.blindCycles + (isFull ? 1 : 0) : 0,
      checked: seenCount(verdict.coverage),
    };
  const still = stillRed(prior, verdict);
  const red = redAfter(prior, still.red, verdict, nowMs);
  const redBesides = still.besides;
  const isRed = Object.keys(red).length > 0 || redBesides > 0;
  return {
    status: isRed ? "red" : "green",
    sinceMs: prior.status === (isRed ? "red" : "green") ? prior.sinceMs : nowMs,
    lastRedAtMs: verdict.findings.length > 0 ? nowMs : prior.lastRedAtMs,
    red,
    redBesides,
    announcedAtMs: isRed ? prior.announcedAtMs : null,
    ...(isRed && prior.notified && { notified: prior.notified }),
    ...(isRed && prior.severitySent && { severitySent: prior.severitySent }),
    ...NOT_BLIND,
    checked: seenCount(verdict.coverage),
  };
}

/** The subjects that are red after this verdict: those with findings, and those that could not be seen healthy. */
function redAfter(
  prior: InvariantState,
  unseen: Readonly<Record<string, RedSubject>>,
  verdict: Verdict,
  nowMs: number,
): Record<string, RedSubject> {
  const red: Record<string, RedSubject> = Object.assign(Object.create(null), unseen);
  for (const { subject, keys } of verdict.findings) {
    const known = red[subject];
    const before = redSubjectOf(prior, subject);
    red[subject] = {
      sinceMs: known?.sinceMs ?? before?.sinceMs ?? nowMs,
      keys: [...new Set([...(known?.keys ?? []), ...keys])],
      ...(known?.more && { more: true }),
      ...(before?.announced && { announced: true }),
    };
  }
  return red;
}

function changeOf(
  before: InvariantState,
  after: InvariantState,
  verdict: Verdict,
  nowMs: number,
  silences: readonly Silence[],
): Transition | null {
  if (verdict.status === "unknown") return null;
  const { id: invariantId, severity } = verdict.invariant;
  const silencedBy = (those: readonly Silence[]) => (subject: string | null) =>
    isSilenced(those, invariantId, subject, nowMs);
  const wasRed = before.status === "red";
  if (wasRed && after.status !== "red") {
    const subjects = Object.keys(before.red).sort();
    const silenced = silencedBy(lasting(silences));
    return {
      kind: "recovered",
      invariantId,
      severity,
      subjects,
      redSinceMs: before.sinceMs,
      silenced: subjects.length > 0 ? subjects.every(silenced) : silenced(null),
    };
  }
  const joined = verdict.findings.filter((f) => !Object.hasOwn(before.red, f.subject));
  // Which subjects did not fit in the store is not known, so none can be said to have joined.
  if (joined.length === 0 || before.redBesides > 0) return null;
  return {
    kind: wasRed ? "spread" : "broke",
    invariantId,
    severity: worstSeverity(verdict, joined),
    subjects: [...new Set(joined.map((f) => f.subject))].sort(),
    violationsInCycle: verdict.findings.length,
    previousViolationAtMs: before.lastRedAtMs,
    silenced: joined.map((f) => f.subject).every(silencedBy(silences)),
  };
}

/** The sources that are blind after a full cycle. */
function blindAfter(prior: BlindSources, unavailable: readonly string[], nowMs: number): BlindSources {
  const reasons = new Map<string, string>();
  for (const line of unavailable) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, Math.max(colon, 0));
    if (name && !reasons.has(name)) reasons.set(name, line.slice(colon + 2));
  }
  // A source that failed as a whole says nothing about its parts: they stay as they were.
  for (const [name, { reason }] of Object.entries(prior))
    if (!reasons.has(name) && reasons.has(sourceOf(name))) reasons.set(name, reason);
  const blind: Record<string, BlindSource> = Object.create(null);
  const known = [...reasons.keys()].filter((name) => Object.hasOwn(prior, name));
  for (const name of [...new Set([...known, ...reasons.keys()])].slice(0, MAX_BLIND_SOURCES)) {
    const before = Object.hasOwn(prior, name) ? prior[name] : undefined;
    blind[name] = {
      sinceMs: before?.sinceMs ?? nowMs,
      cycles: (before?.cycles ?? 0) + 1,
      reason: reasons.get(name)!,
      announced: before?.announced ?? false,
      ...(before?.severity && { severity: before.severity }),
    };
  }
  return blind;
}
