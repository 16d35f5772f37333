/** The state of every invariant, as lines of a terminal. */
import pc from "picocolors";
import { listed, printable } from "../../text.ts";
import { HOUR_MS, MINUTE_MS } from "../../time.ts";
import { checkedWords, describeAge, isFresh, severityWords } from "../../web/describe-status.ts";
import { BAR_MS, BARS, type BarState, type UptimeBars, uptimesOf, worstOf } from "../../web/uptime.ts";
import type { CycleOutline } from "../../wire/schemas/cycles.ts";
import type { InvariantStatus, StatusBody } from "../../wire/schemas/status.ts";
import { besideOrBelow, padTo, widthOf, wrap } from "../layout.ts";
import { type Screen, sinceOf, whenOf } from "../screen.ts";
import { SYMBOLS } from "../symbols.ts";
import { renderSilence } from "./silences.ts";

const MAX_SILENCED = 3;
const MAX_RED = 10;
const INDENT = "    ";

/** The worse the state, the higher the character: states must differ without colours. */
const CHARACTERS: Record<BarState, string> = { red: "█", unknown: "▒", green: "▁", off: "–", missing: "·" };

/** `unknown 12 min`. */
const STATE_WIDTH = 14;
const TITLE_WIDTH = 30;
/** A title that is cut to less says nothing. */
const LEAST_TITLE = 16;
/** Lengths of a strip of which each character stands for the same time. */
const STRIPS = [96, 72, 48, 36, 24, 16, 12] as const;
/** The strip where nothing limits a line. */
const USUAL_STRIP = 48;

type Paint = Record<BarState, (text: string) => string>;

/** How wide the parts of a row are. */
function columnsOf(width: number): { title: number; strip: number } {
  // The mark, the id, and two spaces between the parts.
  const left = width - widthOf("✗ S-02") - STATE_WIDTH - 3 * 2;
  if (left === Number.POSITIVE_INFINITY) return { title: TITLE_WIDTH, strip: USUAL_STRIP };
  const title = Math.max(LEAST_TITLE, Math.min(TITLE_WIDTH, left - 24));
  const least = STRIPS.at(-1)!;
  return { title, strip: STRIPS.find((length) => length <= left - title) ?? least };
}

/** Renders uptime bars as characters, each with the worst state of its time. */
function stripText(bars: UptimeBars, length: number, paint: Paint): string {
  const each = bars.length / length;
  const states = Array.from({ length }, (_, i) => worstOf(bars.slice(i * each, (i + 1) * each)));
  return states.map((state) => paint[state](CHARACTERS[state])).join("");
}

/** `24 h, 30 min each: █ red, …`. */
function legendOf(length: number): string {
  const eachMs = (BARS / length) * BAR_MS;
  const each = eachMs % HOUR_MS === 0 ? `${eachMs / HOUR_MS} h` : `${eachMs / MINUTE_MS} min`;
  const states = Object.entries(CHARACTERS).map(([state, character]) => `${character} ${state}`);
  return `24 h, ${each} each: ${states.join(", ")}`;
}

/** Says why it can't be judged, and for how long where its state is another. */
function blindWords({ status, blind_since, blind_reason }: InvariantStatus, screen: Screen): string {
  const reason = blind_reason ?? "not judged";
  return status === "unknown" || blind_since === null
    ? reason
    : `blind ${sinceOf(screen, blind_since)}: ${reason}`;
}

/**
 * Describes an invariant beyond its state.
 * @param said what was said already: one cause that blinds many is said once
 */
function factsOf(
  invariant: InvariantStatus,
  { silences, checks_off_reasons }: StatusBody,
  screen: Screen,
  said: Set<string>,
): string {
  const { id, status, severity, since, checked, red_subjects, blind_since } = invariant;
  const words = severityWords(invariant);
  const silenced = silences.filter((s) => s.invariant_id === id).map((s) => s.subject ?? "all of it");
  const saysSeverity = screen.verbose || status === "red" || words !== severity;
  const saysChecked = checked !== null && (screen.verbose || checked === 0 || status !== "green");
  const blind = blind_since === null ? "" : blindWords(invariant, screen);
  const isNew = screen.verbose || !said.has(blind);
  said.add(blind);
  const facts = [
    status === "off" && checks_off_reasons?.[id],
    status !== "off" && saysSeverity && words,
    since && (screen.utc || screen.verbose) && `since ${since}`,
    red_subjects.length > 0 && `red: ${listed(red_subjects, screen.verbose ? red_subjects.length : MAX_RED)}`,
    silenced.length > 0 && `silenced: ${listed(silenced, MAX_SILENCED)}`,
    status !== "off" && saysChecked && checkedWords(checked, status),
    blind && (isNew ? blind : "likewise"),
  ];
  return printable(facts.filter(Boolean).join(", "));
}

