/** Quoting for a POSIX shell. A name of the platform is hostile: it stays one word, and nothing of it is run. */
import { INVISIBLE } from "./text.ts";

/** What no shell changes. A leading `=` or `~` would be expanded by some. */
const PLAIN_WORD = /^[\w@%+:,./-][\w@%+=:,./-]*$/;
const UNSEEN = new RegExp(`${INVISIBLE.source}|[\\u200c\\u200d]`, "u");
const LONE_SURROGATE = /\p{Cs}/u;
/** What means something between double quotes, and `!`, which is history to an interactive shell. */
const LIVE_IN_DOUBLE_QUOTES = /["$`\\!]/;
/** What stands for itself in a format of printf. */
const PLAIN_BYTE = /[\w@+=:,./ ]/;

/** Writes the text with printf: what can't be seen becomes the octal codes of its UTF-8 bytes. */
function printed(text: string): string {
  const format = [...new TextEncoder().encode(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    return PLAIN_BYTE.test(character) ? character : `\\${byte.toString(8).padStart(3, "0")}`;
  });
  return `"$(printf '${format.join("")}')"`;
}

/**
 * Says whether a shell can hand the text to a command, on one line. No command takes a NUL or half of a surrogate pair as an
 * argument, and a shell drops line breaks at the end.
 */
export const isShellWord = (text: string): boolean =>
  !text.includes("\0") && !LONE_SURROGATE.test(text) && !text.endsWith("\n");

/**
 * Quotes the text as one word of a POSIX shell, on one line. Copied from a page or a message it is still the same word: what
 * can't be seen is written as codes.
 * @param text for which `isShellWord` holds; of any other, what can't be handed over is lost
 */
export function shellWord(text: string): string {
  if (PLAIN_WORD.test(text)) return text;
  if (UNSEEN.test(text)) return printed(text);
  if (text.includes("'") && !LIVE_IN_DOUBLE_QUOTES.test(text)) return `"${text}"`;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
