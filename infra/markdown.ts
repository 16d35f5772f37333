/** Writes the generated parts of a Markdown page; the rest of the page is written by hand. */
import { readFileSync, writeFileSync } from "node:fs";

export const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/**
 * Replaces the text between `<!-- name -->` and `<!-- /name -->`, for each name.
 * @throws Error where the page lacks such a part
 */
export function withParts(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((text, [name, content]) => {
    const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
    const [from, to] = [text.indexOf(start), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`the page has no part between ${start} and ${end}`);
    return `${text.slice(0, from + start.length)}\n\n${content.trim()}\n\n${text.slice(to)}`;
  }, page);
}

/** Writes the parts into the page at `path`. */
export function writeParts(path: string, parts: Readonly<Record<string, string>>): void {
  writeFileSync(path, withParts(readFileSync(path, "utf8"), parts));
}
