/** The alert machine: what changed between the last cycle and this one, and what operators are told of it. Pure. */

import {
  type BlindSource,
  type BlindSources,
  type InvariantState,
  type InvariantStates,
  NEVER_JUDGED,
  type RedSubject,
} from "../cycle/memory.ts";
import type { Invariant, Severity } from "../invariants/invariant.ts";
import { SEVERITIES } from "../invariants/invariant.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import { isSilenced, type Silence } from "./silence.ts";

/** An invariant went from green (or never judged) to red. */
export interface Broke {
  readonly kind: "broke";
  readonly invariantId: string;
  readonly severity: Severity;
  readonly subjects: readonly string[];
  readonly violationsInCycle: number;
  /** When it was last red before this; null if never. */
  readonly previousViolationAtMs: number | null;
  /** It is recorded, but nobody is told. */
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

/** Something that operators are to be told of findings. */
export interface RedAnnouncement {
  readonly kind: "broke" | "spread" | "reminder";
  readonly invariant: Invariant;
  readonly severity: Severity;
  /** What it is about: for `spread` the findings of the subjects that joined. */
  readonly findings: readonly AnyFinding[];
  readonly previousViolationAtMs: number | null;
  readonly redSinceMs: number;
}
export interface RecoveredAnnouncement {
  readonly kind: "recovered";
  readonly invariant: Invariant;
  readonly subjects: readonly string[];
  readonly redSinceMs: number;
}
/** What has not been read for some cycles, or is read again: one for all that turned in this cycle. */
export interface SightAnnouncement {
  readonly kind: "blind" | "sees";
  readonly what: readonly {
    readonly name: string;
    readonly reason: string | null;
    readonly sinceMs: number;
  }[];
}
export type Announcement = RedAnnouncement | RecoveredAnnouncement | SightAnnouncement;

export interface AlertPolicy {
  /** Without a channel nobody is told, and nothing counts as told: a channel that comes later hears what is red then. */
  readonly hasChannel: boolean;
  readonly onRecovery: boolean;
  readonly onSpread: boolean;
  /** 0 for never. */
  readonly remindAfterMs: number;
  readonly minSeverity: Severity;
  readonly blindAfterCycles: number;
}

/** What a cycle came to, as the alert machine needs it. */
export interface Seen {
  readonly verdicts: readonly Verdict[];
  /** Sources that are left out on purpose, by name. */
  readonly offSources: readonly string[];
  /** Whether every invariant ran: a run of some is no news of how long the others, or their sources, were blind. */
  readonly isFull: boolean;
  /** The lines of `sources_unavailable`. */
  readonly unavailable: readonly string[];
}

/** What the alert machine remembers. */
export interface Remembered {
  readonly states: InvariantStates;
  readonly blindSources: BlindSources;
}

interface Context {
  readonly nowMs: number;
  readonly policy: AlertPolicy;
  readonly silences: readonly Silence[];
  readonly isFull: boolean;
}

/** A container fleet can fail one by one; what is beyond this is in `sources_unavailable`, only not alerted by name. */
const MAX_BLIND_SOURCES = 200;

const severityOf = ({ invariant }: Verdict, finding: AnyFinding): Severity =>
  finding.severity ?? invariant.severity;

/** @returns the worst severity among the findings */
export function worstSeverity(verdict: Verdict, findings: readonly AnyFinding[]): Severity {
  const present = new Set(findings.map((f) => severityOf(verdict, f)));
  return SEVERITIES.find((severity) => present.has(severity)) ?? verdict.invariant.severity;
}

/**
 * @returns whether what was red in this subject could not be looked at: then it stays red
 */
function isUnseen(verdict: Verdict, subject: string, red: RedSubject): boolean {
  if (!verdict.complete && (red.more || !red.keys.every((key) => verdict.examined(subject, key))))
    return true;
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
    const before = Object.hasOwn(prior.red, subject) ? prior.red[subject] : undefined;
    red[subject] = {
      sinceMs: known?.sinceMs ?? before?.sinceMs ?? nowMs,
      keys: [...new Set([...(known?.keys ?? []), ...keys])],
      ...(known?.more && { more: true }),
      ...(before?.announced && { announced: true }),
    };
  }
  return red;
}

