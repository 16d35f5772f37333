/** A walk-through of a document: its commands, and what they print there. */

export interface Step {
  /** A command, or null for what another process prints meanwhile. */
  readonly command: string | null;
  /** What is printed, as the document shows it. */
  readonly shown: string;
}

/** Gives the section's text, up to the next heading. @throws Error where there is none */
export function sectionOf(markdown: string, heading: string): string {
  const [, rest] = markdown.split(`\n${heading}\n`);
  if (rest === undefined) throw new Error(`there is no section ${heading}`);
  return rest.split(/\n#+ /)[0]!;
}

/** Reads the steps: `console` blocks hold commands behind `$ `, each with its output; `text` blocks hold output alone. */
export function stepsOf(section: string): Step[] {
  const blocks = [...section.matchAll(/^```(console|text)\n(.*?)^```$/gms)];
  return blocks.flatMap(([, kind, text = ""]): Step[] =>
    kind === "text"
      ? [{ command: null, shown: text }]
      : text
          .split(/^\$ /m)
          .slice(1)
          .map((step) => {
            const [command = "", ...shown] = step.split("\n");
            return { command, shown: shown.join("\n") };
          }),
  );
}

const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/**
 * Makes the pattern of an output: a line `…` stands for any lines, `…` in a line for anything in it, and every number,
 * address and space may be another. What precedes each line may be a mark of the terminal's.
 */
export function patternOf(shown: string): RegExp {
  const lines = shown.trimEnd().split("\n");
  const line = (text: string) =>
    literal(text)
      .replace(/127\\\.0\\\.0\\\.1:\d+/g, "127\\.0\\.0\\.1:\\d+")
      .replace(/(?<![\w-])\d+/g, "\\d+")
      .replace(/ +/g, " +")
      .replaceAll("…", ".*");
  const parts = lines.map((text) => (text === "…" ? "(?:.*\\n)*?" : `(?: *\\| )?${line(text)} *\\n`));
  return new RegExp(`^${parts.join("")}`, "m");
}
