/** What the alert machine remembers from one cycle to the next. The names of fields are those of the stored memory. */
import type { Severity } from "../invariants/invariant.ts";

/**
 * What is counted of an episode while it lasts. A tuple, since the memory holds one for each red subject: how many cycles found
 * it; how bad it was at its worst, and when; the place of its worst severity in `SEVERITIES`; whether its item is known to be
 * in the table; and whether the subject was on the roster when it began, null where the roster was not read.
 */
export type Tally = readonly [
  cycles: number,
  peak: number,
  peakAtMs: number,
  severity: number,
  isRecorded: boolean,
  wasOnRoster: boolean | null,
];

/** A subject that is red, and by which findings. */
export interface RedSubject {
  readonly sinceMs: number;
  readonly keys: readonly string[];
  /** There are more keys than these, which the store could not keep. */
  readonly more?: boolean;
  /** Operators were notified of it, or are about to be: it is in the outbox. */
  readonly announced?: boolean;
  /** Absent in memories of older versions, and where the store had no room for it. */
  readonly episode?: Tally;
}

export interface InvariantState {
  /** The last verdict that judged; "unknown" until there was one. */
  readonly status: "green" | "red" | "unknown";
  /** Since when it has that status. */
  readonly sinceMs: number;
  readonly lastRedAtMs: number | null;
  readonly red: Readonly<Record<string, RedSubject>>;
  /** How many red subjects did not fit in the store. They keep the invariant red until it is seen whole and green. */
  readonly redBesides: number;
  /** When operators were last notified of this red; null where they were not. */
  readonly announcedAtMs: number | null;
  /** The channels that were sent this red: they are sent its end. Absent in memories of older versions. */
  readonly notified?: readonly string[];
  /** The worst severity that was sent of this red: its end has the same. Absent in memories of older versions. */
  readonly severitySent?: Severity;
  /** How many verdicts in a row have been unknown, and whether operators were notified. */
  readonly blindCycles: number;
  readonly blindAnnounced: boolean;
  /** Since when verdicts have been unknown without a break; null while it is judged. */
  readonly blindSinceMs: number | null;
  readonly blindReason: string | null;
  /** The worst severity that was sent of what is blind now. Absent in memories of older versions. */
  readonly blindSeverity?: Severity;
  /** How many subjects the last verdict looked at. Absent in memories of older versions, and before the first verdict. */
  readonly checked?: number;
}
export type InvariantStates = Readonly<Record<string, InvariantState>>;

/** A source, or a part of one, that could not be read. */
export interface BlindSource {
  readonly sinceMs: number;
  /** How many cycles in a row. */
  readonly cycles: number;
  readonly reason: string;
  readonly announced: boolean;
  /** As `blindSeverity` of an invariant. */
  readonly severity?: Severity;
}
/** By the text before the colon in `sources_unavailable`: `redis`, `docker.exec[ruby]`. */
export type BlindSources = Readonly<Record<string, BlindSource>>;

/** The source that a part belongs to: `docker` of `docker.exec[ruby]`. */
export const sourceOf = (name: string): string => name.split(/[.[]/)[0]!;

export interface AlertState {
  readonly states: InvariantStates;
  readonly blindSources: BlindSources;
  /** The channels that were sent what is blind now. Absent where nothing is, and in memories of older versions. */
  readonly blindNotified?: readonly string[];
}

/** The part of a state that says how long verdicts have been unknown: they have not. */
export const NOT_BLIND = {
  blindCycles: 0,
  blindAnnounced: false,
  blindSinceMs: null,
  blindReason: null,
} as const;

/** The state of an invariant before its first verdict. */
export const NEVER_JUDGED: Omit<InvariantState, "sinceMs"> = {
  status: "unknown",
  lastRedAtMs: null,
  red: {},
  redBesides: 0,
  announcedAtMs: null,
  ...NOT_BLIND,
};

/** The state of that invariant, also where it was never judged. */
export const stateOf = (states: InvariantStates, id: string, nowMs: number): InvariantState =>
  states[id] ?? { ...NEVER_JUDGED, sinceMs: nowMs };

/** The red subject of that name, if there is one; a name such as "constructor" is none. */
export const redSubjectOf = (state: InvariantState | undefined, subject: string): RedSubject | undefined =>
  state && Object.hasOwn(state.red, subject) ? state.red[subject] : undefined;

/** Says whether a finding was red before, by its subject and one of its keys. */
export const wasRedIn =
  (states: InvariantStates) =>
  (invariantId: string, subject: string, key: string): boolean => {
    const red = redSubjectOf(states[invariantId], subject);
    return red !== undefined && (red.more === true || red.keys.includes(key));
  };
