/** Violations as lines of a terminal. */
import pc from "picocolors";
import { findInvariant } from "../../invariants/index.ts";
import { plainJson, printable } from "../../text.ts";
import type { ReportedViolation, ViolationsBody } from "../../wire/schemas/violations.ts";
import { besideOrBelow, wrap } from "../layout.ts";
import { type Screen, whenOf } from "../screen.ts";

const INDENT = "    ";

/** Says what was found, in the words of the alerts. */
export function wordsOf({ invariant_id, observed_state, subject, signal_query }: ReportedViolation): string {
  try {
    const words = findInvariant(invariant_id)?.explain(observed_state);
    if (words) return printable(words);
  } catch {
    // What another version has observed may lack what this one explains.
  }
  return printable(`${subject}: ${signal_query}`);
}

/** Renders what was found, and with `verbose` the query that shows it. */
export const renderFinding = (
  violation: ReportedViolation,
  { width, verbose }: Screen,
  indent: string,
): string[] => [
  ...wrap(wordsOf(violation), width, `${indent}  `, indent),
  ...(verbose ? wrap(`query: ${printable(violation.signal_query)}`, width, `${indent}  `, indent) : []),
];

function renderRow(violation: ReportedViolation, screen: Screen): string[] {
  const { id, snapshot_time, invariant_id, severity } = violation;
  const head = `${id}  ${whenOf(screen, snapshot_time).padEnd(10)}  ${invariant_id}  ${severity.padEnd(8)}`;
  return [
    ...besideOrBelow(head, wordsOf(violation), screen.width, INDENT),
    ...(screen.verbose ? wrap(`query: ${printable(violation.signal_query)}`, screen.width, INDENT) : []),
  ];
}

/** Renders a page of violations, newest first. */
export function renderViolations({ violations, next_cursor }: ViolationsBody, screen: Screen): string {
  if (violations.length === 0) return "no violations";
  const lines = violations.flatMap((violation) => renderRow(violation, screen));
  if (next_cursor) lines.push("… more: raise --limit, or narrow with --invariant, --agent or --since");
  return lines.join("\n");
}

/** Renders one violation in full. */
export function renderViolation(violation: ReportedViolation, screen: Screen): string {
  const { id, invariant_id, severity, tier, subject, snapshot_time, observed_state } = violation;
  const c = pc.createColors(screen.colour);
  const title = findInvariant(invariant_id)?.title ?? "";
  const when = screen.utc ? snapshot_time : `${whenOf(screen, snapshot_time)}, ${snapshot_time}`;
  const facts = [
    ["subject", subject],
    ["severity", `${severity}, tier ${tier}`],
    ["seen", when],
    ["query", violation.signal_query],
  ] as const;
  return [
    ...wrap(printable(`violation ${id}  ${invariant_id} ${title}`), screen.width, INDENT, "").map(c.bold),
    ...wrap(wordsOf(violation), screen.width, INDENT),
    "",
    ...facts.flatMap(([name, value]) => wrap(printable(value), screen.width, INDENT, name.padEnd(10))),
    "observed",
    ...plainJson(observed_state)
      .split("\n")
      .flatMap((line) => wrap(line, screen.width, "      ", "  ")),
  ].join("\n");
}
