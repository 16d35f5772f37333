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
import type { Latest, SeenRed, Sight } from "../store/latest.ts";
import type { Lease } from "../store/lease.ts";
import { DAY_MS, formatInstant, HOUR_MS } from "../time.ts";
import type { AnyFinding } from "../verdict/evaluate.ts";
import { toViolation } from "../wire/serialize.ts";
import type { Finished } from "./finished.ts";
import { firstSight, seenEnded } from "./latest.ts";
import { beforeCommit } from "./lease.ts";
import type { Ending, Memory } from "./memory.ts";
import { isStranger } from "./sufficient.ts";
import { endingsOf, keptEndings, withTallies } from "./tally.ts";

const READ_MS = 5_000;
/** Episodes whose items a cycle writes, three items each. The others are written by the next ones. */
const MAX_WRITTEN = 3_000;
/** Of these, open ones whose items are there: they have grown, or are refreshed. */
const MAX_DUE = 100;
/** Queries for the items of episodes that began together, and how many at once. */
const MAX_QUERIES = 40;
const QUERIES_AT_ONCE = 8;

/** An episode to look up, and to write where its item does not say what it should. */
interface Wanted extends EpisodeName {
  readonly episode: Tally;
  readonly ending: Ending | null;
  /** Why its item is to be written again where it is there; null where it is not. */
  readonly due: "refresh" | "growth" | null;
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

const turnOf = ({ invariantId, subject }: EpisodeName, nowMs: number): number =>
  createHash("sha256").update(`${nowMs}#${invariantId}#${subject}`).digest().readUInt32BE(0);

/** Whether the item of one that has grown was written for that within the hour. */
const isSettled = ({ due, stored }: Change, nowMs: number): boolean =>
  due === "growth" &&
  stored !== undefined &&
  stored.cycles > 1 &&
  Date.parse(stored.recorded_at) > nowMs - HOUR_MS;

const isRefreshed = (name: EpisodeName, fromMs: number, toMs: number): boolean => {
  const dayAt = (ms: number) => Math.floor((ms - refreshMs(name)) / DAY_MS);
  return dayAt(toMs) > dayAt(fromMs);
};

/** Lists the open episodes: those that began in this cycle, those whose item was never seen, and those that are due. */
function openEpisodes(prior: Memory, states: InvariantStates, run: readonly string[], nowMs: number) {
  const [begun, unproven, due]: [Wanted[], Wanted[], Wanted[]] = [[], [], []];
  const grown: Wanted[] = [];
  const lastMs = prior.lastFullCycle?.atMs ?? nowMs;
  for (const invariantId of run)
    for (const [subject, { sinceMs, episode }] of Object.entries(states[invariantId]?.red ?? {})) {
      if (!episode) continue;
      const before = redSubjectOf(prior.states[invariantId], subject);
      const [, peak, , severity, isRecorded] = episode;
      const hasGrown =
        before?.episode !== undefined && (peak > before.episode[1] || severity < before.episode[3]);
      const wanted = { invariantId, subject, sinceMs, episode, ending: null, due: null };
      if (!before) begun.push(wanted);
      else if (isRecorded && isRefreshed(wanted, lastMs, nowMs)) due.push({ ...wanted, due: "refresh" });
      else if (hasGrown) grown.push(wanted);
      else if (!isRecorded) unproven.push(wanted);
    }
  // Each cycle has another order: where all of them grow, each has its turn.
  const turns = new Map(grown.map((one) => [one, turnOf(one, nowMs)]));
  grown.sort((a, b) => turns.get(a)! - turns.get(b)!);
  due.splice(MAX_DUE);
  const room = MAX_DUE - due.length;
  due.push(...grown.slice(0, room).map((one): Wanted => ({ ...one, due: "growth" })));
  unproven.push(...grown.slice(room).filter(({ episode }) => !episode[4]));
  return { begun, unproven, due };
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
  const states = withTallies(memory.states, after, judged, gathered.snapshot.takenAtMs, isOnRoster);
  const endings = [...(memory.endings ?? []), ...endingsOf(memory.states, states, startedAtMs, isGone)];
  const { begun, unproven, due } = openEpisodes(memory, states, finished.checksRun, startedAtMs);
  const ended = endings.map((ending) => ({ ...ending, ending, due: null }));
  const readLatest = () => canary.store.latest.read(startedAtMs);
  const [looked, latest] = await Promise.all([
    lookUp(canary, lease, [...ended, ...unproven, ...due]),
    ended.length + unproven.length > 0 ||
    due.some(({ episode }) => !episode[4]) ||
    hasUnseen(states, finished)
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
    changes: looked.filter(
      (change) =>
        !isProven(change) && ((change.due !== null && !isSettled(change, startedAtMs)) || !isThere(change)),
    ),
    begun,
  };
}

/** What was seen of an episode: in this cycle, or last. */
interface Seen extends Sight {
  /** The instant of the cycle that found it; null where that is not known. */
  readonly at: string | null;
}

const keyOf = ({ invariantId, subject }: Pick<EpisodeName, "invariantId" | "subject">): string =>
  JSON.stringify([invariantId, subject]);

/** What this cycle found of each subject. The first finding of a subject stands for it. */
function foundNow({ judged, snapshotTime }: Finished, idOf: (finding: AnyFinding) => number | undefined) {
  const found = new Map<string, Seen>();
  for (const verdict of judged)
    for (const finding of verdict.findings.toReversed())
      found.set(keyOf({ invariantId: verdict.invariant.id, subject: finding.subject }), {
        state: toViolation(verdict, finding, snapshotTime).observed_state,
        violation_id: idOf(finding) ?? null,
        at: snapshotTime,
      });
  return found;
}

/** Makes the items of a plan. @param written the memory as it was committed: what it does not name has no item */
export function episodesToWrite(
  plan: EpisodePlan,
  finished: Finished,
  written: Memory,
  idOf: (finding: AnyFinding) => number | undefined,
): StoredEpisode[] {
  const found = foundNow(finished, idOf);
  const { latest } = plan;
  const before = new Map(
    latest?.red.map((red) => [keyOf({ invariantId: red.invariant_id, subject: red.subject }), red]),
  );
  const endings = plan.changes.flatMap(({ ending }) => ending ?? []);
  const ended = new Map(
    seenEnded(latest, endings).map((one) => [
      one.since + keyOf({ invariantId: one.invariant_id, subject: one.subject }),
      one,
    ]),
  );
  const seenBefore = (change: Change): SeenRed | undefined => {
    const since = formatInstant(change.sinceMs);
    if (change.ending) return ended.get(since + keyOf(change));
    return latest && latest.seen_at >= since ? before.get(keyOf(change)) : undefined;
  };
  const isKept = ({ invariantId, subject }: EpisodeName) =>
    redSubjectOf(written.states[invariantId], subject) !== undefined;
  const begun = plan.begun.filter(isKept).map((one): Change => ({ ...one, stored: undefined }));
  return [...plan.changes, ...begun].slice(0, MAX_WRITTEN).map((change) => {
    const earlier = seenBefore(change);
    const seen = (change.ending ? undefined : found.get(keyOf(change))) ?? lastSeen(earlier, latest);
    return itemOf(change, seen, earlier, formatInstant(finished.startedAtMs));
  });
}

function lastSeen(earlier: SeenRed | undefined, latest: Latest | null): Seen | undefined {
  if (!earlier) return undefined;
  const at = "seen_at" in earlier ? String(earlier.seen_at) : (latest?.seen_at ?? null);
  const { states, violation_id, is_unseen } = earlier;
  return { state: states[0] ?? null, violation_id, at: is_unseen ? null : at };
}

function itemOf(
  change: Change,
  seen: Seen | undefined,
  earlier: SeenRed | undefined,
  recorded_at: string,
): StoredEpisode {
  const { stored, episode, ending, invariantId } = change;
  const known = withKnown({ ...change, sortKey: "" }, stored);
  const [cycles] = episode;
  // What ended was not found in this cycle: the second of its cycles is the last one that was seen.
  const first = cycles === 1 ? seen : firstSight(earlier, ending ? 0 : cycles);
  return {
    ...known,
    ...(!stored && first && { first_state: first.state, first_violation_id: first.violation_id }),
    ...(seen && { last_state: seen.state, last_violation_id: seen.violation_id }),
    ...(seen &&
      seen.at === known.peak.at && { peak: { ...known.peak, words: wordsOf(invariantId, seen.state) } }),
    recorded_at,
  };
}
