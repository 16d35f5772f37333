/** State by shape and word, not by colour alone. */
export const MARKS = { green: "✓", red: "✗", unknown: "?", off: "–" } as const;

/** What moves a cursor, turns text around, or can't be seen; not the joiners, which scripts and emoji need. */
export const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\ufffe\uffff]/gu;

/** Text of the platform goes to a terminal here: control characters in an id must not move its cursor. */
export const clean = (text: string): string => text.replace(UNSEEN, "�");
