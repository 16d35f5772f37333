/** Reading everything that a cycle judges: the sources, and what earlier cycles left. */
import type { Canary } from "../canary.ts";
import { withDeadline } from "../deadline.ts";
import { describeError } from "../errors.ts";
import type { FactName, Reading, Readings, Since, Snapshot } from "../facts/facts.ts";
import { type JournalEntry, partOf, type Recalled, type Recollection } from "../recall/recollection.ts";
import { type CollectOptions, collect } from "../sources/collect.ts";
import type { Memory } from "./memory.ts";
import { timed } from "./timed.ts";

export type AnyRecalled = Recalled<FactName, object>;

/** What a cycle read. */
export interface Gathered {
  readonly snapshot: Snapshot;
  /** Of the sources and of the recollections. */
  readonly readings: Readings;
  /** The recollections that could be read, each as it is in this cycle. */
  readonly recalled: ReadonlyMap<Recollection, AnyRecalled>;
  /** Why the state can't be read; null where it can. */
  readonly stateError: string | null;
  /** Reads some facts again; recollections stay as they are. */
  readAgain(wanted: ReadonlySet<FactName>): Promise<Pick<Snapshot, "readings" | "unavailable">>;
}

/**
 * Reads the sources and the recollections at once, each under its deadline.
 * @param memory null where the state could not be read, with the reason in `stateError`
 */
export async function gather(
  canary: Canary,
  wanted: ReadonlySet<FactName>,
  memory: Memory | null,
  unreadable: string | null,
  nowMs: number,
): Promise<Gathered> {
  const { sources, settings, now, redact } = canary;
  const recollections = canary.recollections.filter(({ gives }) => wanted.has(gives));
  const options: CollectOptions = {
    sources,
    wanted,
    deadlineMs: settings.sourceDeadlineMs,
    now,
    since: sinceOf(canary.recollections, memory),
    redact,
  };
  const [journals, snapshot] = await Promise.all([
    memory && timed(canary, "recollections", () => loadJournals(canary, recollections, nowMs)),
    timed(canary, "sources", () => collect(options)),
  ]);
  const stateError = unreadable ?? (typeof journals === "string" ? journals : null);
  const readable = stateError === null ? memory : null;
  const recalled = new Map<Recollection, AnyRecalled>();
  for (const [i, recollection] of recollections.entries()) {
    const journal = Array.isArray(journals) ? journals[i]! : [];
    const own = recollection.recall(readable && partOf(recollection, readable.recall), journal);
    if (own) recalled.set(recollection, own);
  }
  const left = readingsOf(recollections, recalled, snapshot.takenAtMs, stateError);
  return {
    snapshot,
    readings: { ...snapshot.readings, ...left },
    recalled,
    stateError,
    async readAgain(facts) {
      const { readings, unavailable } = await collect({ ...options, wanted: facts });
      return { readings: { ...readings, ...left }, unavailable };
    },
  };
}

const sinceOf = (recollections: readonly Recollection[], memory: Memory | null): Since =>
  Object.assign(
    { ended: null },
    ...(memory ? recollections.map((r) => r.since?.(partOf(r, memory.recall))) : []),
  );

/** Loads the journals. Returns the reason, as text, where one can't be read. */
async function loadJournals(
  { store, settings, redact }: Canary,
  recollections: readonly Recollection[],
  nowMs: number,
): Promise<JournalEntry[][] | string> {
  try {
    return await Promise.all(
      recollections.map(({ journal }) =>
        journal
          ? withDeadline(settings.sourceDeadlineMs, () =>
              store.journals.load(journal.name, journal.keptSeconds, nowMs),
            )
          : [],
      ),
    );
  } catch (error) {
    return redact(`state: ${describeError(error)}`);
  }
}

function readingsOf(
  recollections: readonly Recollection[],
  recalled: ReadonlyMap<Recollection, AnyRecalled>,
  atMs: number,
  stateError: string | null,
): Readings {
  const time = { fromMs: atMs, toMs: atMs };
  const entries = recollections.map((recollection): [FactName, Reading<unknown>] => {
    const own = recalled.get(recollection);
    return [
      recollection.gives,
      own ? { read: true, value: own.fact, time } : { read: false, reason: stateError ?? "state: unread" },
    ];
  });
  return Object.fromEntries(entries) as Readings;
}
