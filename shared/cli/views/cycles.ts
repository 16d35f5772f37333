/** Cycles as lines of a terminal. */
import pc from "picocolors";
import { listed, plural, printable } from "../../text.ts";
import type { CycleRecord } from "../../wire/schemas/cycles.ts";
import { besideOrBelow } from "../layout.ts";
import { type Screen, whenOf } from "../screen.ts";
import { SYMBOLS } from "../symbols.ts";

const MAX_IDS = 6;

function renderRow(cycle: CycleRecord, screen: Screen): string[] {
  const { snapshot_time, duration_ms, trigger, verdicts, violation_count } = cycle;
  const c = pc.createColors(screen.colour);
  const idsOf = (status: string) =>
    Object.entries(verdicts)
      .filter(([, verdict]) => verdict.status === status)
      .map(([id]) => id);
  const [red, unknown, green] = [idsOf("red"), idsOf("unknown"), idsOf("green")];
  const state = red.length > 0 ? "red" : unknown.length > 0 || green.length === 0 ? "unknown" : "green";
  const paint = { red: c.red, unknown: c.yellow, green: c.green }[state];
  const changes = (name: string, of: readonly { readonly invariant_id: string }[]) =>
    of.length > 0 && `${name} ${of.map(({ invariant_id }) => invariant_id).join(", ")}`;
  const facts = [
    red.length > 0 && `${red.length} red: ${listed(red, MAX_IDS)}`,
    unknown.length > 0 && `${unknown.length} unknown: ${listed(unknown, MAX_IDS)}`,
    green.length > 0 && `${green.length} green`,
    violation_count > 0 && plural(violation_count, "violation"),
    changes("broke", cycle.transitions),
    changes("spread", cycle.spreads),
    changes("recovered", cycle.recoveries),
    screen.verbose &&
      cycle.sources_unavailable.length > 0 &&
      `unread: ${cycle.sources_unavailable.join("; ")}`,
  ];
  const when =
    screen.verbose && !screen.utc
      ? `${whenOf(screen, snapshot_time)}, ${snapshot_time}`
      : whenOf(screen, snapshot_time);
  const head = `${SYMBOLS[state]} ${when.padEnd(10)}  ${trigger.padEnd(8)}  ${`${duration_ms} ms`.padStart(8)}`;
  const [first, ...below] = besideOrBelow(
    printable(head),
    printable(facts.filter(Boolean).join(", ")),
    screen.width,
    "    ",
  );
  return [paint(first!.slice(0, 1)) + first!.slice(1), ...below];
}

/** Renders a page of cycles, newest first. */
export function renderCycles(
  { cycles, next_cursor }: { readonly cycles: readonly CycleRecord[]; readonly next_cursor: string | null },
  screen: Screen,
): string {
  if (cycles.length === 0) return "no cycles";
  const lines = cycles.flatMap((cycle) => renderRow(cycle, screen));
  if (next_cursor) lines.push("… more: raise --limit, or narrow with --since and --until");
  return lines.join("\n");
}
