/** What one cycle leaves to the next, and what of it may be left out where it does not fit in one item. */
import type { Alert, Pending } from "../alerts/alert.ts";
import type { AlertState, InvariantState, InvariantStates, Tally } from "../alerts/state.ts";
import type { Backend } from "../invariants/commands.ts";
import { partOf, type Recollection } from "../recall/recollection.ts";
import { cut, MAX_LINE } from "../text.ts";

/** An episode that has ended, and whose item is not known to say so yet. */
export interface Ending {
  readonly invariantId: string;
  readonly subject: string;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly episode: Tally;
  /** It is not on the roster any more. */
  readonly isGone?: true;
}

/** Everything that the `MEMORY` item holds besides its lease. */
export interface Memory extends AlertState {
  /** Alerts that some channel has not taken yet, oldest first. */
  readonly outbox: readonly Pending[];
  /** Episodes that have ended, newest last. Absent in a memory of an older version. */
  readonly endings?: readonly Ending[];
  /** The parts of the recollections (shared/recall). Their names do not overlap. */
  readonly recall: Readonly<Record<string, unknown>>;
  /** The last cycle that ran every invariant. */
  readonly lastFullCycle: {
    readonly atMs: number;
    readonly durationMs: number;
    readonly checksOff: readonly string[];
    /** Why, by id. Absent in a memory of an older version. */
    readonly checksOffReasons?: Readonly<Record<string, string>>;
    readonly sourcesUnavailable: readonly string[];
    readonly latencyMsBySource: Readonly<Record<string, number>>;
    /** The names of its alert channels, sorted. Absent in a memory of an older version. */
    readonly channels?: readonly string[];
    /** The platform's database; null where none is read. Absent in a memory of an older version, which read SQLite only. */
    readonly database?: Backend | null;
  } | null;
}

/** The platform's database, as far as the last full cycle says; null where there was none, or it read none. */
export const backendOf = ({ lastFullCycle }: Pick<Memory, "lastFullCycle">): Backend | null =>
  lastFullCycle === null || lastFullCycle.database === null ? null : (lastFullCycle.database ?? "sqlite");

export const EMPTY_MEMORY: Memory = {
  states: {},
  blindSources: {},
  outbox: [],
  recall: {},
  lastFullCycle: null,
};

const MAX_SUBJECTS = 20_000;
const FEW_ENDINGS = 500;

const mapStates = (
  states: InvariantStates,
  change: (state: InvariantState) => InvariantState,
): InvariantStates => Object.fromEntries(Object.entries(states).map(([id, state]) => [id, change(state)]));

/** Without the keys of its findings a red subject stays red; only less is known of it. */
const withoutKeys = (state: InvariantState): InvariantState => ({
  ...state,
  red: Object.fromEntries(
    Object.entries(state.red).map(([subject, red]) => [subject, { ...red, keys: [], more: true }]),
  ),
});

const withoutTallies = (state: InvariantState): InvariantState => ({
  ...state,
  red: Object.fromEntries(
    Object.entries(state.red).map(([subject, { episode: _, ...red }]) => [subject, red]),
  ),
});

const withSubjects =
  (most: number) =>
  (state: InvariantState): InvariantState => {
    const subjects = Object.entries(state.red);
    return {
      ...state,
      red: Object.fromEntries(subjects.slice(0, most)),
      // The larger of the two: what was cut before is among the subjects again, once they are seen.
      redBesides: Math.max(state.redBesides, subjects.length - most, 0),
    };
  };

/** Cuts every text that says why something could not be read. */
const withShortLines = (memory: Memory): Memory => ({
  ...memory,
  states: mapStates(memory.states, (state) => ({
    ...state,
    blindReason: state.blindReason && cut(state.blindReason, MAX_LINE),
  })),
  blindSources: Object.fromEntries(
    Object.entries(memory.blindSources).map(([name, source]) => [
      cut(name, MAX_LINE),
      { ...source, reason: cut(source.reason, MAX_LINE) },
    ]),
  ),
  lastFullCycle: memory.lastFullCycle && {
    ...memory.lastFullCycle,
    sourcesUnavailable: memory.lastFullCycle.sourcesUnavailable.map((line) => cut(line, MAX_LINE)),
  },
});

