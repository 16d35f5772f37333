/**
 * What a cycle writes of episodes. The commit says what is open and what has ended; the items are written after it, and may
 * fail. Each later cycle reads whether they are there, until they are: so an end is neither lost nor written for ever.
 */
import { createHash } from "node:crypto";
import pMap from "p-map";
import { type InvariantStates, redSubjectOf, type Tally } from "../alerts/state.ts";
import type { Canary } from "../canary.ts";
import { type EpisodeName, type StoredEpisode, withKnown } from "../store/episode.ts";
import { wordsOf } from "../store/episode-reader.ts";
import type { Latest } from "../store/latest.ts";
import type { Lease } from "../store/lease.ts";
import { DAY_MS, formatInstant } from "../time.ts";
import type { AnyFinding } from "../verdict/evaluate.ts";
import { toViolation } from "../wire/serialize.ts";
import type { Finished } from "./finished.ts";
import { beforeCommit } from "./lease.ts";
import type { Ending, Memory } from "./memory.ts";
import { isStranger } from "./sufficient.ts";
import { endingsOf, keptEndings, withTallies } from "./tally.ts";

const READ_MS = 5_000;
/** Episodes whose items a cycle writes, three items each. The others are written by the next ones. */
const MAX_WRITTEN = 1_000;
/** Of these, open ones whose items are there: they have grown, or are refreshed. */
const MAX_DUE = 100;
/** Queries for the items of episodes that began together, and how many at once. */
const MAX_QUERIES = 40;
const QUERIES_AT_ONCE = 8;

/** An episode to look up, and to write where its item does not say what it should. */
interface Wanted extends EpisodeName {
  readonly episode: Tally;
  readonly ending: Ending | null;
  /** Its item is to be written again, also where it is there. */
  readonly isDue: boolean;
}

/** An episode to write, with its item as it is. */
interface Change extends Wanted {
  readonly stored: StoredEpisode | undefined;
}

/** What a cycle does about episodes. */
export interface EpisodePlan {
  readonly states: InvariantStates;
  readonly endings: readonly Ending[];
  readonly latest: Latest | null;
  readonly changes: readonly Change[];
  readonly begun: readonly Wanted[];
}

const sameBegin = ({ invariantId, sinceMs }: EpisodeName): string => `${sinceMs}#${invariantId}`;

/** A time of day at which the item of an open episode is written again, so that it does not expire. Each has its own. */
const refreshMs = ({ invariantId, subject }: EpisodeName): number =>
  createHash("sha256").update(`${invariantId}#${subject}`).digest().readUInt32BE(0) % DAY_MS;

const isRefreshed = (name: EpisodeName, fromMs: number, toMs: number): boolean => {
  const dayAt = (ms: number) => Math.floor((ms - refreshMs(name)) / DAY_MS);
  return dayAt(toMs) > dayAt(fromMs);
};

/** Lists the open episodes: those that began in this cycle, those whose item was never seen, and those that are due. */
function openEpisodes(prior: Memory, states: InvariantStates, run: readonly string[], nowMs: number) {
  const [begun, unproven, due]: [Wanted[], Wanted[], Wanted[]] = [[], [], []];
  const lastMs = prior.lastFullCycle?.atMs ?? nowMs;
  for (const invariantId of run)
    for (const [subject, { sinceMs, episode }] of Object.entries(states[invariantId]?.red ?? {})) {
      if (!episode) continue;
      const before = redSubjectOf(prior.states[invariantId], subject);
      const [, peak, , severity, isRecorded] = episode;
      const hasGrown =
        before?.episode !== undefined && (peak > before.episode[1] || severity < before.episode[3]);
      const wanted = { invariantId, subject, sinceMs, episode, ending: null, isDue: hasGrown };
      if (!before) begun.push(wanted);
      else if (!isRecorded) unproven.push(wanted);
      else if (hasGrown) due.unshift(wanted);
      else if (isRefreshed(wanted, lastMs, nowMs)) due.push({ ...wanted, isDue: true });
    }
  return { begun, unproven, due: due.slice(0, MAX_DUE) };
}

/** Groups what begins alike, and takes so many groups and episodes as one cycle has time for. */
function queriesFor(wanted: readonly Wanted[]): Wanted[][] {
  const groups = new Map<string, Wanted[]>();
  for (const one of wanted.slice(0, MAX_WRITTEN)) {
    const group = groups.get(sameBegin(one));
    if (group) group.push(one);
    else groups.set(sameBegin(one), [one]);
  }
  return [...groups.values()].slice(0, MAX_QUERIES);
}

/** Reads the items of these. What can't be read in time is left out: the next cycle asks again. */
async function lookUp(canary: Canary, lease: Lease, wanted: readonly Wanted[]): Promise<Change[]> {
  const changes: Change[] = [];
  const read = async (group: readonly Wanted[], signal: AbortSignal) => {
    const stored = await canary.store.episodes.lookUp(group, signal);
    changes.push(...group.map((one) => ({ ...one, stored: stored.get(one.subject) })));
  };
  const readAll = (signal: AbortSignal) =>
    pMap(queriesFor(wanted), (group) => read(group, signal), {
      concurrency: QUERIES_AT_ONCE,
      stopOnError: false,
      signal,
    });
  if (wanted.length > 0) await beforeCommit(canary, lease, readAll, READ_MS).catch(() => {});
  return [...changes];
}