/** Tells of what is red and not told yet; of what was told long ago, again. @returns the state with what is told now */
function announceRed(
  prior: InvariantState,
  state: InvariantState,
  verdict: Verdict,
  { nowMs, policy, silences }: Context,
): [InvariantState, Announcement[]] {
  const { invariant } = verdict;
  if (!policy.hasChannel) return [state, []];
  const isWorthTelling = (finding: AnyFinding) =>
    SEVERITIES.indexOf(severityOf(verdict, finding)) <= SEVERITIES.indexOf(policy.minSeverity) &&
    !isSilenced(silences, invariant.id, finding.subject, nowMs);
  const telling = verdict.findings.filter(isWorthTelling);
  const red: Record<string, RedSubject> = Object.assign(Object.create(null), state.red);
  for (const { subject } of verdict.findings) {
    // Told before its silence, still red after it: that is told again. What a cap had cut off was told already.
    if (isSilenced(silences, invariant.id, subject, nowMs))
      red[subject] = { ...red[subject]!, announced: false };
    else if (prior.redBesides > 0 && !Object.hasOwn(prior.red, subject))
      red[subject] = { ...red[subject]!, announced: true };
  }
  const untold = telling.filter((f) => !red[f.subject]!.announced);
  const isFirst = !Object.values(red).some((subject) => subject.announced);
  const announcement = (kind: RedAnnouncement["kind"], findings: readonly AnyFinding[]): RedAnnouncement => ({
    kind,
    invariant,
    severity: worstSeverity(verdict, findings),
    findings,
    // Of an earlier red: that this one was seen before it is told is no news.
    previousViolationAtMs: prior.status === "red" ? null : prior.lastRedAtMs,
    redSinceMs: state.sinceMs,
  });

  for (const { subject } of untold) red[subject] = { ...red[subject]!, announced: true };
  const told = { ...state, red };
  // Where spreading is not told, what a silence or its severity had held back still is.
  const news =
    isFirst || policy.onSpread ? untold : untold.filter((f) => Object.hasOwn(prior.red, f.subject));
  if (news.length > 0)
    return [{ ...told, announcedAtMs: nowMs }, [announcement(isFirst ? "broke" : "spread", news)]];
  const isDue =
    policy.remindAfterMs > 0 &&
    state.announcedAtMs !== null &&
    nowMs - state.announcedAtMs >= policy.remindAfterMs;
  return isDue && telling.length > 0
    ? [{ ...told, announcedAtMs: nowMs }, [announcement("reminder", telling)]]
    : [told, []];
}

function stepOne(
  prior: InvariantState,
  verdict: Verdict,
  context: Context,
): { state: InvariantState; transitions: Transition[]; announcements: Announcement[] } {
  const { nowMs, policy, silences, isFull } = context;
  const { id: invariantId } = verdict.invariant;
  if (verdict.status === "unknown") {
    const { blindSinceMs, blindCycles } = prior;
    const state = {
      ...prior,
      blindSinceMs: blindSinceMs ?? nowMs,
      blindReason: verdict.reason,
      blindCycles: blindCycles + (isFull ? 1 : 0),
    };
    return { state, transitions: [], announcements: [] };
  }

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
    announcedAtMs: isRed ? prior.announcedAtMs : null,
    blindCycles: 0,
    blindAnnounced: false,
    blindSinceMs: null,
    blindReason: null,
  };
  if (wasRed && !isRed) {
    const { invariant } = verdict;
    const subjects = Object.keys(prior.red).sort();
    const silenced =
      subjects.length > 0
        ? subjects.every((subject) => isSilenced(silences, invariantId, subject, nowMs))
        : isSilenced(silences, invariantId, null, nowMs);
    const redSinceMs = prior.sinceMs;
    const wholeSilenced = isSilenced(silences, invariantId, null, nowMs);
    const tell = policy.hasChannel && policy.onRecovery && prior.announcedAtMs !== null && !wholeSilenced;
    const told = subjects.filter((subject) => prior.red[subject]!.announced);
    return {
      state,
      transitions: [
        { kind: "recovered", invariantId, severity: invariant.severity, subjects, redSinceMs, silenced },
      ],
      announcements: tell ? [{ kind: "recovered", invariant, subjects: told, redSinceMs }] : [],
    };
  }
  const [told, announcements] = announceRed(prior, state, verdict, context);
  const joined = verdict.findings.filter((f) => !Object.hasOwn(prior.red, f.subject));
  // Which subjects were cut off by the cap is not known, so none can be said to have joined.
  if (joined.length === 0 || prior.redBesides > 0) return { state: told, transitions: [], announcements };
  const transition: Transition = {
    kind: wasRed ? "spread" : "broke",
    invariantId,
    severity: worstSeverity(verdict, joined),
    subjects: [...new Set(joined.map((f) => f.subject))].sort(),
    violationsInCycle: verdict.findings.length,
    previousViolationAtMs: prior.lastRedAtMs,
    silenced: joined.every((f) => isSilenced(silences, invariantId, f.subject, nowMs)),
  };
  return { state: told, transitions: [transition], announcements };
}

