/** What an operator is given for an invariant: the commands that show whether it is still so, and those that fix it. */
import { type Backend, type Command, renderCommand } from "./commands.ts";
import type { Invariant } from "./invariant.ts";

/** Lines for a shell. One that begins with `#` is a note on the next line, or stands in place of a command. */
export interface Guidance {
  readonly verify: readonly string[];
  readonly fix: readonly string[];
}

const BACKEND_NAMES: Readonly<Record<Backend, string>> = { sqlite: "SQLite", postgres: "PostgreSQL" };

/** The lines of a command, with its note before it. Where the backend is not known, a statement is there for each. */
function textOf(command: Command, backend: Backend | null): string {
  if (command.on === "nothing") return renderCommand(command, "sqlite");
  const lineFor = (one: Backend) => `${command.isChoice ? "# " : ""}${renderCommand(command, one)}`;
  const lines =
    command.on === "sql" && backend === null
      ? (["sqlite", "postgres"] as const).flatMap((one) => [`# on ${BACKEND_NAMES[one]}`, lineFor(one)])
      : [lineFor(backend ?? "sqlite")];
  return [...(command.note === undefined ? [] : [`# ${command.note}`]), ...lines].join("\n");
}

/** The lines of these commands. What several examples have is there once. */
const linesOf = (commands: readonly Command[], backend: Backend | null): string[] =>
  [...new Set(commands.map((command) => textOf(command, backend)))].flatMap((text) => text.split("\n"));

/** The observed states of an invariant's own file, with placeholders for names: one for each way in which it can be red. */
export const examplesOf = ({
  example,
  otherExamples = [],
}: Invariant): readonly Record<string, unknown>[] => [example, ...otherExamples];

/**
 * Writes the commands for a finding.
 * @param observed the finding's observed_state, also as an older version stored it; null for the commands with placeholders
 *   such as `<agent>`
 * @param backend the platform's database; null where it is not known
 */
export function guidanceOf(
  invariant: Invariant,
  observed: Record<string, unknown> | null,
  backend: Backend | null,
): Guidance {
  const guidanceFor = (states: readonly Record<string, unknown>[]): Guidance => ({
    verify: linesOf(
      states.flatMap((state) => invariant.verify(state)),
      backend,
    ),
    fix: linesOf(
      states.flatMap((state) => invariant.fix(state)),
      backend,
    ),
  });
  if (observed === null) return guidanceFor(examplesOf(invariant));
  try {
    return guidanceFor([observed]);
  } catch {
    // An older version stored less than is needed: the commands with placeholders are better than none.
    return guidanceFor(examplesOf(invariant));
  }
}

/** Where an invariant's runbook is in the project. */
export const runbookPath = (id: string): string => `docs/runbooks/${id}.md`;
