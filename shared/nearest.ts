/** What a mistyped name may have meant. */

/** How many insertions, deletions, substitutions and swaps of neighbours lead from one text to the other. */
function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a[i - 1] === b[j - 1];
      const least = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + (isSame ? 0 : 1));
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(isSwap ? Math.min(least, rows[i - 2]![j - 2]! + 1) : least);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** What makes no difference between two names: case, and hyphens and the like. */
const plain = (text: string) => text.toLowerCase().replace(/[-_.\s]/g, "");

/** The longest name that is compared: the work grows with the square of the length. */
const MAX_LENGTH = 100;

/** Returns the name that is most like the word; null where none is like it. */
export function nearest(word: string, names: readonly string[]): string | null {
  const wanted = plain(word);
  if (wanted.length > MAX_LENGTH) return null;
  let best: { name: string; off: number } | null = null;
  for (const name of names) {
    const known = plain(name);
    if (known.length > MAX_LENGTH || Math.abs(known.length - wanted.length) > (best?.off ?? 3)) continue;
    const off = distance(wanted, known);
    // Of three letters one may be wrong, of six two.
    if (off <= Math.ceil(Math.max(wanted.length, known.length) / 3) && off < (best?.off ?? 4))
      best = { name, off };
  }
  return best?.name ?? null;
}

/** Ends a sentence about a name that there is not: `: did you mean ruby?`, or nothing. */
export function didYouMean(word: string, names: readonly string[]): string {
  const name = nearest(word, names);
  return name === null ? "" : `: did you mean ${name}?`;
}
