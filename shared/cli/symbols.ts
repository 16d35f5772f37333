/** Each state has its own shape: states must differ without colours. */
export const SYMBOLS = { green: "✓", red: "✗", unknown: "?", off: "–" } as const;
