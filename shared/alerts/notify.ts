/** Whom a cycle notifies of what. Pure: it marks in the state what was notified, so that nothing is notified twice. */

import type { Invariant, Severity } from "../invariants/invariant.ts";
import { SEVERITIES } from "../invariants/invariant.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import { isSilenced, lasting, type Silence, untilRecovery } from "./silence.ts";
import { type AlertState, type BlindSource, type InvariantState, type RedSubject, stateOf } from "./state.ts";
import { type CycleResult, severityOf, sourceOf, worstSeverity } from "./transition.ts";

export interface RedNotice {
  readonly kind: "broke" | "spread" | "reminder";
  readonly invariant: Invariant;
  readonly severity: Severity;
  /** What it is about: for `spread` the findings of the subjects that joined. */
  readonly findings: readonly AnyFinding[];
  /** When it was last red before this red; null if never. */
  readonly previousViolationAtMs: number | null;
  readonly redSinceMs: number;
}
export interface RecoveredNotice {
  readonly kind: "recovered";
  readonly invariant: Invariant;
  readonly subjects: readonly string[];
  readonly redSinceMs: number;
}
/** What could not be read for some cycles, or is read again: one notice for all that changed in this cycle. */
export interface SightNotice {
  readonly kind: "blind" | "sees";
  readonly what: readonly {
    readonly name: string;
    readonly reason: string | null;
    readonly sinceMs: number;
  }[];
}
export type Notice = RedNotice | RecoveredNotice | SightNotice;

export interface AlertPolicy {
  /** Without a channel nobody is notified, and nothing is marked: a channel that is added later gets what is red then. */
  readonly hasChannel: boolean;
  readonly onRecovery: boolean;
  readonly onSpread: boolean;
  /** 0 for never. */
  readonly remindAfterMs: number;
  readonly minSeverity: Severity;
  readonly blindAfterCycles: number;
}

interface Context {
  readonly nowMs: number;
  readonly policy: AlertPolicy;
  readonly silences: readonly Silence[];
}

/**
 * Decides what operators are notified of.
 * @param prior what the last cycle left
 * @param after the state after this cycle, as `transition` computed it
 * @returns the state, in which the notified subjects are marked, and the notices
 */
export function notify(
  prior: AlertState,
  after: AlertState,
  result: CycleResult,
  nowMs: number,
  policy: AlertPolicy,
  silences: readonly Silence[],
): AlertState & { readonly notices: readonly Notice[] } {
  if (!policy.hasChannel) return { ...after, notices: [] };
  const context = { nowMs, policy, silences };
  const states: Record<string, InvariantState> = { ...after.states };
  const notices: Notice[] = [];
  for (const verdict of result.verdicts) {
    if (verdict.status === "unknown") continue;
    const { id } = verdict.invariant;
    const before = stateOf(prior.states, id, nowMs);
    const state = after.states[id]!;
    if (before.status === "red" && state.status !== "red") {
      notices.push(...recoveryNotices(before, verdict.invariant, context));
      continue;
    }
    const [marked, red] = notifyRed(before, state, verdict, context);
    states[id] = marked;
    notices.push(...red);
  }
  return notifySight(prior, { states, blindSources: after.blindSources }, notices, result, context);
}

function recoveryNotices(
  before: InvariantState,
  invariant: Invariant,
  { policy, silences, nowMs }: Context,
): RecoveredNotice[] {
  const isSilent = isSilenced(lasting(silences), invariant.id, null, nowMs);
  if (!policy.onRecovery || before.announcedAtMs === null || isSilent) return [];
  const subjects = Object.keys(before.red).sort();
  // A silence takes the mark away. Who silenced it until the recovery waits for just that.
  const isAwaited = (subject: string) => isSilenced(untilRecovery(silences), invariant.id, subject, nowMs);
  const notified = subjects.filter((subject) => before.red[subject]!.announced || isAwaited(subject));
  return [{ kind: "recovered", invariant, subjects: notified, redSinceMs: before.sinceMs }];
}

/** Marks which red subjects count as notified before this cycle's notices are made. */
function marksBefore(
  prior: InvariantState,
  state: InvariantState,
  verdict: Verdict,
  { silences, nowMs }: Context,
): Record<string, RedSubject> {
  const red: Record<string, RedSubject> = Object.assign(Object.create(null), state.red);
  for (const { subject } of verdict.findings) {
    // Notified before its silence, still red after it: operators are notified again.
    if (isSilenced(silences, verdict.invariant.id, subject, nowMs))
      red[subject] = { ...red[subject]!, announced: false };
    // It may be one that did not fit in the store: those were notified already.
    else if (prior.redBesides > 0 && !Object.hasOwn(prior.red, subject))
      red[subject] = { ...red[subject]!, announced: true };
  }
  return red;
}

