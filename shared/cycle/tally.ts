/** What is counted of an episode while it lasts, and which episodes a cycle ends. Pure. */
import {
  type InvariantState,
  type InvariantStates,
  type RedSubject,
  redSubjectOf,
  type Tally,
} from "../alerts/state.ts";
import { severityOf } from "../alerts/transition.ts";
import { SEVERITIES } from "../invariants/invariant.ts";
import type { AnyFinding, Verdict } from "../verdict/evaluate.ts";
import type { Ending } from "./memory.ts";

/** The memory keeps at most so many: a fleet that recovers as a whole has one for each agent and invariant. */
const MAX_ENDINGS = 5_000;

/** What a cycle found of one subject: how bad it is in all, and the place of the worst severity. */
interface Found {
  readonly value: number;
  readonly severity: number;
}

/** A size that is no whole number would spoil the memory. */
function sizeOf({ invariant }: Verdict, { keys, observed }: AnyFinding): number {
  const size = invariant.size?.(observed);
  return size !== undefined && Number.isSafeInteger(size) && size > 0 ? size : keys.length;
}

function foundBySubject(verdict: Verdict): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const finding of verdict.findings) {
    const before = found.get(finding.subject);
    const severity = SEVERITIES.indexOf(severityOf(verdict, finding));
    found.set(finding.subject, {
      value: (before?.value ?? 0) + sizeOf(verdict, finding),
      severity: Math.min(severity, before?.severity ?? severity),
    });
  }
  return found;
}

function next(before: Tally, { value, severity }: Found, nowMs: number): Tally {
  const [cycles, peak, peakAtMs, worst, ...marks] = before;
  // Of equal ones the newest: one that has no size gets worse by lasting.
  const most: [number, number] = value >= peak ? [value, nowMs] : [peak, peakAtMs];
  return [cycles + 1, ...most, Math.min(worst, severity), ...marks];
}

/**
 * Counts a cycle in each episode that it found. One that it could not look at stays as it is.
 * @param prior the states before the cycle
 * @param after the states after it
 * @param atMs the snapshot's time
 * @param isOnRoster null where that is not known
 */
export function withTallies(
  prior: InvariantStates,
  after: InvariantStates,
  verdicts: readonly Verdict[],
  atMs: number,
  isOnRoster: (subject: string) => boolean | null,
): InvariantStates {
  const judged = verdicts.filter(({ status }) => status !== "unknown");
  const tallied = judged.flatMap((verdict): [string, InvariantState][] => {
    const { id } = verdict.invariant;
    const state = after[id];
    const found = foundBySubject(verdict);
    if (!state || found.size === 0) return [];
    const red = Object.entries(state.red).map(([subject, one]): [string, RedSubject] => {
      const here = found.get(subject);
      const before = redSubjectOf(prior[id], subject)?.episode;
      if (!here) return [subject, one];
      const first: Tally = [0, 0, atMs, here.severity, false, isOnRoster(subject)];
      return [subject, { ...one, episode: next(before ?? first, here, atMs) }];
    });
    return [[id, { ...state, red: Object.fromEntries(red) }]];
  });
  return { ...after, ...Object.fromEntries(tallied) };
}

/** Lists the episodes that the cycle ended: what was red before it, and is not after it. */
export function endingsOf(
  prior: InvariantStates,
  after: InvariantStates,
  nowMs: number,
  isGone: (subject: string) => boolean,
): Ending[] {
  return Object.entries(prior).flatMap(([invariantId, { red }]) =>
    Object.entries(red)
      .filter(([subject]) => redSubjectOf(after[invariantId], subject) === undefined)
      .map(([subject, { sinceMs, episode }]) => ({
        invariantId,
        subject,
        sinceMs,
        untilMs: nowMs,
        episode: episode ?? [0, 0, sinceMs, 0, false, null],
        ...(isGone(subject) && { isGone: true as const }),
      })),
  );
}

/** What the memory keeps of endings: the newest. */
export const keptEndings = (endings: readonly Ending[]): readonly Ending[] => endings.slice(-MAX_ENDINGS);

/** Counts the red subjects, each once, and those that the memory only counts. */
export function countRed(states: InvariantStates): number {
  const all = Object.values(states);
  const named = new Set(all.flatMap(({ red }) => Object.keys(red)));
  return named.size + all.reduce((sum, { redBesides }) => sum + redBesides, 0);
}
