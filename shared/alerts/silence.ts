/** Silences: what operators don't want to be told of for a while. It is still checked and recorded. */

export interface Silence {
  readonly id: string;
  readonly invariantId: string;
  /** One subject of the invariant; null for all of it. */
  readonly subject: string | null;
  /** Unix ms. */
  readonly untilMs: number;
  readonly reason: string;
  readonly createdAtMs: number;
}

/**
 * @param subject null asks for the invariant as a whole, which only a silence of the whole covers
 * @returns whether nothing is to be told of it at that instant
 */
export const isSilenced = (
  silences: readonly Silence[],
  invariantId: string,
  subject: string | null,
  nowMs: number,
): boolean =>
  silences.some(
    (s) =>
      s.invariantId === invariantId && (s.subject === null || s.subject === subject) && s.untilMs > nowMs,
  );
