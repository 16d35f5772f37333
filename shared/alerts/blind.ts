/** What the canary can't see, and why: the causes, not their effects. Pure. */
import { cut, plural } from "../text.ts";
import { formatInstant } from "../time.ts";
import { type AlertState, type InvariantState, sourceOf } from "./state.ts";

/** One reason why something can't be judged. */
export interface BlindCause {
  /** What could not be read, as `sources_unavailable` names it; the ids of invariants where no source is to blame. */
  readonly source: string;
  readonly reason: string;
  /** Unix ms. */
  readonly sinceMs: number;
}

export interface Blindness {
  /** Since when something has been blind without a break (unix ms). */
  readonly since: number;
  /** The oldest first. */
  readonly causes: readonly BlindCause[];
  /** The ids of the invariants that can't be judged. */
  readonly cannotJudge: readonly string[];
  /** How many invariants run here. */
  readonly invariants: number;
  /** The ids of those that were red when they were last judged, and stay so. */
  readonly stayRed: readonly string[];
  /** All of it in one line. */
  readonly words: string;
}

interface BlindnessOptions {
  /** The ids of the invariants that run in this environment. */
  readonly invariants: readonly string[];
  readonly nowMs: number;
  /** How many cycles in a row something has to be blind before it counts. Left out: one. */
  readonly leastCycles?: number;
}

const MAX_CAUSES = 5;
const MAX_SOURCE = 100;
const MAX_REASON = 160;

const { hasOwn } = Object;

/** The name and the reason of a line such as `redis: ECONNREFUSED 10.0.0.5:6379`; no name where it has none. */
function partsOf(reason: string): { readonly name: string | null; readonly rest: string } {
  const colon = reason.indexOf(": ");
  const name = reason.slice(0, Math.max(colon, 0));
  return /^[a-z_]+([.[].*)?$/.test(name)
    ? { name, rest: reason.slice(colon + 2) }
    : { name: null, rest: reason };
}

/** The source that a verdict is blind by, as the memory knows it; null where none of those that are blind is to blame. */
export function blindBy(reason: string | null, blindSources: AlertState["blindSources"]): string | null {
  const { name } = partsOf(reason ?? "");
  if (name === null) return null;
  if (hasOwn(blindSources, name)) return name;
  return hasOwn(blindSources, sourceOf(name)) ? sourceOf(name) : null;
}

/** Groups what is blind by its reason. */
function causesOf(
  blind: readonly (readonly [string, InvariantState])[],
  blindSources: AlertState["blindSources"],
  counts: (cycles: number) => boolean,
): BlindCause[] {
  const effects = blind.map(([, { blindReason }]) => blindBy(blindReason, blindSources));
  const causes = new Map<string, { source: string[]; reason: string; sinceMs: number }>();
  for (const [name, { reason, sinceMs, cycles }] of Object.entries(blindSources))
    if (counts(cycles) || effects.includes(name))
      causes.set(`${name}: ${reason}`, { source: [name], reason, sinceMs });
  for (const [i, [id, { blindReason, blindSinceMs }]] of blind.entries()) {
    if (effects[i] !== null) continue;
    const line = blindReason ?? "not judged";
    const { name, rest } = partsOf(line);
    const known = causes.get(line);
    if (known && name === null) known.source.push(id);
    const sinceMs = Math.min(known?.sinceMs ?? Infinity, blindSinceMs!);
    causes.set(line, { source: known?.source ?? [name ?? id], reason: rest, sinceMs });
  }
  return [...causes.values()]
    .map(({ source, ...cause }) => ({ ...cause, source: source.join(", ") }))
    .sort((a, b) => a.sinceMs - b.sinceMs || (a.source < b.source ? -1 : 1));
}

/** Names a time of that day by hour and minute, and one of another day with its date. UTC. */
function clockOf(atMs: number, nowMs: number): string {
  const [at, now] = [formatInstant(atMs), formatInstant(nowMs)];
  const clock = at.slice(11, 16);
  return at.slice(0, 10) === now.slice(0, 10) ? clock : `${at.slice(0, 10)} ${clock}`;
}

const nameCause = ({ source, reason }: BlindCause) =>
  `${cut(source, MAX_SOURCE)} (${cut(reason, MAX_REASON)})`;

function judging(invariants: number): string {
  if (invariants === 1) return "The invariant judges";
  return invariants === 2 ? "Both invariants judge" : `All ${invariants} invariants judge`;
}

function wordsOf(
  { since, causes, cannotJudge, invariants, stayRed }: Omit<Blindness, "words">,
  nowMs: number,
): string {
  const shown = causes.slice(0, MAX_CAUSES).map(nameCause);
  const more = causes.length - shown.length;
  const named = [...shown, ...(more > 0 ? [`${more} more`] : [])].join(", ");
  const unjudged =
    cannotJudge.length === 0
      ? `${judging(invariants)} the rest`
      : `${cannotJudge.length} of ${plural(invariants, "invariant")} can't be judged`;
  const red =
    stayRed.length === 0
      ? ""
      : `; ${stayRed.length} that ${stayRed.length === 1 ? "was red stays" : "were red stay"} red`;
  return `Blind since ${clockOf(since, nowMs)}: ${named}. ${unjudged}${red}.`;
}

/**
 * Describes what can't be judged or read.
 * @param memory what the last cycle left
 * @returns null where nothing is blind, or not for long enough
 */
export function describeBlindness(
  { states, blindSources }: Pick<AlertState, "states" | "blindSources">,
  { invariants, nowMs, leastCycles = 1 }: BlindnessOptions,
): Blindness | null {
  const counts = (cycles: number) => cycles >= leastCycles;
  // One that is discredited by a red invariant has no cycles of its own: that one's alert says why, and it is only counted.
  const blind = Object.entries(states).filter(
    ([id, state]) => invariants.includes(id) && state.blindSinceMs !== null && state.blindCycles > 0,
  );
  const isBlind =
    blind.some(([, { blindCycles }]) => counts(blindCycles)) ||
    Object.values(blindSources).some(({ cycles }) => counts(cycles));
  if (!isBlind) return null;
  const causes = causesOf(blind, blindSources, counts);
  const unjudged = Object.entries(states).filter(
    ([id, { blindSinceMs }]) => invariants.includes(id) && blindSinceMs !== null,
  );
  const description = {
    since: Math.min(...causes.map(({ sinceMs }) => sinceMs)),
    causes,
    cannotJudge: unjudged.map(([id]) => id).sort((a, b) => invariants.indexOf(a) - invariants.indexOf(b)),
    invariants: invariants.length,
    stayRed: unjudged.filter(([, { status }]) => status === "red").map(([id]) => id),
  };
  return { ...description, words: wordsOf(description, nowMs) };
}
