/** State by shape and word, not by colour alone. */
export const SYMBOLS = { green: "✓", red: "✗", unknown: "?", off: "–" } as const;
