/** Fits text into the columns of a terminal. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f000}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const WITHOUT_WIDTH = /\p{M}|\u200c|\u200d/u;

const widthOfOne = (character: string): number =>
  WITHOUT_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;

/** Counts the columns that a terminal needs for the text, which has no control characters. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += widthOfOne(character);
  return width;
}

/** Splits the text after as many characters as fit. */
function split(text: string, width: number): [string, string] {
  let [end, used] = [0, 0];
  for (const character of text) {
    used += widthOfOne(character);
    if (used > width) break;
    end += character.length;
  }
  return [text.slice(0, end), text.slice(end)];
}

/** Makes the text exactly so wide: with spaces at its end, or with an ellipsis instead of its end. */
export function padTo(text: string, width: number): string {
  const own = widthOf(text);
  if (own <= width) return text + " ".repeat(width - own);
  const [start] = split(text, width - 1);
  return `${start}…${" ".repeat(width - 1 - widthOf(start))}`;
}

/**
 * Breaks the text into lines, between words where that is possible. Nothing is left out.
 * @param indent stands before each line but the first
 * @param first stands before the first line
 */
export function wrap(text: string, width: number, indent: string, first = indent): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  const end = () => {
    lines.push(line);
    line = indent;
    isEmpty = true;
  };
  for (const word of text.split(" ")) {
    let rest = isEmpty ? word : ` ${word}`;
    if (!isEmpty && widthOf(line) + widthOf(rest) > width) {
      end();
      rest = word;
    }
    // A word that is longer than a line.
    while (widthOf(line) + widthOf(rest) > width) {
      const [start, left] = split(rest, width - widthOf(line));
      if (start === "") break;
      line += start;
      end();
      rest = left;
    }
    line += rest;
    isEmpty = false;
  }
  return [...lines, line];
}

/** Puts the details behind the head where they padTo, and below it otherwise. */
export function besideOrBelow(head: string, details: string, width: number, indent: string): string[] {
  if (details !== "" && widthOf(head) + 2 + widthOf(details) <= width) return [`${head}  ${details}`];
  const own = head.trimEnd();
  const above = widthOf(own) <= width ? [own] : wrap(own, width, indent, "");
  return details === "" ? above : [...above, ...wrap(details, width, indent)];
}
