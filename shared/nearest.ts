/** The name that somebody may have meant. */

/** Names are compared by so many characters: more cost time, and nobody types them. */
const MOST_COMPARED = 60;

/** Counts the characters to add, drop, change or swap with their neighbour to make one text of the other. */
function distance(one: string, other: string): number {
  let [before, last] = [[] as number[], Array.from({ length: other.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= one.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const change = one[i - 1] === other[j - 1] ? 0 : 1;
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + change);
      if (i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1])
        least = Math.min(least, before[j - 2]! + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[other.length]!;
}

/**
 * Finds the name that is most like the text, whatever its case.
 * @returns null where none is like it: up to a third of its characters may differ, and at least one
 */
export function nearest(text: string, names: Iterable<string>): string | null {
  const wanted = text.slice(0, MOST_COMPARED).toLowerCase();
  let found: { readonly name: string; readonly distance: number } | null = null;
  let most = Math.max(1, Math.floor(wanted.length / 3));
  for (const name of names) {
    const known = name.slice(0, MOST_COMPARED).toLowerCase();
    if (Math.abs(known.length - wanted.length) > most) continue;
    const apart = distance(wanted, known);
    if (apart > most || (found && apart >= found.distance)) continue;
    found = { name, distance: apart };
    most = apart;
  }
  return found?.name ?? null;
}

/** Ends a sentence about a name that there is not: `: did you mean ruby?`, or nothing. */
export function didYouMean(text: string, names: Iterable<string>): string {
  const name = nearest(text, names);
  return name === null ? "" : `: did you mean ${name}?`;
}
