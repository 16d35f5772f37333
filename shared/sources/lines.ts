/** The lines of a source in `sources_unavailable`. */

const MAX_LINES = 100;

/** Returns the lines; where they are very many, the first ones and how many more there are. */
export function firstLines(source: string, lines: readonly string[]): readonly string[] {
  if (lines.length <= MAX_LINES) return lines;
  const shown = lines.slice(0, MAX_LINES - 1);
  return [...shown, `${source}: ${lines.length - shown.length} more parts could not be read`];
}
