/** What an operator is given for an invariant: the commands that show whether it is still so, and those that mend it. */
import { type Command, renderCommand } from "./commands.ts";
import type { Invariant } from "./invariant.ts";

/** Lines for a shell. One that begins with `#` is a note on the next line, or stands in place of a command. */
export interface Guidance {
  readonly verify: readonly string[];
  readonly fix: readonly string[];
}

/** The lines of a command, with its note before it. */
function textOf(command: Command): string {
  if (command.on === "nothing") return renderCommand(command);
  const line = `${command.isChoice ? "# " : ""}${renderCommand(command)}`;
  return command.note === undefined ? line : `# ${command.note}\n${line}`;
}

/** The lines of these commands. What several examples have is there once. */
const linesOf = (commands: readonly Command[]): string[] =>
  [...new Set(commands.map(textOf))].flatMap((text) => text.split("\n"));

/** The observed states of an invariant's own file, with placeholders for names: one for each way in which it can be red. */
export const examplesOf = ({
  example,
  otherExamples = [],
}: Invariant): readonly Record<string, unknown>[] => [example, ...otherExamples];

/** The commands of an invariant without a finding: names are placeholders such as `<agent>`. */
const placeholders = (invariant: Invariant): Guidance => {
  const examples = examplesOf(invariant);
  return {
    verify: linesOf(examples.flatMap((observed) => invariant.verify(observed))),
    fix: linesOf(examples.flatMap((observed) => invariant.fix(observed))),
  };
};

/**
 * Writes the commands for a finding.
 * @param observed the finding's observed_state, also as an older version stored it; null for the commands with placeholders
 */
export function guidanceOf(invariant: Invariant, observed: Record<string, unknown> | null): Guidance {
  if (observed === null) return placeholders(invariant);
  try {
    return { verify: linesOf(invariant.verify(observed)), fix: linesOf(invariant.fix(observed)) };
  } catch {
    // An older version stored less than is needed: the commands with placeholders are better than none.
    return placeholders(invariant);
  }
}

/** Where an invariant's runbook is in the project. */
export const runbookPath = (id: string): string => `docs/runbooks/${id}.md`;
