/** A cycle as text for a terminal. */
import pc from "picocolors";
import { INVARIANTS } from "../invariants/index.ts";
import { printable } from "../text.ts";
import { checkedWords } from "../web/describe-status.ts";
import type { CycleReport } from "../wire/schemas.ts";
import { SYMBOLS } from "./symbols.ts";

const MAX_UNSEEN = 3;
const MAX_VIOLATIONS = 5;

/** Renders the verdict of each invariant, and what changed. */
export function renderCycle(report: CycleReport, colour: boolean): string {
  const c = pc.createColors(colour);
  const paint = { green: c.green, red: c.red, unknown: c.yellow, off: c.dim };
  const lines = [`cycle of ${report.snapshot_time}, ${report.cycle_duration_ms} ms`];
  for (const { id, title } of INVARIANTS) {
    const verdict = report.verdicts[id];
    if (!verdict && !report.checks_off.includes(id)) continue;
    const status = verdict?.status ?? "off";
    const violations = report.violations.filter((v) => v.invariant_id === id);
    const unseen = verdict?.unseen ?? [];
    const facts = [
      verdict && checkedWords(verdict.checked, verdict.status),
      violations.length > 0 && `${violations.length} violation(s)`,
      unseen.length > 0 && `${unseen.length} unseen: ${unseen.slice(0, MAX_UNSEEN).join(", ")}`,
      verdict ? verdict.reason : report.checks_off_reasons?.[id],
    ].filter((fact) => typeof fact === "string");
    const head = `${SYMBOLS[status]} ${id}  ${status.padEnd(7)}  ${title.padEnd(30)}`;
    lines.push(`${paint[status](head)}  ${printable(facts.join(", "))}`);
    for (const violation of violations.slice(0, MAX_VIOLATIONS))
      lines.push(c.red(`    ${printable(violation.signal_query)}`));
    if (violations.length > MAX_VIOLATIONS)
      lines.push(c.red(`    … +${violations.length - MAX_VIOLATIONS} more`));
  }
  for (const t of report.transitions) lines.push(c.bold(c.red(`broke      ${t.invariant_id}`)));
  for (const t of report.spreads)
    lines.push(c.red(`spread     ${t.invariant_id}: ${printable(t.subjects.join(", "))}`));
  for (const t of report.recoveries)
    lines.push(c.green(`recovered  ${t.invariant_id}, red since ${t.red_since}`));
  const left = report.violations_total - report.violations.length;
  if (left > 0)
    lines.push(`${report.violations_total} violation(s) in all, ${left} of them are only counted`);
  for (const line of report.sources_unavailable) lines.push(c.yellow(`unread     ${printable(line)}`));
  return lines.join("\n");
}
