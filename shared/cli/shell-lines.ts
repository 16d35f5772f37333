/** Breaks the commands of a guidance into lines that a shell reads as one. */
import { isChoiceLine } from "../invariants/commands.ts";
import { printable } from "../text.ts";
import { widthOf, wrap } from "./layout.ts";

/** A word of a shell's line, with its quotes. */
const WORD = /(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/gs;

/**
 * Breaks a command between its words, with a backslash at the end of each line but the last: what is copied is still the
 * command. A word is never broken, so that a long one may be wider than the terminal. A note is broken as text. A command
 * behind a mark stays one line: of several, a shell would run all but the first while the mark is there.
 * @param line a command, or a note that begins with `#`
 */
export function wrapCommand(line: string, width: number, indent: string): string[] {
  const text = printable(line);
  if (isChoiceLine(text)) return [`${indent}${text}`];
  if (text.startsWith("#")) return wrap(text.replace(/^[#\s]+/, ""), width, `${indent}# `);
  const lines: string[] = [];
  let current = "";
  for (const word of text.match(WORD) ?? []) {
    const longer = current === "" ? word : `${current} ${word}`;
    // Two columns are for the backslash.
    if (current !== "" && widthOf(indent) + widthOf(longer) > width - 2) {
      lines.push(`${indent}${current} \\`);
      current = `  ${word}`;
    } else current = longer;
  }
  return [...lines, `${indent}${current}`];
}

/** Renders what is to be typed, below a title. Nothing where there is nothing to type. */
export function commandLines(
  title: string,
  commands: readonly string[],
  width: number,
  indent: string,
): string[] {
  if (commands.length === 0) return [];
  return [`${indent}${title}`, ...commands.flatMap((line) => wrapCommand(line, width, `${indent}  `))];
}