/** Notifies of new reds, and reminds of old ones. */
function notifyRed(
  prior: InvariantState,
  state: InvariantState,
  verdict: Verdict,
  context: Context,
): [InvariantState, RedNotice[]] {
  const { nowMs, policy, silences } = context;
  const { invariant } = verdict;
  // What rests on a discredited source is unknown, without an alert of its own: this alert has to be sent, whatever the limit.
  const isGrave = (finding: AnyFinding) =>
    invariant.discredits !== undefined ||
    SEVERITIES.indexOf(severityOf(verdict, finding)) <= SEVERITIES.indexOf(policy.minSeverity);
  const isWorthIt = (finding: AnyFinding) =>
    isGrave(finding) && !isSilenced(silences, invariant.id, finding.subject, nowMs);
  const worthy = verdict.findings.filter(isWorthIt);
  const red = marksBefore(prior, state, verdict, context);
  const pending = worthy.filter((f) => !red[f.subject]!.announced);
  const isFirst = !Object.values(red).some((subject) => subject.announced);
  const notice = (kind: RedNotice["kind"], findings: readonly AnyFinding[]): RedNotice => ({
    kind,
    invariant,
    severity: worstSeverity(verdict, findings),
    findings,
    // The previous incident, not this one.
    previousViolationAtMs: prior.status === "red" ? null : prior.lastRedAtMs,
    redSinceMs: state.sinceMs,
  });

  for (const { subject } of pending) red[subject] = { ...red[subject]!, announced: true };
  const marked = { ...state, red };
  // With `onSpread` off, subjects that a silence or the severity limit had held back are still notified.
  const due =
    isFirst || policy.onSpread ? pending : pending.filter((f) => Object.hasOwn(prior.red, f.subject));
  if (due.length > 0)
    return [{ ...marked, announcedAtMs: nowMs }, [notice(isFirst ? "broke" : "spread", due)]];
  const isReminderDue =
    policy.remindAfterMs > 0 &&
    state.announcedAtMs !== null &&
    nowMs - state.announcedAtMs >= policy.remindAfterMs;
  return isReminderDue && worthy.length > 0
    ? [{ ...marked, announcedAtMs: nowMs }, [notice("reminder", worthy)]]
    : [marked, []];
}

/** Notifies once of what could not be read for some cycles, and once when it is read again. */
function notifySight(
  prior: AlertState,
  after: AlertState,
  notices: readonly Notice[],
  { offInvariants, offSources }: CycleResult,
  { nowMs, policy, silences }: Context,
): AlertState & { readonly notices: readonly Notice[] } {
  const states: Record<string, InvariantState> = { ...after.states };
  const blindSources: Record<string, BlindSource> = Object.assign(Object.create(null), after.blindSources);
  const blind: SightNotice["what"][number][] = [];
  for (const [name, source] of Object.entries(after.blindSources)) {
    if (source.announced || source.cycles < policy.blindAfterCycles) continue;
    blindSources[name] = { ...source, announced: true };
    blind.push({ name, reason: source.reason, sinceMs: source.sinceMs });
  }
  for (const [id, state] of Object.entries(after.states)) {
    const { blindAnnounced, blindSinceMs, blindCycles, blindReason } = state;
    if (blindAnnounced || blindSinceMs === null || blindCycles < policy.blindAfterCycles) continue;
    if (isSilenced(silences, id, null, nowMs)) continue;
    states[id] = { ...state, blindAnnounced: true };
    blind.push({ name: id, reason: blindReason, sinceMs: blindSinceMs });
  }
  const seen: SightNotice["what"][number][] = [];
  for (const [name, before] of Object.entries(prior.blindSources))
    if (before.announced && !Object.hasOwn(after.blindSources, name) && !offSources.includes(sourceOf(name)))
      seen.push({ name, reason: null, sinceMs: before.sinceMs });
  for (const [id, before] of Object.entries(prior.states))
    if (before.blindAnnounced && after.states[id]?.blindSinceMs === null && !offInvariants.includes(id))
      seen.push({ name: id, reason: null, sinceMs: before.blindSinceMs ?? nowMs });
  const sight: SightNotice[] = [];
  if (blind.length > 0) sight.push({ kind: "blind", what: blind });
  if (seen.length > 0) sight.push({ kind: "sees", what: seen });
  return { states, blindSources, notices: [...notices, ...sight] };
}
