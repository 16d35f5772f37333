/** An examination as text for a terminal. */
import pc from "picocolors";
import type { Examination, Level, Prospect } from "../doctor/finding.ts";
import { listed, printable } from "../text.ts";
import { checkedWords } from "../web/describe-status.ts";
import { besideOrBelow, padTo, wrap } from "./layout.ts";
import type { Screen } from "./screen.ts";
import { SYMBOLS } from "./symbols.ts";

const MARKS: Record<Level, string> = {
  ok: SYMBOLS.green,
  note: SYMBOLS.off,
  warning: "!",
  unread: SYMBOLS.unknown,
};
const MARK_OF: Record<Prospect["outcome"], string> = {
  judged: SYMBOLS.green,
  "not run": SYMBOLS.off,
  unknown: SYMBOLS.unknown,
};
const SHOWN = 3;

function prospectText({ outcome, reason, checked, red_subjects: red, unseen }: Prospect): string {
  const facts = [
    outcome !== "not run" && checkedWords(checked ?? 0, outcome === "judged" ? "green" : "unknown"),
    reason,
    red.length > 0 && `red now: ${listed(red, SHOWN)}`,
    unseen.length > 0 && `${unseen.length} unseen: ${listed(unseen, SHOWN)}`,
  ];
  return facts.filter((fact) => typeof fact === "string").join(", ");
}

const INDENT = "      ";
const TITLE_WIDTH = 30;

/** Paints the head of the first line. */
const painted = ([first = "", ...below]: string[], head: string, paint: (text: string) => string) => [
  paint(first.slice(0, head.length)) + first.slice(head.length),
  ...below,
];

/** Renders what was found, section by section, and then what each invariant will be. */
export function renderExamination(
  { examined_at, sections, invariants }: Examination,
  screen: Screen,
): string {
  const c = pc.createColors(screen.colour);
  const paint = { ok: c.green, note: c.dim, warning: c.yellow, unread: c.red };
  const paintOf = { judged: c.green, "not run": c.dim, unknown: c.red };
  const lines = wrap(`examined at ${examined_at}; nothing was written`, screen.width, INDENT, "");
  for (const { name, findings } of sections) {
    lines.push("", ...wrap(name, screen.width, INDENT, "").map(c.bold));
    for (const { level, topic, text } of findings) {
      const head = `  ${MARKS[level]} ${printable(topic).padEnd(13)}`;
      lines.push(...painted(wrap(printable(text), screen.width, INDENT, `${head}  `), head, paint[level]));
    }
  }
  lines.push("", c.bold("invariants"));
  for (const prospect of invariants) {
    const { id, title, outcome } = prospect;
    const head = `  ${MARK_OF[outcome]} ${id}  ${outcome.padEnd(7)}  ${padTo(title, TITLE_WIDTH)}`;
    const text = printable(prospectText(prospect));
    lines.push(...painted(besideOrBelow(head, text, screen.width, INDENT), head, paintOf[outcome]));
  }
  return lines.join("\n");
}
