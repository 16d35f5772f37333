/** Notifies once of what could not be judged or read for some cycles, and once when it can be again. Pure. */
import { SEVERITIES, type Severity } from "../invariants/invariant.ts";
import type { Channel } from "./alert.ts";
import { type Blindness, blindBy, describeBlindness } from "./blind.ts";
import type { NotifyContext } from "./notify.ts";
import { alsoSent, sentTo } from "./route.ts";
import { isSilenced } from "./silence.ts";
import { type AlertState, type BlindSource, type InvariantState, sourceOf } from "./state.ts";
import type { CycleResult } from "./transition.ts";

/** What could not be read for some cycles, or is read again: one notice for all that changed in this cycle. */
export interface SightNotice {
  readonly kind: "blind" | "sees";
  readonly channels: readonly Channel[];
  /** The causes that are new, or that ended. Empty where what was blind is not looked at any more. */
  readonly what: readonly {
    readonly name: string;
    readonly reason: string | null;
    readonly sinceMs: number;
  }[];
  /** All that is blind after this cycle; null where nothing is. */
  readonly blindness: Blindness | null;
  /** The worst that was sent since something has been blind, this notice included. */
  readonly severity: Severity;
  /** Nothing that operators were notified of is blind any more. */
  readonly isOver: boolean;
}
type What = SightNotice["what"][number];

type Announced = (name: string) => boolean;

/** Whether operators know of the source, or will by this cycle's notice. */
const announcedIn =
  (sources: AlertState["blindSources"]): Announced =>
  (name) =>
    Object.hasOwn(sources, name) && sources[name]!.announced;

/** Whether the reason names a source that operators know of: it is the cause, and the invariant its effect. */
function isEffect({ blindReason }: InvariantState, sources: AlertState["blindSources"]): boolean {
  const source = blindBy(blindReason, sources);
  return source !== null && announcedIn(sources)(source);
}

/** Whether operators know of anything that is blind. */
const isOpen = ({ states, blindSources }: AlertState): boolean =>
  Object.values(blindSources).some(({ announced }) => announced) ||
  Object.values(states).some(({ blindAnnounced, blindSinceMs }) => blindAnnounced && blindSinceMs !== null);

/** Blindness is critical where most invariants can't be judged, or one that says whether a source is the platform's. */
export function severityOfBlindness({ cannotJudge, invariants }: Blindness): Severity {
  const isMost = cannotJudge.length * 2 > invariants;
  return isMost || cannotJudge.some((id) => id.startsWith("H-")) ? "critical" : "major";
}

/** The worst severity that was sent of what is blind; null where nothing was. An older version sent it as critical. */
function severitySent({ states, blindSources }: AlertState): Severity | null {
  const sent = [
    ...Object.values(blindSources).flatMap((one) => (one.announced ? [one.severity ?? "critical"] : [])),
    ...Object.values(states).flatMap((one) =>
      one.blindAnnounced && one.blindSinceMs !== null ? [one.blindSeverity ?? "critical"] : [],
    ),
  ];
  return SEVERITIES.find((severity) => sent.includes(severity)) ?? null;
}

/** Remembers the worst severity with all of which operators know. */
function withSeverity<S extends Pick<AlertState, "states" | "blindSources">>(
  state: S,
  severity: Severity,
): S {
  const states = Object.entries(state.states).map(([id, one]) => [
    id,
    one.blindAnnounced ? { ...one, blindSeverity: severity } : one,
  ]);
  const blindSources: Record<string, BlindSource> = Object.create(null);
  for (const [name, one] of Object.entries(state.blindSources))
    blindSources[name] = one.announced ? { ...one, severity } : one;
  return { ...state, states: Object.fromEntries(states), blindSources };
}

/** Lists all that operators know of, for one who does not. */
function allBlind(
  { states, blindSources }: AlertState,
  off: readonly string[],
  context: NotifyContext,
): What[] {
  const sources = Object.entries(blindSources).flatMap(([name, { announced, reason, sinceMs }]) =>
    announced ? [{ name, reason, sinceMs }] : [],
  );
  const invariants = Object.entries(states).flatMap(([id, state]) => {
    const { blindAnnounced, blindSinceMs, blindReason } = state;
    if (!blindAnnounced || blindSinceMs === null || isEffect(state, blindSources) || off.includes(id))
      return [];
    if (isSilenced(context.silences, id, null, context.nowMs)) return [];
    return [{ name: id, reason: blindReason, sinceMs: blindSinceMs }];
  });
  return [...sources, ...invariants];
}

