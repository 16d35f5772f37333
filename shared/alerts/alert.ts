/** An alert: the digest of a notice, small enough to be stored until every channel has taken it. */
import type { Severity } from "../invariants/invariant.ts";
import { cut, oneLine } from "../text.ts";

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
  | "sees";

/** An alert without what only delivery knows. Texts are plain: a channel escapes them. */
export interface Alert {
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
  /** Unix ms. */
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
}

const MAX_SUMMARY = 600;
const MAX_LINE = 400;
const MAX_LINES = 5;

/** An alert before its texts are cut, with all of its lines. */
export type AlertParts = Omit<Alert, "more">;

/**
 * Makes an alert. Secrets are taken out of every text, and then it is cut to what can be stored, whatever the length of
 * names and ids.
 */
export function makeAlert(parts: AlertParts, redact: (text: string) => string): Alert {
  const text = (long: string, most: number) => cut(oneLine(redact(long)), most);
  return {
    ...parts,
    summary: text(parts.summary, MAX_SUMMARY),
    lines: parts.lines.slice(0, MAX_LINES).map((line) => text(line, MAX_LINE)),
    more: Math.max(0, parts.lines.length - MAX_LINES),
    context: parts.context.map((line) => text(line, MAX_LINE)),
  };
}