const rootOf = (name: string) => name.split(/[.[]/)[0]!;

/** @returns the sources that are blind after this cycle */
function blindAfter(prior: BlindSources, seen: Seen, nowMs: number): BlindSources {
  if (!seen.isFull) return prior;
  const reasons = new Map<string, string>();
  for (const line of seen.unavailable) {
    const colon = line.indexOf(": ");
    const name = line.slice(0, Math.max(colon, 0));
    if (name && !reasons.has(name)) reasons.set(name, line.slice(colon + 2));
  }
  // Of a source that failed whole, its parts say nothing: they are as blind as before.
  for (const [name, { reason }] of Object.entries(prior))
    if (!reasons.has(name) && reasons.has(rootOf(name))) reasons.set(name, reason);
  const blind: Record<string, BlindSource> = Object.create(null);
  const known = [...reasons.keys()].filter((name) => Object.hasOwn(prior, name));
  for (const name of new Set([...known, ...reasons.keys()])) {
    if (Object.keys(blind).length === MAX_BLIND_SOURCES) break;
    const before = Object.hasOwn(prior, name) ? prior[name] : undefined;
    blind[name] = {
      sinceMs: before?.sinceMs ?? nowMs,
      cycles: (before?.cycles ?? 0) + 1,
      reason: reasons.get(name)!,
      announced: before?.announced ?? false,
    };
  }
  return blind;
}

/**
 * Tells once of what has been blind for some cycles, and once when it sees again: all that turned, in one announcement.
 */
function announceSight(
  prior: Remembered,
  states: Record<string, InvariantState>,
  sources: BlindSources,
  seen: Seen,
  { nowMs, policy, silences }: Context,
): { sources: BlindSources; announcements: SightAnnouncement[] } {
  const blind: SightAnnouncement["what"][number][] = [];
  const sees: SightAnnouncement["what"][number][] = [];
  const told: Record<string, BlindSource> = Object.assign(Object.create(null), sources);
  if (policy.hasChannel) {
    for (const [name, source] of Object.entries(sources)) {
      if (source.announced || source.cycles < policy.blindAfterCycles) continue;
      told[name] = { ...source, announced: true };
      blind.push({ name, reason: source.reason, sinceMs: source.sinceMs });
    }
    for (const [id, state] of Object.entries(states)) {
      if (state.blindAnnounced || state.blindSinceMs === null || state.blindCycles < policy.blindAfterCycles)
        continue;
      if (isSilenced(silences, id, null, nowMs)) continue;
      states[id] = { ...state, blindAnnounced: true };
      blind.push({ name: id, reason: state.blindReason, sinceMs: state.blindSinceMs });
    }
  }
  for (const [name, before] of Object.entries(prior.blindSources))
    if (before.announced && !Object.hasOwn(sources, name) && !seen.offSources.includes(rootOf(name)))
      sees.push({ name, reason: null, sinceMs: before.sinceMs });
  for (const [id, before] of Object.entries(prior.states))
    if (before.blindAnnounced && states[id]?.blindSinceMs === null)
      sees.push({ name: id, reason: null, sinceMs: before.blindSinceMs ?? nowMs });
  const announcements: SightAnnouncement[] = [];
  if (blind.length > 0) announcements.push({ kind: "blind", what: blind });
  if (sees.length > 0 && policy.hasChannel) announcements.push({ kind: "sees", what: sees });
  return { sources: told, announcements };
}

/**
 * @param prior what the last cycle left
 * @param seen what this cycle came to; invariants that did not run and sources that were not asked stay as they are
 * @param silences those that are in force, and others
 * @returns the new states, what changed, in the order of the verdicts, and what operators are to be told
 */
export function step(
  prior: Remembered,
  seen: Seen,
  nowMs: number,
  policy: AlertPolicy,
  silences: readonly Silence[],
): Remembered & { transitions: readonly Transition[]; announcements: readonly Announcement[] } {
  const context = { nowMs, policy, silences, isFull: seen.isFull };
  const states: Record<string, InvariantState> = { ...prior.states };
  const transitions: Transition[] = [];
  const announcements: Announcement[] = [];
  for (const verdict of seen.verdicts) {
    const { id } = verdict.invariant;
    const result = stepOne(prior.states[id] ?? { ...NEVER_JUDGED, sinceMs: nowMs }, verdict, context);
    states[id] = result.state;
    transitions.push(...result.transitions);
    announcements.push(...result.announcements);
  }
  const blind = blindAfter(prior.blindSources, seen, nowMs);
  const sight = announceSight(prior, states, blind, seen, context);
  return {
    states,
    blindSources: sight.sources,
    transitions,
    announcements: [...announcements, ...sight.announcements],
  };
}