/** Marks in the states the open episodes whose items are there. */
function withRecorded(states: InvariantStates, recorded: readonly EpisodeName[]): InvariantStates {
  const byInvariant = Map.groupBy(recorded, ({ invariantId }) => invariantId);
  const marked = [...byInvariant].map(([id, names]) => {
    const state = states[id]!;
    const subjects = names.map(({ subject }) => {
      const red = state.red[subject]!;
      const [cycles, peak, peakAtMs, severity, , wasOnRoster] = red.episode!;
      const episode: Tally = [cycles, peak, peakAtMs, severity, true, wasOnRoster];
      return [subject, { ...red, episode }] as const;
    });
    return [id, { ...state, red: { ...state.red, ...Object.fromEntries(subjects) } }] as const;
  });
  return { ...states, ...Object.fromEntries(marked) };
}

/** Whether a full cycle leaves something red that it did not find: what was seen of it is then kept. */
function hasUnseen(states: InvariantStates, { judged, request }: Finished): boolean {
  if (request.invariantIds) return false;
  const found = new Map(
    judged.map(({ invariant, findings }) => [invariant.id, new Set(findings.map((f) => f.subject))]),
  );
  return Object.entries(states).some(([id, { red }]) =>
    Object.keys(red).some((subject) => !found.get(id)?.has(subject)),
  );
}

/**
 * Decides before the commit what becomes of episodes. It only reads, and a read that fails changes nothing: what has ended
 * stays in the memory.
 * @param after the states after the cycle
 */
export async function planEpisodes(
  canary: Canary,
  lease: Lease,
  finished: Finished,
  after: InvariantStates,
): Promise<EpisodePlan> {
  const { memory } = lease;
  const { gathered, judged, startedAtMs } = finished;
  const isGone = (subject: string) => isStranger(subject, gathered.readings, canary.settings.expectAgents);
  const { roster } = gathered.readings;
  const isOnRoster = (subject: string) => (roster?.read ? roster.value.has(subject) : null);
  const states = withTallies(memory.states, after, judged, startedAtMs, isOnRoster);
  const endings = [...(memory.endings ?? []), ...endingsOf(memory.states, states, startedAtMs, isGone)];
  const { begun, unproven, due } = openEpisodes(memory, states, finished.checksRun, startedAtMs);
  const ended = endings.map((ending) => ({ ...ending, ending, isDue: false }));
  const readLatest = () => canary.store.latest.read(startedAtMs);
  const [looked, latest] = await Promise.all([
    lookUp(canary, lease, [...ended, ...unproven, ...due]),
    ended.length > 0 || hasUnseen(states, finished)
      ? beforeCommit(canary, lease, readLatest, READ_MS).catch(() => null)
      : null,
  ]);
  const isProven = ({ ending, stored }: Change) => ending !== null && stored?.until != null;
  const proven = new Set(looked.filter(isProven).map(({ ending }) => ending));
  const isThere = ({ ending, stored }: Change) => ending === null && stored !== undefined;
  return {
    states: withRecorded(states, looked.filter(isThere)),
    endings: keptEndings(endings.filter((ending) => !proven.has(ending))),
    latest,
    changes: looked.filter((change) => !isProven(change) && (change.isDue || !isThere(change))),
    begun,
  };
}

/** What was seen of a subject: in this cycle, or in the last full one. */
interface Sight {
  readonly state: StoredEpisode["last_state"];
  readonly violationId: number | null;
}

/** Makes the items of a plan. @param written the memory as it was committed: what it does not name has no item */
export function episodesToWrite(
  plan: EpisodePlan,
  finished: Finished,
  written: Memory,
  idOf: (finding: AnyFinding) => number | undefined,
): StoredEpisode[] {
  const { judged, snapshotTime, startedAtMs } = finished;
  const sights = new Map<string, Sight>();
  const keyOf = (invariantId: string, subject: string) => JSON.stringify([invariantId, subject]);
  for (const red of plan.latest?.red ?? [])
    sights.set(keyOf(red.invariant_id, red.subject), {
      state: red.states[0] ?? null,
      violationId: red.violation_id,
    });
  // The first finding of a subject stands for it.
  for (const verdict of judged)
    for (const finding of verdict.findings.toReversed())
      sights.set(keyOf(verdict.invariant.id, finding.subject), {
        state: toViolation(verdict, finding, snapshotTime).observed_state,
        violationId: idOf(finding) ?? null,
      });
  const isKept = ({ invariantId, subject }: EpisodeName) =>
    redSubjectOf(written.states[invariantId], subject) !== undefined;
  const begun = plan.begun.filter(isKept).map((one): Change => ({ ...one, stored: undefined }));
  return [...plan.changes, ...begun].slice(0, MAX_WRITTEN).map((change) => {
    const { invariantId, subject, episode, stored } = change;
    const sight = sights.get(keyOf(invariantId, subject));
    const known = withKnown({ ...change, sortKey: "" }, stored);
    const isFirst = !stored && episode[0] === 1;
    return {
      ...known,
      ...(isFirst && { first_state: sight?.state ?? null, first_violation_id: sight?.violationId ?? null }),
      ...(sight && { last_state: sight.state, last_violation_id: sight.violationId }),
      ...(episode[2] === startedAtMs && {
        peak: { ...known.peak, words: wordsOf(invariantId, sight?.state ?? null) },
      }),
      recorded_at: formatInstant(startedAtMs),
    };
  });
}
