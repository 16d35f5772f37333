/** Whom a cycle notifies of what. Pure: it marks in the state what was notified, so that nothing is notified twice. */

import { INVARIANTS } from "../invariants/index.ts";
import { type Invariant, SEVERITIES, type Severity } from "../invariants/invariant.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import type { Channel } from "./alert.ts";
import { notifySight, type SightNotice } from "./notify-sight.ts";
import { alsoSent, type Route, sentTo, takes } from "./route.ts";
import { isSilenced, lasting, type Silence, untilRecovery } from "./silence.ts";
import { type AlertState, type InvariantState, type RedSubject, stateOf } from "./state.ts";
import { type CycleResult, severityOf, worstSeverity } from "./transition.ts";

interface Sent {
  /** The channels that it is sent to; there is at least one. */
  readonly channels: readonly Channel[];
}
export interface RedNotice extends Sent {
  readonly kind: "broke" | "spread" | "reminder";
  readonly invariant: Invariant;
  readonly severity: Severity;
  /** What it is about: for `spread` the findings of the subjects that joined. */
  readonly findings: readonly AnyFinding[];
  /** When it was last red before this red; null if never. */
  readonly previousViolationAtMs: number | null;
  readonly redSinceMs: number;
  /** It is for channels that were not sent this red when it began. */
  readonly isLate?: true;
}
export interface RecoveredNotice extends Sent {
  readonly kind: "recovered";
  readonly invariant: Invariant;
  readonly subjects: readonly string[];
  readonly redSinceMs: number;
  /** The worst that was sent of it. */
  readonly severity: Severity;
  /** Nobody has seen it healthy: it is not looked at any more. */
  readonly isTurnedOff?: true;
}
export type Notice = RedNotice | RecoveredNotice | SightNotice;

export interface AlertPolicy {
  /** Without a channel nobody is notified, and nothing is marked: a channel that is added later gets what is red then. */
  readonly routes: readonly Route[];
  readonly onRecovery: boolean;
  readonly onSpread: boolean;
  /** 0 for never. */
  readonly remindAfterMs: number;
  readonly blindAfterCycles: number;
}

export interface NotifyContext {
  readonly nowMs: number;
  readonly policy: AlertPolicy;
  readonly silences: readonly Silence[];
}
type Context = NotifyContext;

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
    if (policy.routes.length === 0) continue;
    const [marked, red] = notifyRed(before, state, verdict, context);
    states[id] = marked;
    notices.push(...red);
  }
  for (const invariant of INVARIANTS.filter(({ id }) => result.offInvariants.includes(id))) {
    const state = states[invariant.id];
    if (state?.status !== "red") continue;
    const [marked, ends] = closeTurnedOff(state, invariant, context);
    states[invariant.id] = marked;
    notices.push(...ends);
  }
  const sight = notifySight(prior, { ...after, states }, result, context);
  return { ...sight, notices: [...notices, ...sight.notices] };
}

function recoveryNotices(
  before: InvariantState,
  invariant: Invariant,
  { policy, silences, nowMs }: Context,
): RecoveredNotice[] {
  if (before.announcedAtMs === null) return [];
  // What is open at a channel is closed there, also where nobody wants to read of it.
  const isQuiet = !policy.onRecovery || isSilenced(lasting(silences), invariant.id, null, nowMs);
  const sent = sentTo(before.notified, policy.routes).filter(({ holdsOpen }) => holdsOpen || !isQuiet);
  if (sent.length === 0) return [];
  const channels = sent.map(({ name }) => name);
  const subjects = Object.keys(before.red).sort();
  // A silence takes the mark away. Who silenced it until the recovery waits for just that.
  const isAwaited = (subject: string) => isSilenced(untilRecovery(silences), invariant.id, subject, nowMs);
  const notified = subjects.filter((subject) => before.red[subject]!.announced || isAwaited(subject));
  const severity = before.severitySent ?? invariant.severity;
  return [
    { kind: "recovered", invariant, channels, subjects: notified, redSinceMs: before.sinceMs, severity },
  ];
}

