/** Reading everything that a cycle judges: the sources, and what earlier cycles left. */
import type { Canary } from "../canary.ts";
import { withDeadline } from "../deadline.ts";
import type { FactName, Reading, Readings, Since, Snapshot } from "../facts/facts.ts";
import { partOf, type Recalled, type Recollection } from "../recall/recollection.ts";
import { type CollectOptions, collect } from "../sources/collect.ts";
import type { Journal, Loaded } from "../store/journals.ts";
import { MemoryUnreadable } from "../store/memory-codec.ts";
import { plural } from "../text.ts";
import type { Memory } from "./memory.ts";
import { stateLine } from "./state-line.ts";
import { isStranger, withSufficiency } from "./sufficient.ts";
import { timed } from "./timed.ts";

export type AnyRecalled = Recalled<FactName, object>;

/** What is read with. Of the state only the journals are. */
export type Gatherer = Pick<
  Canary,
  "sources" | "recollections" | "settings" | "now" | "redact" | "onStep"
> & { readonly store: { readonly journals: Pick<Canary["store"]["journals"], "load"> } };

/** What a cycle read. */
export interface Gathered {
  readonly snapshot: Snapshot;
  /** Of the sources and of the recollections. */
  readonly readings: Readings;
  /** The recollections that could be read, each as it is in this cycle. */
  readonly recalled: ReadonlyMap<Recollection, AnyRecalled>;
  /** The keys of the items of each journal that was read, oldest first. */
  readonly journals: Readonly<Record<string, readonly string[]>>;
  /** Lines of `sources_unavailable` for what earlier cycles left and is gone. */
  readonly lost: readonly string[];
  /** Why the state can't be read; null where it can. */
  readonly stateError: string | null;
  /** Reads some facts again; recollections stay as they are. */
  readAgain(wanted: ReadonlySet<FactName>): Promise<Pick<Snapshot, "readings" | "unavailable">>;
}

/** A recollection with its part of the memory; null where there is no memory. */
interface Remembered {
  readonly recollection: Recollection;
  readonly part: object | null;
  /** The keys of its journal's items; null where they are not known. */
  readonly keys: readonly string[] | null;
}

/** A recollection in this cycle, or the reason why it can't be read; and what was read of its journal. */
type Attempt = readonly [Recollection, AnyRecalled | string, Loaded];

/**
 * Reads the sources and the recollections at once, each under its deadline.
 * @param memory null where the state could not be read, with the reason in `unreadable`
 */
export async function gather(
  canary: Gatherer,
  wanted: ReadonlySet<FactName>,
  memory: Memory | null,
  unreadable: string | null,
  nowMs: number,
): Promise<Gathered> {
  const { sources, settings, now, redact } = canary;
  const needed = canary.recollections
    .filter(({ gives }) => wanted.has(gives))
    .map((recollection) => ({
      recollection,
      part: memory && partOf(recollection, memory.recall),
      keys: (recollection.journal && memory?.journals?.[recollection.journal.name]) ?? null,
    }));
  const options: CollectOptions = {
    sources,
    wanted,
    deadlineMs: settings.sourceDeadlineMs,
    now,
    since: sinceOf(needed),
    redact,
    isStranger: (agent, readings) => isStranger(agent, readings, settings.expectAgents),
  };
  const [attempts, snapshot] = await Promise.all([
    timed(canary, "recollections", () =>
      Promise.all(needed.map((remembered) => attempt(canary, remembered, unreadable, nowMs))),
    ),
    timed(canary, "sources", () => collect(options)),
  ]);
  const reasons = attempts.flatMap(([, recalled]) => (typeof recalled === "string" ? [recalled] : []));
  const left = readingsOf(attempts, snapshot.takenAtMs);
  const whole = (readings: Readings) => withSufficiency({ ...readings, ...left }, settings.expectAgents);
  const known = attempts.filter(
    (one): one is readonly [Recollection, AnyRecalled, Loaded] => typeof one[1] !== "string",
  );
  return {
    snapshot,
    readings: whole(snapshot.readings),
    recalled: new Map(known.map(([recollection, recalled]) => [recollection, recalled])),
    journals: Object.fromEntries(
      known.flatMap(([{ journal }, , { keys }]) => (journal ? [[journal.name, keys]] : [])),
    ),
    lost: known.flatMap(([{ journal }, , { lost }]) =>
      journal && lost > 0 ? [lossLine(journal, lost)] : [],
    ),
    stateError: unreadable ?? reasons[0] ?? null,
    async readAgain(facts) {
      const { readings, unavailable } = await collect({ ...options, wanted: facts });
      return { readings: whole(readings), unavailable };
    },
  };
}

/** From where on the sources read what is new. A part that can't be read says nothing of it. */
const sinceOf = (needed: readonly Remembered[]): Since =>
  Object.assign(
    { ended: null },
    ...needed.map(({ recollection, part }) =>
      part && recollection.isPart(part) ? recollection.since?.(part) : {},
    ),
  );

const NO_JOURNAL: Loaded = { entries: [], keys: [], lost: 0 };

/** The memory that this cycle leaves does not name them any more: it is said once. */
const lossLine = ({ name }: Journal, lost: number): string =>
  `state: the journal ${name} lacks ${plural(lost, "item")} that the memory names, so what was remembered there is forgotten`;

/** Loads one recollection's journal and recalls it. One that can't be read does not touch another. */
async function attempt(
  { store, settings, redact }: Gatherer,
  { recollection, part, keys }: Remembered,
  unreadable: string | null,
  nowMs: number,
): Promise<Attempt> {
  const { journal } = recollection;
  try {
    if (part && !recollection.isPart(part))
      throw new MemoryUnreadable(`has a part for ${recollection.gives} that can't be used`);
    const loaded =
      journal && part
        ? await withDeadline(settings.sourceDeadlineMs, () => store.journals.load(journal, keys, nowMs))
        : NO_JOURNAL;
    const recalled = recollection.recall(part, loaded.entries);
    return [recollection, recalled ?? unreadable ?? "state: unread", loaded];
  } catch (error) {
    return [recollection, stateLine({ redact }, error), NO_JOURNAL];
  }
}

const readingsOf = (attempts: readonly Attempt[], atMs: number): Readings =>
  Object.fromEntries(
    attempts.map(([{ gives }, recalled]): [FactName, Reading<unknown>] => [
      gives,
      typeof recalled === "string"
        ? { read: false, reason: recalled }
        : { read: true, value: recalled.fact, time: { fromMs: atMs, toMs: atMs } },
    ]),
  ) as Readings;
