/** Violations and states as lines for a terminal. */
import pc from "picocolors";
import { printable } from "../text.ts";
import { isFresh } from "../web/describe-status.ts";
import { uptimesOf } from "../web/uptime.ts";
import type { CycleOutline, SilenceBody, SilencesBody, StatusBody, ViolationsBody } from "../wire/schemas.ts";
import { SYMBOLS } from "./symbols.ts";
import { UPTIME_LEGEND, uptimeText } from "./uptime.ts";

export function renderViolations({ violations, next_cursor }: ViolationsBody): string {
  if (violations.length === 0) return "no violations";
  const lines = violations.map(
    (v) =>
      `${v.id}  ${v.snapshot_time}  ${v.invariant_id}  ${v.severity.padEnd(8)}  ${printable(v.signal_query)}`,
  );
  if (next_cursor) lines.push("… more: raise --limit, or narrow with --invariant or --since");
  return lines.join("\n");
}

/** Renders a silence as one line. */
export function renderSilence({ id, invariant_id, subject, until, reason }: SilenceBody): string {
  return `silence ${id}  ${invariant_id}${subject === null ? "" : ` for ${printable(subject)}`} until ${until}: ${printable(reason)}`;
}

/** Renders the silences in force, a line for each. */
export const renderSilences = ({ silences }: SilencesBody): string =>
  silences.length > 0 ? silences.map(renderSilence).join("\n") : "no silences";

/**
 * @param cycles of the last day, newest first, as `/api/canary/cycles` lists them
 * @param colour whether the terminal has colours
 */
export function renderStatus(
  status: StatusBody,
  cycles: readonly CycleOutline[],
  nowMs: number,
  colour: boolean,
): string {
  const c = pc.createColors(colour);
  const paint = { green: c.green, red: c.red, unknown: c.yellow, off: c.dim, missing: c.dim };
  const uptimes = uptimesOf(
    cycles,
    status.invariants.map((i) => i.id),
    nowMs,
  );
  const lines = [
    status.checked_at ? `checked ${status.checked_at}, ${status.cycle_duration_ms} ms` : "never checked",
  ];
  const checkedAtMs = status.checked_at === null ? null : Date.parse(status.checked_at);
  if (checkedAtMs !== null && !isFresh({ atMs: checkedAtMs }, nowMs)) {
    const minutes = Math.floor((nowMs - checkedAtMs) / 60_000);
    lines.push(c.red(`STALE: no full cycle for ${minutes} min; what follows is as it was then`));
  }
  for (const i of status.invariants) {
    const silences = status.silences.filter((s) => s.invariant_id === i.id);
    const facts = [
      silences.length > 0 &&
        `silenced: ${silences
          .map((s) => s.subject ?? "all of it")
          .slice(0, 3)
          .join(", ")}${silences.length > 3 ? ` and ${silences.length - 3} more` : ""}`,
      i.since && `since ${i.since}`,
      i.red_subjects.length > 0 &&
        `red: ${i.red_subjects.slice(0, 10).join(", ")}${i.red_subjects.length > 10 ? ` and ${i.red_subjects.length - 10} more` : ""}`,
      i.blind_since && `blind since ${i.blind_since}: ${i.blind_reason}`,
    ].filter(Boolean);
    const head = `${SYMBOLS[i.status]} ${i.id}  ${i.status.padEnd(7)}  ${i.title.padEnd(30)}`;
    const uptime = uptimeText(uptimes[i.id]!, (state, text) => paint[state](text));
    lines.push(`${paint[i.status](head)}  ${uptime}  ${printable(facts.join(", "))}`);
  }
  lines.push(c.dim(`  ${UPTIME_LEGEND}`));
  const { alerts } = status;
  lines.push(
    `alerts: ${alerts.status}${alerts.pending > 0 ? ` (${alerts.pending})` : ""}${alerts.channels.length > 0 ? `, by ${alerts.channels.join(" and ")}` : ""}`,
  );
  for (const silence of status.silences) lines.push(renderSilence(silence));
  for (const line of status.sources_unavailable) lines.push(c.yellow(`unread     ${printable(line)}`));
  return lines.join("\n");
}