/** The length of each text of an alert in the smallest form. A full outbox of them fits in an item. */
const BRIEF = 40;

/** What of an alert helps a reader, and may be left out. */
const NO_GUIDANCE = {
  subjects: [],
  names: [],
  impact: null,
  safe: null,
  verify: [],
  fix: [],
  links: { invariant: null, runbook: null, status: null },
};

/** Says that something happened, to what and how bad it is. */
const brief = (alert: Alert): Alert => ({
  ...alert,
  environment: cut(alert.environment, BRIEF),
  title: cut(alert.title, BRIEF),
  summary: cut(alert.summary, BRIEF),
  lines: [],
  more: 0,
  runbook: null,
  context: [],
  statusUrl: null,
  ...NO_GUIDANCE,
});

/** Without what is below its summary. */
const terseEntry = (entry: Pending): Pending => ({
  ...entry,
  alert: { ...entry.alert, ...NO_GUIDANCE, links: entry.alert.links, lines: [], more: 0 },
});

/** A memory, and ever smaller forms of it, the whole first. */
export interface MemorySizes extends Iterable<Memory> {
  readonly whole: Memory;
}

/**
 * Makes ever smaller forms of the memory. What is left out is counted, never dropped in silence: an invariant that is red
 * stays red in each form, and an alert that waits is still sent.
 */
export const memorySizes = (memory: Memory, recollections: readonly Recollection[]): MemorySizes => ({
  whole: memory,
  [Symbol.iterator]: () => sizesOf(memory, recollections),
});

function* sizesOf(whole: Memory, recollections: readonly Recollection[]): Generator<Memory> {
  const memory = withShortLines(whole);
  yield memory;
  // The lines below an alert's summary go first, and those of this cycle last: a shorter alert is still an alert.
  const newestMs = memory.outbox.at(-1)?.createdAtMs;
  const isOld = (entry: Pending) => entry.createdAtMs !== newestMs;
  if (memory.outbox.some(isOld))
    yield { ...memory, outbox: memory.outbox.map((one) => (isOld(one) ? terseEntry(one) : one)) };
  const terse = { ...memory, outbox: memory.outbox.map(terseEntry) };
  yield terse;
  // What is red counts for more than an end that is not in its item yet: a reader sees that it is not open any more.
  const few = { ...terse, ...(memory.endings && { endings: memory.endings.slice(-FEW_ENDINGS) }) };
  yield few;
  const unended = { ...terse, ...(memory.endings && { endings: [] }) };
  yield unended;
  const keyless = { ...unended, states: mapStates(memory.states, withoutKeys) };
  yield { ...keyless, states: mapStates(keyless.states, withSubjects(MAX_SUBJECTS)) };
  // A subject counts for more than the tally of its episode, which begins again.
  const bare = mapStates(keyless.states, withoutTallies);
  for (let most = MAX_SUBJECTS; most >= 1; most = Math.floor(most / 2))
    yield { ...keyless, states: mapStates(bare, withSubjects(most)) };
  // What is left is bounded in number and in length, whatever the cycle found.
  yield {
    states: mapStates(keyless.states, withSubjects(0)),
    endings: [],
    outbox: memory.outbox.map((entry) => ({ ...entry, alert: brief(entry.alert) })),
    lastFullCycle: memory.lastFullCycle && { ...memory.lastFullCycle, sourcesUnavailable: [] },
    recall: Object.assign(
      { ...memory.recall },
      ...recollections.map((r) => r.shrink?.(partOf(r, memory.recall))),
    ),
    blindSources: {},
    ...(memory.blindNotified && { blindNotified: memory.blindNotified }),
  };
}
