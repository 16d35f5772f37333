/** Silences: what operators are not notified of for a while. It is still checked and recorded. */

import type { InvariantState, InvariantStates } from "./state.ts";

export interface Silence {
  readonly id: string;
  readonly invariantId: string;
  /** One subject of the invariant; null for all of it. */
  readonly subject: string | null;
  /** Unix ms; null where only the recovery ends it. */
  readonly untilMs: number | null;
  /** Whether it ends by itself once all that it covers has recovered. */
  readonly untilRecovered?: boolean;
  readonly reason: string;
  readonly createdAtMs: number;
  /** Who made it. Absent in silences of older versions. */
  readonly by?: string;
}

/** Says whether the silence's time has not ended at that instant. A recovery ends it with the cycle that sees it. */
export const isInForce = ({ untilMs }: Silence, nowMs: number): boolean =>
  untilMs === null || untilMs > nowMs;

/**
 * Says whether nobody is notified of the subject at that instant.
 * @param subject null asks for the invariant as a whole, which only a silence of the whole covers
 */
export const isSilenced = (
  silences: readonly Silence[],
  invariantId: string,
  subject: string | null,
  nowMs: number,
): boolean =>
  silences.some(
    (s) =>
      s.invariantId === invariantId && (s.subject === null || s.subject === subject) && isInForce(s, nowMs),
  );

/** The silences that a recovery does not end: only they hold back the alert that says so. */
export const lasting = (silences: readonly Silence[]): Silence[] =>
  silences.filter(({ untilRecovered }) => !untilRecovered);

/** The silences of those who know of the red and wait for its recovery. */
export const untilRecovery = (silences: readonly Silence[]): Silence[] =>
  silences.filter(({ untilRecovered }) => untilRecovered);

/**
 * Says whether something that the silence covers is red. Subjects that the memory only counts may be the one. An invariant
 * that could not be judged keeps its red subjects.
 */
export function coversRed(
  { subject }: Pick<Silence, "subject">,
  state: Pick<InvariantState, "red" | "redBesides">,
): boolean {
  if (state.redBesides > 0) return true;
  return subject === null ? Object.keys(state.red).length > 0 : Object.hasOwn(state.red, subject);
}

/**
 * Finds the silences that a recovery has ended.
 * @param states after the cycle
 */
export const endedByRecovery = (silences: readonly Silence[], states: InvariantStates): Silence[] =>
  untilRecovery(silences).filter((silence) => {
    const state = states[silence.invariantId];
    return state !== undefined && !coversRed(silence, state);
  });