/** Marks what is blind for long enough. Returns the causes that operators do not know of yet. */
function markBlind(after: AlertState, { nowMs, policy, silences }: NotifyContext) {
  const states: Record<string, InvariantState> = { ...after.states };
  const blindSources: Record<string, BlindSource> = Object.assign(Object.create(null), after.blindSources);
  const blind: What[] = [];
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
    if (!isEffect(state, blindSources)) blind.push({ name: id, reason: blindReason, sinceMs: blindSinceMs });
  }
  return { states, blindSources, blind };
}

/** Lists the causes that ended. */
function endedOf(
  prior: AlertState,
  after: AlertState,
  { offInvariants, offSources }: CycleResult,
  nowMs: number,
): What[] {
  const seen: What[] = [];
  for (const [name, before] of Object.entries(prior.blindSources))
    if (before.announced && !Object.hasOwn(after.blindSources, name) && !offSources.includes(sourceOf(name)))
      seen.push({ name, reason: null, sinceMs: before.sinceMs });
  for (const [id, before] of Object.entries(prior.states)) {
    if (!before.blindAnnounced || after.states[id]?.blindSinceMs !== null || offInvariants.includes(id))
      continue;
    if (!isEffect(before, prior.blindSources))
      seen.push({ name: id, reason: null, sinceMs: before.blindSinceMs ?? nowMs });
  }
  return seen;
}

/**
 * Decides what operators are notified of what is blind.
 * @param prior what the last cycle left
 * @param after the state after this cycle
 * @returns the state, in which what was notified is marked, and the notices
 */
export function notifySight(
  prior: AlertState,
  after: AlertState,
  result: CycleResult,
  context: NotifyContext,
): AlertState & { readonly notices: readonly SightNotice[] } {
  const { nowMs, policy } = context;
  const { routes, blindAfterCycles: leastCycles } = policy;
  const { blindNotified: _, ...rest } = after;
  // Without a channel nothing is marked: one that is added later is sent it all.
  const { blind, ...marked } = routes.length > 0 ? markBlind(after, context) : { ...rest, blind: [] };
  const ended = endedOf(prior, after, result, nowMs);
  const [wasOpen, isOver] = [isOpen(prior), !isOpen({ ...after, ...marked })];
  const invariants = Object.keys(marked.states).filter((id) => !result.offInvariants.includes(id));
  const blindness = describeBlindness(marked, { invariants, nowMs, leastCycles });
  const severities = [severitySent(prior), blindness && severityOfBlindness(blindness)];
  const severity = SEVERITIES.find((one) => severities.includes(one)) ?? "critical";
  const of = { blindness, severity, isOver };
  const notices: SightNotice[] = [];
  const known = sentTo(alsoSent(prior.blindNotified, wasOpen, routes, []), routes);
  // A channel that is new hears of all that is blind, and the others of what is new.
  const unaware = routes.map(({ name }) => name).filter((name) => !known.some((one) => one.name === name));
  const hearingBlind = blind.length > 0 ? routes.map(({ name }) => name) : unaware;
  const what = blind.length > 0 || isOver ? blind : allBlind(marked, result.offInvariants, context);
  const isBlindSent = hearingBlind.length > 0 && what.length > 0 && blindness !== null;
  if (isBlindSent) notices.push({ kind: "blind", channels: hearingBlind, what, ...of });
  const isEnd = wasOpen && isOver;
  const hearing = known.filter(({ holdsOpen }) =>
    // What is not looked at any more is no news, but it is closed where it is open; and only the whole end closes it.
    holdsOpen ? isEnd : ended.length > 0,
  );
  if (hearing.length > 0)
    notices.push({ kind: "sees", channels: hearing.map(({ name }) => name), what: ended, ...of });
  const notified = [...new Set([...known.map(({ name }) => name), ...(isBlindSent ? hearingBlind : [])])];
  return {
    ...rest,
    ...(isOver ? marked : withSeverity(marked, severity)),
    ...(!isOver && { blindNotified: notified }),
    notices,
  };
}