/** `2 red, 1 unknown, 16 green`. */
function countsOf({ invariants }: StatusBody): string {
  const counts = (["red", "unknown", "green", "off"] as const).map(
    (state) => [state, invariants.filter(({ status }) => status === state).length] as const,
  );
  return counts
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state}`)
    .join(", ");
}

/** Describes the last full cycle, with a warning if it is too old. */
function headOf(status: StatusBody, screen: Screen, warn: (text: string) => string): string[] {
  const { checked_at, cycle_duration_ms } = status;
  if (checked_at === null) return ["never checked"];
  const head = `${countsOf(status)}; checked ${whenOf(screen, checked_at)} in ${cycle_duration_ms} ms`;
  const atMs = Date.parse(checked_at);
  if (isFresh(atMs, screen.nowMs)) return wrap(head, screen.width, INDENT, "");
  const stale = `STALE: the last full cycle was ${describeAge(atMs, screen.nowMs)}; what follows is as it was then`;
  return [...wrap(head, screen.width, INDENT, ""), ...wrap(stale, screen.width, INDENT, "").map(warn)];
}

function alertsLine({ status, pending, channels }: StatusBody["alerts"]): string {
  const waiting = pending > 0 ? ` (${pending})` : "";
  const by = channels.length > 0 ? `, by ${channels.join(" and ")}` : "";
  return printable(`alerts: ${status}${waiting}${by}`);
}

const STATES = ["red", "unknown", "green", "off"] as const;
const SEVERITIES = ["critical", "major", "minor"] as const;

/** What is worst comes first. */
const worstFirst = (invariants: StatusBody["invariants"]): InvariantStatus[] =>
  [...invariants].sort(
    (a, b) =>
      STATES.indexOf(a.status) - STATES.indexOf(b.status) ||
      (a.status === "red" ? SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) : 0),
  );

/**
 * Renders the state of each invariant with its last 24 hours.
 * @param cycles of the last 24 hours, newest first
 */
export function renderStatus(status: StatusBody, cycles: readonly CycleOutline[], screen: Screen): string {
  const c = pc.createColors(screen.colour);
  const paint = { green: c.green, red: c.red, unknown: c.yellow, off: c.dim, missing: c.dim };
  const ids = status.invariants.map(({ id }) => id);
  const uptimes = uptimesOf(cycles, ids, screen.nowMs);
  const { title: titleWidth, strip: length } = columnsOf(screen.width);
  const { width } = screen;
  const lines = headOf(status, screen, c.red);
  if (status.blind) lines.push(...wrap(printable(status.blind), width, INDENT, "").map(c.yellow));
  const said = new Set<string>();
  for (const invariant of worstFirst(status.invariants)) {
    const { id, title, status: state, since } = invariant;
    const age =
      since === null || state === "off" || screen.utc ? "" : whenOf(screen, since).replace(/ ago$/, "");
    const head = `${SYMBOLS[state]} ${id}  ${padTo(`${state} ${age}`.trim(), STATE_WIDTH)}  ${padTo(title, titleWidth)}`;
    const [first, ...below] = besideOrBelow(
      `${head}  ${CHARACTERS.missing.repeat(length)}`,
      factsOf(invariant, status, screen, said),
      width,
      INDENT,
    );
    const beside = first!.slice(head.length + 2 + length);
    lines.push(`${paint[state](head)}  ${stripText(uptimes[id]!, length, paint)}${beside}`, ...below);
  }
  lines.push(...wrap(legendOf(length), width, "  ").map(c.dim));
  lines.push(...wrap(alertsLine(status.alerts), width, INDENT, ""));
  for (const silence of status.silences)
    lines.push(...wrap(renderSilence(silence, screen), width, INDENT, ""));
  for (const line of status.sources_unavailable)
    lines.push(...wrap(printable(line), width, INDENT, "unread  ").map(c.yellow));
  return lines.join("\n");
}
