/** Helpers for text that people read: length limits, lists, and characters that cannot be seen. */

/** The length of a line that names what could not be read, in UTF-16 units. */
export const MAX_LINE = 300;

/** Cuts the text to `most` UTF-16 units, with an ellipsis at the end. Never cuts through a surrogate pair. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** Joins the first `most` names with commas and counts the rest: `a, b, c and 4 more`. */
export function listed(names: readonly string[], most: number): string {
  const shown = names.slice(0, most).join(", ");
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}

/**
 * Counts things in words: `1 slot`, `2 slots`.
 * @param many the plural, where it is not the word and an s
 */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

/**
 * Characters that move a cursor, change the direction of text, or are invisible. Joiners are not included: scripts and
 * emoji need them.
 */
export const INVISIBLE = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u115f\u1160\u3164\uffa0\ufffe\uffff]/gu;

const INVISIBLE_OR_JOINER = new RegExp(`${INVISIBLE.source}|[\\u200c\\u200d]`, "gu");

/** Replaces invisible characters, so that a name from the platform cannot move a terminal's cursor. */
export const printable = (text: string): string => text.replace(INVISIBLE, "�");

/** Writes the character as JSON does: one code for each UTF-16 unit. */
export const codeOf = (character: string): string =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

/**
 * Writes the value as JSON on several lines. Invisible characters are written as codes, which does not change the value.
 * Joiners are too: JSON is for programs.
 */
export const plainJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(INVISIBLE_OR_JOINER, (character) =>
    character === "\n" ? character : codeOf(character),
  );

/** Replaces line breaks and direction marks by spaces, so that a name cannot start a line. */
export const oneLine = (text: string): string => text.replace(/[\p{Cc}\u2028-\u202e\u2066-\u2069]+/gu, " ");
