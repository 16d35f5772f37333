/** Silences: what operators are not notified of for a while. It is still checked and recorded. */

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

/** Says whether the silence has not ended at that instant. */
export const isInForce = ({ untilMs }: Silence, nowMs: number): boolean => untilMs > nowMs;

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
