/** How the answers of tools are worded. Names of the platform are hostile: each stays on its line, and in its quotes. */
import { cut, oneLine, printable } from "../../text.ts";
import { formatDuration } from "../../time.ts";

const MAX_NAME = 120;
const MAX_WORDS = 400;

/** A name: as it is, or as JSON where it is more than a word. */
export const nameWord = (name: string): string =>
  /^[\w.@-]{1,120}$/.test(name) ? name : JSON.stringify(printable(cut(name, MAX_NAME)));

/** A sentence that may hold names. */
export const sentence = (text: string): string => printable(oneLine(cut(text, MAX_WORDS)));

/** `2026-11-23T10:30:00.000Z (12 min ago)` */
export const since = (instant: string, nowMs: number): string =>
  `${instant} (${formatDuration(Math.max(0, nowMs - Date.parse(instant)))} ago)`;

/** Commands under a heading; nothing where there are none. */
export const commands = (heading: string, lines: readonly string[]): string[] =>
  lines.length > 0 ? [heading, ...lines.map((line) => `  ${line}`)] : [];

/** A link on a line of its own; nothing where there is none. */
export const link = (url: string | null): string[] => (url === null ? [] : [url]);

/** What gets the next page; nothing on the last. */
export const nextPage = (cursor: string | null): string[] =>
  cursor === null ? [] : [`More: the same with cursor ${JSON.stringify(cursor)}`];

/** Writes the parameters that are given as a query. */
export function query(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const written = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined) written.set(name, String(value));
  return written.size > 0 ? `?${written}` : "";
}
