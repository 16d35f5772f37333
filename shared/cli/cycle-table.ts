/** A cycle as text for a terminal. */
import pc from "picocolors";
import { INVARIANTS } from "../invariants/index.ts";
import { listed, plural, printable } from "../text.ts";
import { checkedWords } from "../web/describe-status.ts";
import type { CycleReport } from "../wire/schemas/cycles.ts";
import { besideOrBelow, padTo, wrap } from "./layout.ts";
import { type Screen, sinceOf } from "./screen.ts";
import { SYMBOLS } from "./symbols.ts";
import { renderFinding } from "./views/violations.ts";

const MAX_UNSEEN = 3;
const MAX_VIOLATIONS = 5;
const INDENT = "    ";
const TITLE_WIDTH = 30;

/** Describes a verdict beyond its state. */
function factsOf(report: CycleReport, id: string, violations: number): string {
  const verdict = report.verdicts[id];
  const unseen = verdict?.unseen ?? [];
  const facts = [
    verdict && checkedWords(verdict.checked, verdict.status),
    violations > 0 && plural(violations, "violation"),
    unseen.length > 0 && `${unseen.length} unseen: ${listed(unseen, MAX_UNSEEN)}`,
    verdict ? verdict.reason : report.checks_off_reasons?.[id],
  ];
  return printable(facts.filter((fact) => typeof fact === "string").join(", "));
}

/** Renders what changed. */
function changesOf(report: CycleReport, screen: Screen): string[] {
  const c = pc.createColors(screen.colour);
  const line = (name: string, text: string, paint: (line: string) => string) =>
    wrap(printable(text), screen.width, " ".repeat(11), name.padEnd(11)).map(paint);
  return [
    ...report.transitions.flatMap((t) => line("broke", t.invariant_id, (text) => c.bold(c.red(text)))),
    ...report.spreads.flatMap((t) => line("spread", `${t.invariant_id}: ${t.subjects.join(", ")}`, c.red)),
    ...report.recoveries.flatMap((t) =>
      line("recovered", `${t.invariant_id}, was red ${sinceOf(screen, t.red_since)}`, c.green),
    ),
  ];
}

/** Renders the verdict of each invariant, and what changed. */
export function renderCycle(report: CycleReport, screen: Screen): string {
  const c = pc.createColors(screen.colour);
  const paint = { green: c.green, red: c.red, unknown: c.yellow, off: c.dim };
  const lines = [`cycle of ${report.snapshot_time}, ${report.cycle_duration_ms} ms`];
  for (const { id, title } of INVARIANTS) {
    const verdict = report.verdicts[id];
    if (!verdict && !report.checks_off.includes(id)) continue;
    const status = verdict?.status ?? "off";
    const violations = report.violations.filter((v) => v.invariant_id === id);
    const head = `${SYMBOLS[status]} ${id}  ${status.padEnd(7)}  ${padTo(title, TITLE_WIDTH)}`;
    const facts = factsOf(report, id, violations.length);
    const [first, ...below] = besideOrBelow(head, facts, screen.width, INDENT);
    lines.push(paint[status](first!.slice(0, head.length)) + first!.slice(head.length), ...below);
    const shown = screen.verbose ? violations : violations.slice(0, MAX_VIOLATIONS);
    for (const violation of shown) lines.push(...renderFinding(violation, screen, INDENT).map(c.red));
    if (violations.length > shown.length)
      lines.push(c.red(`${INDENT}… +${violations.length - shown.length} more`));
  }
  lines.push(...changesOf(report, screen));
  const left = report.violations_total - report.violations.length;
  if (left > 0) lines.push(`${report.violations_total} violations in all, ${left} of them are only counted`);
  for (const line of report.sources_unavailable)
    lines.push(...wrap(printable(line), screen.width, INDENT, "unread     ").map(c.yellow));
  return lines.join("\n");
}