/** Ends what is open of an invariant that is not looked at any more. Who reads messages hears of it when it is on again. */
function closeTurnedOff(
  state: InvariantState,
  invariant: Invariant,
  { policy }: Context,
): [InvariantState, RecoveredNotice[]] {
  const sent = state.announcedAtMs === null ? [] : sentTo(state.notified, policy.routes);
  const channels = sent.filter(({ holdsOpen }) => holdsOpen).map(({ name }) => name);
  if (channels.length === 0) return [state, []];
  const notified = sent.filter(({ holdsOpen }) => !holdsOpen).map(({ name }) => name);
  const severity = state.severitySent ?? invariant.severity;
  const subjects = Object.keys(state.red).sort();
  const of = { invariant, channels, subjects, severity, redSinceMs: state.sinceMs };
  return [{ ...state, notified }, [{ kind: "recovered", ...of, isTurnedOff: true }]];
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
  const channelsFor = (severity: Severity) =>
    policy.routes.filter((route) => takes(route, invariant, severity)).map(({ name }) => name);
  const isWorthIt = (finding: AnyFinding) =>
    channelsFor(severityOf(verdict, finding)).length > 0 &&
    !isSilenced(silences, invariant.id, finding.subject, nowMs);
  const worthy = verdict.findings.filter(isWorthIt);
  const red = marksBefore(prior, state, verdict, context);
  const pending = worthy.filter((f) => !red[f.subject]!.announced);
  const isFirst = !Object.values(red).some((subject) => subject.announced);
  const notice = (kind: RedNotice["kind"], findings: readonly AnyFinding[]): RedNotice => {
    const severity = worstSeverity(verdict, findings);
    return {
      kind,
      invariant,
      severity,
      findings,
      channels: channelsFor(severity),
      // The previous incident, not this one.
      previousViolationAtMs: prior.status === "red" ? null : prior.lastRedAtMs,
      redSinceMs: state.sinceMs,
    };
  };
  for (const { subject } of pending) red[subject] = { ...red[subject]!, announced: true };
  // With `onSpread` off, subjects that a silence or the severity limit had held back are still notified.
  const due =
    isFirst || policy.onSpread ? pending : pending.filter((f) => Object.hasOwn(prior.red, f.subject));
  const wasSent = state.announcedAtMs !== null;
  const isReminderDue =
    policy.remindAfterMs > 0 && wasSent && nowMs - state.announcedAtMs! >= policy.remindAfterMs;
  const known = alsoSent(state.notified, wasSent, policy.routes, []);
  // It was not severe enough for them when it began, or they are new: they are sent all of it.
  const late =
    isFirst || worthy.length === 0 ? null : only(notice("broke", worthy), (c) => !known.includes(c));
  const isForOthers = (channel: Channel) => !late?.channels.includes(channel);
  const main =
    due.length > 0
      ? only(notice(isFirst ? "broke" : "spread", due), isForOthers)
      : isReminderDue && worthy.length > 0
        ? only(notice("reminder", worthy), isForOthers)
        : null;
  const notices = [main, late && { ...late, isLate: true as const }].filter((one) => one !== null);
  const marked = { ...state, red };
  if (notices.length === 0) return [marked, []];
  const notified = [...new Set([...known, ...notices.flatMap(({ channels }) => channels)])];
  const sent = [...notices.map(({ severity }) => severity), ...(wasSent ? [state.severitySent] : [])];
  const severitySent = SEVERITIES.find((severity) => sent.includes(severity))!;
  // A channel that is late does not put off the reminder of the others.
  const announcedAtMs = main ? nowMs : state.announcedAtMs;
  return [{ ...marked, announcedAtMs, notified, severitySent }, notices];
}

/** The notice for these channels; null where none is left. */
function only(notice: RedNotice, isFor: (channel: Channel) => boolean): RedNotice | null {
  const channels = notice.channels.filter(isFor);
  return channels.length > 0 ? { ...notice, channels } : null;
}
