/** An alert: the digest of a notice, small enough to be stored until every channel has taken it. */
import type { Severity } from "../invariants/invariant.ts";
import { cut, oneLine, plural } from "../text.ts";

/** The name of a channel, as its file gives it (channels/). */
export type Channel = string;

/** The reason for an alert. */
export type AlertKind =
  /** Something is red that was not red before. */
  | "broke"
  /** A red invariant has a subject that was not red. */
  | "spread"
  | "recovered"
  /** It is still red, and the last alert was long ago. */
  | "reminder"
  /** Invariants or sources have not been read for some cycles. */
  | "blind"
  /** What was blind sees again. */
  | "sees"
  /** Somebody tries the channel. It is never stored. */
  | "test";

export interface AlertLinks {
  readonly invariant: string | null;
  readonly runbook: string | null;
  readonly status: string | null;
}

/** What an alert of an older version, which still waits in the outbox, does not have. */
export interface AlertGuidance {
  /** Whether it opens something, or ends what an alert with the same `dedupKey` has opened. */
  readonly action: "trigger" | "resolve";
  /** The same from the first trigger to the end. */
  readonly dedupKey: string;
  /** When the cycle began that it is of (unix ms). */
  readonly atMs: number;
  /** Since when it is red, or blind (unix ms). */
  readonly sinceMs: number | null;
  /** The first of the subjects that it is about. */
  readonly subjects: readonly string[];
  readonly subjectsTotal: number;
  /** Names and ids in the texts, which a channel shows as code. */
  readonly names: readonly string[];
  /** What breaks for whom, in a sentence. */
  readonly impact: string | null;
  /** What the fix does to a run that is alive after all. */
  readonly safe: string | null;
  /** Commands for a shell. None is ever cut: what is too long is left out. */
  readonly verify: readonly string[];
  readonly fix: readonly string[];
  readonly links: AlertLinks;
}

/** An alert without what only delivery knows. Texts are plain: a channel escapes them. */
export interface Alert extends AlertGuidance {
  /** The same in every attempt, so that a reader recognises a duplicate. */
  readonly key: string;
  readonly kind: AlertKind;
  readonly environment: string;
  /** Of the invariant; null for what is blind. */
  readonly invariantId: string | null;
  readonly title: string;
  readonly severity: Severity;
  /** One line. */
  readonly summary: string;
  /** A line for each of the first few violations, or for each thing that is blind. */
  readonly lines: readonly string[];
  /** How many lines were left out. */
  readonly more: number;
  readonly runbook: string | null;
  /** What a reader needs to look further: ids, times, counts. */
  readonly context: readonly string[];
  readonly statusUrl: string | null;
}

/** One alert that waits in the outbox. */
export interface Pending {
  readonly alert: Alert;
  /** Unix ms. The alerts of one cycle have the same. */
  readonly createdAtMs: number;
  /** The channels that have not taken it yet. */
  readonly channels: Readonly<Record<Channel, Attempts>>;
}
export interface Attempts {
  readonly failed: number;
  /** Not to be tried again before this (unix ms). */
  readonly notBeforeMs: number;
  /** The last attempt failed for a reason that holds for every alert: the channel is left alone until then. */
  readonly channelDown?: boolean;
  /** The channel refused a message that it was in: from then on it goes alone. */
  readonly alone?: boolean;
}

const MAX_SUMMARY = 600;
const MAX_LINE = 400;
const MAX_LINES = 5;
const MAX_SUBJECTS = 50;
const MAX_NAMES = 60;
const MAX_NAME = 120;
/** As much of an environment's name as the smallest form of the memory keeps of it: the key has to stay the same. */
const MAX_ENVIRONMENT = 40;
const MAX_COMMAND = 500;
const MAX_COMMANDS = 6;

type Core = Omit<Alert, "more" | keyof AlertGuidance>;
/** An alert before its texts are cut, with all of its lines. */
export type AlertParts = Core & Partial<AlertGuidance>;

/** What identifies what is open: the environment, and the invariant or what is blind. */
export const dedupKeyOf = (environment: string, invariantId: string | null): string =>
  `${cut(environment, MAX_ENVIRONMENT)}/${invariantId ?? "blind"}`;

/** Gives an alert of an older version what it lacks. */
export const completed = (alert: Core & { readonly more: number } & Partial<AlertGuidance>): Alert => ({
  action: alert.kind === "recovered" || alert.kind === "sees" ? "resolve" : "trigger",
  dedupKey: dedupKeyOf(alert.environment, alert.invariantId),
  // Its key begins with the time of its snapshot.
  atMs: Date.parse(alert.key.slice(0, alert.key.indexOf("/"))) || 0,
  sinceMs: null,
  subjects: [],
  subjectsTotal: alert.subjects?.length ?? 0,
  names: [],
  impact: null,
  safe: null,
  verify: [],
  fix: [],
  links: { invariant: null, runbook: null, status: alert.statusUrl },
  ...alert,
});

/** Joins each command with the notes on the lines before it. */
export function withNotes(lines: readonly string[]): string[][] {
  const units: string[][] = [];
  let notes: string[] = [];
  for (const line of lines) {
    notes.push(line);
    if (line.startsWith("#")) continue;
    units.push(notes);
    notes = [];
  }
  // A note without a command stands in place of one.
  return [...units, ...notes.map((note) => [note])];
}

/** Takes whole commands only: a part of one does something else. A comment says how many there are beside them. */
function commandsOf(lines: readonly string[], redact: (text: string) => string): string[] {
  const isWhole = (line: string) => line.length <= MAX_COMMAND && oneLine(line) === line;
  const all = new Map(withNotes(lines.map(redact)).map((unit) => [unit.join("\n"), unit]));
  const shown = [...all.values()].filter((unit) => unit.every(isWhole)).slice(0, MAX_COMMANDS);
  const left = all.size - shown.length;
  const more = `# ${plural(left, "more command")}: see the page or the runbook`;
  return [...shown.flat(), ...(left > 0 ? [more] : [])];
}

/**
 * Makes an alert. Secrets are taken out of every text, and then it is cut to what can be stored, whatever the length of
 * names and ids.
 */
export function makeAlert(parts: AlertParts, redact: (text: string) => string): Alert {
  const text = (long: string, most: number) => cut(oneLine(redact(long)), most);
  const textOrNull = (long: string | null, most: number) => (long === null ? null : text(long, most));
  const alert = completed({ ...parts, more: Math.max(0, parts.lines.length - MAX_LINES) });
  return {
    ...alert,
    summary: text(alert.summary, MAX_SUMMARY),
    lines: alert.lines.slice(0, MAX_LINES).map((line) => text(line, MAX_LINE)),
    context: alert.context.map((line) => text(line, MAX_LINE)),
    subjects: alert.subjects.slice(0, MAX_SUBJECTS).map((name) => text(name, MAX_NAME)),
    names: [...new Set(alert.names.map((name) => oneLine(redact(name))))]
      .filter((name) => name.length > 1 && name.length <= MAX_NAME)
      .slice(0, MAX_NAMES),
    impact: textOrNull(alert.impact, MAX_SUMMARY),
    safe: textOrNull(alert.safe, MAX_SUMMARY),
    verify: commandsOf(alert.verify, redact),
    fix: commandsOf(alert.fix, redact),
  };
}
