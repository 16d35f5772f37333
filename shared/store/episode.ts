/** An episode's keys, and how its item and the memory come together. Pure. */
import { createHash } from "node:crypto";
import { type InvariantStates, redSubjectOf, type Tally } from "../alerts/state.ts";
import type { Ending, Memory } from "../cycle/memory.ts";
import { findInvariant } from "../invariants/index.ts";
import { SEVERITIES, type Severity } from "../invariants/invariant.ts";
import { formatInstant, parseTimestamp } from "../time.ts";
import type { EpisodeRecord } from "../wire/schemas/episodes.ts";

/** What names an episode. */
export interface EpisodeName {
  readonly invariantId: string;
  readonly subject: string;
  /** Unix ms. */
  readonly sinceMs: number;
}

/** An episode as its item has it: what is only known when it is read is left out. */
export type StoredEpisode = Omit<EpisodeRecord, "held" | "words"> & {
  /** When it was last written. */
  readonly recorded_at: string;
};

/** A name can be long, and hold anything: keys and ids hold this in its place. */
const digestOf = (subject: string): string =>
  createHash("sha256").update(subject).digest("hex").slice(0, DIGEST_LENGTH);
const DIGEST_LENGTH = 16;

/** The partition of all episodes, of those of an invariant, and of those of a subject. */
export const ALL_EPISODES = "EPISODE";
export const ofInvariant = (id: string): string => `EPISODE#${id}`;
export const ofSubject = (subject: string): string =>
  `EPISODE@${createHash("sha256").update(subject).digest("hex")}`;

/** The sort key in each partition: the newest is the last. */
export const episodeSortKey = ({ invariantId, subject, sinceMs }: EpisodeName): string =>
  `${formatInstant(sinceMs)}#${invariantId}#${digestOf(subject)}`;

/** The id, such as `S-02-20261123T103000123Z-0f1e2d3c4b5a6978`. */
export const episodeId = ({ invariantId, subject, sinceMs }: EpisodeName): string =>
  `${invariantId}-${formatInstant(sinceMs).replace(/[-:.]/g, "")}-${digestOf(subject)}`;

/** The partition and the sort key that the id names, null where it is none. */
export function keyOfEpisode(id: string): { readonly pk: string; readonly sk: string } | null {
  const match = /^(.{1,20})-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-([0-9a-f]{16})$/.exec(id);
  if (!match) return null;
  const [, invariantId, year, month, day, hour, minute, second, ms, digest] = match;
  const since = `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms}Z`;
  if (parseTimestamp(since) === null) return null;
  return { pk: ofInvariant(invariantId!), sk: `${since}#${invariantId}#${digest}` };
}

export const severityIn = (tally: Tally): Severity => SEVERITIES[tally[3]] ?? SEVERITIES[0];

/** What the memory knows of an episode: it is open, or its end may not be in its item yet. */
export interface KnownEpisode extends EpisodeName {
  /** Absent where an older version wrote the memory. */
  readonly episode: Tally | undefined;
  /** Null while it is open. */
  readonly ending: Ending | null;
  readonly sortKey: string;
}

/** Lists what the memory knows of episodes, newest first. */
export function knownEpisodes(
  { states, endings = [] }: Pick<Memory, "states" | "endings">,
  isListed: (name: EpisodeName) => boolean,
): KnownEpisode[] {
  const known: KnownEpisode[] = [];
  const add = (name: EpisodeName, episode: Tally | undefined, ending: Ending | null) => {
    if (isListed(name)) known.push({ ...name, episode, ending, sortKey: episodeSortKey(name) });
  };
  for (const [invariantId, { red }] of Object.entries(states))
    for (const [subject, { sinceMs, episode }] of Object.entries(red))
      add({ invariantId, subject, sinceMs }, episode, null);
  for (const ending of endings)
    add(
      { invariantId: ending.invariantId, subject: ending.subject, sinceMs: ending.sinceMs },
      ending.episode,
      ending,
    );
  return known.sort((a, b) => (a.sortKey < b.sortKey ? 1 : -1));
}

/** The record of an episode of which only the memory knows. */
const unrecorded = ({ invariantId, subject, sinceMs, episode }: KnownEpisode): StoredEpisode => ({
  id: episodeId({ invariantId, subject, sinceMs }),
  invariant_id: invariantId,
  severity: episode ? severityIn(episode) : (findInvariant(invariantId)?.severity ?? SEVERITIES[0]),
  subject,
  since: formatInstant(sinceMs),
  until: null,
  cycles: 0,
  ended: null,
  on_roster: episode?.[5] ?? null,
  first_violation_id: null,
  last_violation_id: null,
  first_state: null,
  last_state: null,
  peak: { at: formatInstant(sinceMs), value: 0, words: null },
  recorded_at: formatInstant(sinceMs),
});

/** How it ended. What was never on the roster, such as a ghost, recovers by being gone. */
const endedBy = ({ isGone, episode }: Ending): EpisodeRecord["ended"] =>
  isGone && episode[5] === true ? "gone" : "recovered";

/**
 * Brings up to date what is stored of an episode.
 * @param stored undefined where there is no item
 */
export function withKnown(known: KnownEpisode, stored: StoredEpisode = unrecorded(known)): StoredEpisode {
  const { episode, ending } = known;
  const [cycles = 0, peak = 0, peakAtMs = known.sinceMs] = episode ?? [];
  const at = formatInstant(peakAtMs);
  const isOther = peak > stored.peak.value || (peak === stored.peak.value && at > stored.peak.at);
  return {
    ...stored,
    // A tally that had no place in the memory has begun again.
    cycles: Math.max(stored.cycles, cycles),
    severity: episode ? worse(severityIn(episode), stored.severity) : stored.severity,
    peak: isOther ? { at, value: peak, words: null } : stored.peak,
    ...(ending && { until: formatInstant(ending.untilMs), ended: endedBy(ending) }),
  };
}

const worse = (one: Severity, other: Severity): Severity =>
  SEVERITIES.indexOf(one) <= SEVERITIES.indexOf(other) ? one : other;

/** Says whether the memory may hold that subject without its name. */
export const isOnlyCounted = (states: InvariantStates, { invariantId, subject }: EpisodeName): boolean =>
  (states[invariantId]?.redBesides ?? 0) > 0 && redSubjectOf(states[invariantId], subject) === undefined;
