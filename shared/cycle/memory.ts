/** What one cycle leaves to the next. */
import type { Pending } from "../alerts/alert.ts";
import type { EndedCursor, TerminalStatus } from "../facts/facts.ts";

/** A subject that is red, and by which findings. */
export interface RedSubject {
  readonly sinceMs: number;
  readonly keys: readonly string[];
  /** There are keys beside these: the store caps them. Which ones is not known. */
  readonly more?: boolean;
  /** Operators have been told of it, or are about to be: it is in the outbox. */
  readonly announced?: boolean;
}

export interface InvariantState {
  /** The last verdict that judged; "unknown" until there was one. */
  readonly status: "green" | "red" | "unknown";
  /** Since when it has that status. */
  readonly sinceMs: number;
  readonly lastRedAtMs: number | null;
  readonly red: Readonly<Record<string, RedSubject>>;
  /** Red subjects that did not fit in the store; they keep the invariant red until it is next seen all green. */
  readonly redBesides: number;
  /** When operators were last told that it is red; null while they were not, in this red. */
  readonly announcedAtMs: number | null;
  /** How many verdicts in a row have been unknown, and whether operators were told. */
  readonly blindCycles: number;
  readonly blindAnnounced: boolean;
  /** Since when verdicts have been unknown without a break; null while it sees. */
  readonly blindSinceMs: number | null;
  readonly blindReason: string | null;
}
export type InvariantStates = Readonly<Record<string, InvariantState>>;

/** A source, or a part of one, that could not be read. */
export interface BlindSource {
  readonly sinceMs: number;
  /** How many cycles in a row. */
  readonly cycles: number;
  readonly reason: string;
  readonly announced: boolean;
}
/** By what stands before the colon in `sources_unavailable`: `redis`, `docker.exec[ruby]`. */
export type BlindSources = Readonly<Record<string, BlindSource>>;

/** Everything that the `MEMORY` item holds beside its lease. */
export interface Memory {
  readonly states: InvariantStates;
  readonly blindSources: BlindSources;
  /** Alerts that some channel has not taken yet, oldest first. */
  readonly outbox: readonly Pending[];
  readonly endedCursor: EndedCursor | null;
  /** Executions that are red in E-02, with their previous status: remembered for as long as they are red. */
  readonly pinned: readonly { readonly hash: string; readonly status: TerminalStatus }[];
  /** When each zombie was first seen (unix ms), while a dwell is asked for. */
  readonly zombieSightings: Readonly<Record<string, number>>;
  /** The last cycle that ran every invariant. */
  readonly lastFullCycle: {
    readonly atMs: number;
    readonly durationMs: number;
    readonly checksOff: readonly string[];
    readonly sourcesUnavailable: readonly string[];
    readonly latencyMsBySource: Readonly<Record<string, number>>;
  } | null;
}

/** The state of an invariant before its first verdict. */
export const NEVER_JUDGED: Omit<InvariantState, "sinceMs"> = {
  status: "unknown",
  lastRedAtMs: null,
  red: {},
  redBesides: 0,
  announcedAtMs: null,
  blindCycles: 0,
  blindAnnounced: false,
  blindSinceMs: null,
  blindReason: null,
};

export const EMPTY_MEMORY: Memory = {
  states: {},
  blindSources: {},
  outbox: [],
  endedCursor: null,
  pinned: [],
  zombieSightings: {},
  lastFullCycle: null,
};
