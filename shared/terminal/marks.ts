/** State by shape and word, not by colour alone. */
export const MARKS = { green: "✓", red: "✗", unknown: "?", off: "–" } as const;

/** Text of the platform goes to a terminal here: control characters in an id must not move its cursor. */
export const clean = (text: string): string => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, "�");
