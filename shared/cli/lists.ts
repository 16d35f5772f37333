/** Violations, silences and states as lines of a terminal. */
import pc from "picocolors";
import { listed, printable } from "../text.ts";
import { checkedWords, describeAge, isFresh, severityWords } from "../web/describe-status.ts";
import { type BarState, type UptimeBars, uptimesOf, worstOf } from "../web/uptime.ts";
import type {
  CycleOutline,
  InvariantStatus,
  SilenceBody,
  SilencesBody,
  StatusBody,
  ViolationsBody,
} from "../wire/schemas.ts";
import { SYMBOLS } from "./symbols.ts";

const MAX_SILENCED = 3;
const MAX_RED = 10;

/** Each character stands for half an hour. */
const BARS_IN_A_CHARACTER = 6;
/** The worse the state, the higher the character: states must differ without colours. */
const CHARACTERS: Record<BarState, string> = { red: "█", unknown: "▒", green: "▁", off: "–", missing: "·" };
const LEGEND = `24 h, half an hour each: ${Object.entries(CHARACTERS)
  .map(([state, character]) => `${character} ${state}`)
  .join(", ")}`;

/** Renders uptime bars as characters, each with the worst state of its half hour. */
function uptimeText(bars: UptimeBars, paint: Record<BarState, (text: string) => string>): string {
  const starts = Array.from({ length: bars.length / BARS_IN_A_CHARACTER }, (_, i) => i * BARS_IN_A_CHARACTER);
  const states = starts.map((start) => worstOf(bars.slice(start, start + BARS_IN_A_CHARACTER)));
  return states.map((state) => paint[state](CHARACTERS[state])).join("");
}

/** Renders a page of violations, one per line. */
export function renderViolations({ violations, next_cursor }: ViolationsBody): string {
  if (violations.length === 0) return "no violations";
  const lines = violations.map(({ id, snapshot_time, invariant_id, severity, signal_query }) =>
    [id, snapshot_time, invariant_id, severity.padEnd(8), printable(signal_query)].join("  "),
  );
  if (next_cursor) lines.push("… more: raise --limit, or narrow with --invariant or --since");
  return lines.join("\n");
}

/** Renders a silence as one line. */
export function renderSilence({ id, invariant_id, subject, reason, by, ...end }: SilenceBody): string {
  const what = subject === null ? "" : ` for ${printable(subject)}`;
  const until = [end.until, end.until_recovered && "it recovers"].filter(Boolean).join(" or ");
  return `silence ${id}  ${invariant_id}${what} until ${until}: ${printable(reason)} (${printable(by)})`;
}

/** Renders the silences in force, one per line. */
export const renderSilences = ({ silences }: SilencesBody): string =>
  silences.length > 0 ? silences.map(renderSilence).join("\n") : "no silences";

/** Describes an invariant beyond its state. */
function factsOf(
  invariant: InvariantStatus,
  silences: readonly SilenceBody[],
  offReason: string | undefined,
): string {
  const { status, severity, since, checked, red_subjects, blind_since, blind_reason } = invariant;
  const words = severityWords(invariant);
  const silenced = silences.map((s) => s.subject ?? "all of it");
  const facts = [
    offReason,
    words !== severity && words,
    silenced.length > 0 && `silenced: ${listed(silenced, MAX_SILENCED)}`,
    since && `since ${since}`,
    checked !== null && checkedWords(checked, status),
    red_subjects.length > 0 && `red: ${listed(red_subjects, MAX_RED)}`,
    blind_since && `blind since ${blind_since}: ${blind_reason}`,
  ];
  return printable(facts.filter(Boolean).join(", "));
}

/** Describes the last full cycle, with a warning if it is too old. */
function headOf(
  { checked_at, cycle_duration_ms }: StatusBody,
  nowMs: number,
  warn: (text: string) => string,
) {
  if (checked_at === null) return ["never checked"];
  const head = [`checked ${checked_at}, ${cycle_duration_ms} ms`];
  const atMs = Date.parse(checked_at);
  if (isFresh(atMs, nowMs)) return head;
  const age = describeAge(atMs, nowMs);
  return [...head, warn(`STALE: the last full cycle was ${age}; what follows is as it was then`)];
}

function alertsLine({ status, pending, channels }: StatusBody["alerts"]): string {
  const waiting = pending > 0 ? ` (${pending})` : "";
  const by = channels.length > 0 ? `, by ${channels.join(" and ")}` : "";
  return `alerts: ${status}${waiting}${by}`;
}

/**
 * Renders the state of each invariant with its last 24 hours.
 * @param cycles of the last 24 hours, newest first
 */
export function renderStatus(
  status: StatusBody,
  cycles: readonly CycleOutline[],
  nowMs: number,
  colour: boolean,
): string {
  const c = pc.createColors(colour);
  const paint = { green: c.green, red: c.red, unknown: c.yellow, off: c.dim, missing: c.dim };
  const ids = status.invariants.map(({ id }) => id);
  const uptimes = uptimesOf(cycles, ids, nowMs);
  const lines = headOf(status, nowMs, c.red);
  for (const invariant of status.invariants) {
    const { id, title, status: state } = invariant;
    const head = `${SYMBOLS[state]} ${id}  ${state.padEnd(7)}  ${title.padEnd(30)}`;
    const uptime = uptimeText(uptimes[id]!, paint);
    const silences = status.silences.filter((s) => s.invariant_id === id);
    lines.push(
      `${paint[state](head)}  ${uptime}  ${factsOf(invariant, silences, status.checks_off_reasons?.[id])}`,
    );
  }
  lines.push(c.dim(`  ${LEGEND}`), alertsLine(status.alerts));
  for (const silence of status.silences) lines.push(renderSilence(silence));
  for (const line of status.sources_unavailable) lines.push(c.yellow(`unread     ${printable(line)}`));
  return lines.join("\n");
}
