/** Notifies once of what could not be judged or read for some cycles, and once when it can be again. Pure. */
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
  const { blindNotified: _, ...rest } = after;
  const { blind, ...marked } = markBlind(after, context);
  const ended = endedOf(prior, after, result, nowMs);
  const [wasOpen, isOver] = [isOpen(prior), !isOpen({ ...after, ...marked })];
  const invariants = Object.keys(marked.states).filter((id) => !result.offInvariants.includes(id));
  const { blindAfterCycles: leastCycles } = policy;
  const of = {
    blindness: describeBlindness(marked, { invariants, nowMs, leastCycles }),
    isOver,
  };
  const notices: SightNotice[] = [];
  const all = policy.routes.map(({ name }) => name);
  if (blind.length > 0) notices.push({ kind: "blind", channels: all, what: blind, ...of });
  const known = sentTo(prior.blindNotified, policy.routes).filter(
    // What is not looked at any more is no news, but it is closed where it is open.
    ({ holdsOpen }) => ended.length > 0 || holdsOpen,
  );
  if (known.length > 0 && (ended.length > 0 || (wasOpen && isOver)))
    notices.push({ kind: "sees", channels: known.map(({ name }) => name), what: ended, ...of });
  const notified = alsoSent(prior.blindNotified, wasOpen, policy.routes, blind.length > 0 ? all : []);
  return { ...rest, ...marked, ...(!isOver && { blindNotified: notified }), notices };
}
