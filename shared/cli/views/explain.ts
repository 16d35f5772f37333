/** What an operator is told about an invariant, as lines of a terminal. */
import pc from "picocolors";
import { type Guidance, runbookPath } from "../../invariants/guidance.ts";
import type { Invariant } from "../../invariants/invariant.ts";
import { printable } from "../../text.ts";
import { wrap } from "../layout.ts";
import type { Screen } from "../screen.ts";
import { commandLines } from "../shell-lines.ts";

const INDENT = "    ";

export interface Explained {
  readonly invariant: Invariant;
  readonly guidance: Guidance;
  /** What was found of an agent, line by line; empty without one. */
  readonly found: readonly string[];
  /** The runbook as Markdown; null where it is not asked for. */
  readonly runbook: string | null;
}

/** Renders what breaks, whether it is still so, what to do, and whether that is safe. */
export function renderExplained({ invariant, guidance, found, runbook }: Explained, screen: Screen): string {
  const { id, title, severity, tier, impact, runbook: first, safe } = invariant;
  const c = pc.createColors(screen.colour);
  const { width } = screen;
  const text = (line: string) => wrap(printable(line), width, INDENT);
  const part = (name: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : ["", c.bold(name), ...lines];
  const page =
    runbook === null ? [] : runbook.split("\n").flatMap((line) => wrap(printable(line), width, "", ""));
  return [
    ...wrap(`${id} ${title}, ${severity}, tier ${tier}`, width, INDENT, "").map(c.bold),
    ...found.flatMap((line) => wrap(printable(line), width, INDENT, "")),
    ...part("What breaks", text(impact)),
    ...part("What to do", text(first)),
    ...part("What to type", [
      ...commandLines("is it still so?", guidance.verify, width, INDENT),
      ...commandLines("to fix it", guidance.fix, width, INDENT),
    ]),
    ...part("Is that safe?", text(safe)),
    "",
    ...(runbook === null
      ? wrap(`The runbook is ${runbookPath(id)}; canary explain ${id} -v prints it.`, width, INDENT, "")
      : page),
  ].join("\n");
}
