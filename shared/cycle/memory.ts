/** What one cycle leaves to the next. */
import type { EndedCursor, TerminalStatus } from "../snapshot/facts.ts";

/** A subject that is red, and by which findings. */
export interface RedSubject {
  readonly sinceMs: number;
  readonly keys: readonly string[];
  /** There are keys beside these: the store caps them. Which ones is not known. */
  readonly more?: boolean;
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
  /** Since when verdicts have been unknown without a break; null while it sees. */
  readonly blindSinceMs: number | null;
  readonly blindReason: string | null;
}
export type InvariantStates = Readonly<Record<string, InvariantState>>;

/** Everything that the `MEMORY` item holds beside its lease. */
export interface Memory {
  readonly states: InvariantStates;
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

export const EMPTY_MEMORY: Memory = {
  states: {},
  endedCursor: null,
  pinned: [],
  zombieSightings: {},
  lastFullCycle: null,
};
