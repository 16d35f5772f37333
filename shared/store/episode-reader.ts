/** How the item of an episode, the memory and the agents as last seen come together for a reader. Pure. */
import type { Memory } from "../cycle/memory.ts";
import { findInvariant } from "../invariants/index.ts";
import { formatInstant, MINUTE_MS } from "../time.ts";
import type { EpisodeRecord } from "../wire/schemas/episodes.ts";
import {
  type EpisodeName,
  isOnlyCounted,
  type KnownEpisode,
  knownEpisodes,
  type StoredEpisode,
  withKnown,
} from "./episode.ts";
import type { Latest } from "./latest.ts";
import { fieldsOf, type Item, isExpired } from "./requests.ts";

/** Longer than from the begin of a cycle to the time at which each reader sees its memory. */
const AHEAD_MS = 10 * MINUTE_MS;

/** The episode that an item holds. */
export const storedOf = (item: Item) => fieldsOf(item) as StoredEpisode;

/** Reads items in the light of the memory. */
export interface EpisodeReader {
  /** @param openOnly leaves out those that have ended, and those of invariants that are off */
  known(isListed: (name: EpisodeName) => boolean, openOnly?: boolean): KnownEpisode[];
  /** Returns null where there is neither, or where it has expired. */
  read(item: Item | undefined, known: KnownEpisode | undefined, nowMs: number): EpisodeRecord | null;
}

/** @param latest null where nothing was seen, or that can't be read */
export function readerOf(memory: Memory, latest: Latest | null): EpisodeReader {
  const seen = new Map(latest?.red.map((red) => [JSON.stringify([red.invariant_id, red.subject]), red]));
  const off = new Set(memory.lastFullCycle?.checksOff);
  const heldBy = ({ invariantId, subject, isOpen }: EpisodeName & { readonly isOpen: boolean }) => {
    if (!isOpen) return null;
    if (off.has(invariantId)) return "off";
    const state = memory.states[invariantId];
    if (isOnlyCounted(memory.states, { invariantId, subject, sinceMs: 0 })) return "uncounted";
    const isUnseen = seen.get(JSON.stringify([invariantId, subject]))?.is_unseen === true;
    return state?.blindSinceMs != null || isUnseen ? "unseen" : null;
  };
  // It was written by a cycle that the memory, which is read first, does not know yet.
  const isAhead = ({ recorded_at }: StoredEpisode, nowMs: number): boolean =>
    memory.lastFullCycle !== null &&
    recorded_at > formatInstant(memory.lastFullCycle.atMs) &&
    recorded_at > formatInstant(nowMs - AHEAD_MS);
  const withRead = (stored: StoredEpisode, isKnownOpen: boolean, nowMs: number): EpisodeRecord => {
    const { invariant_id: invariantId, subject } = stored;
    const name = { invariantId, subject, sinceMs: Date.parse(stored.since) };
    const isOpen =
      stored.until === null && (isKnownOpen || isOnlyCounted(memory.states, name) || isAhead(stored, nowMs));
    const now = isKnownOpen ? seen.get(JSON.stringify([invariantId, subject])) : undefined;
    const last_state = now?.states[0] ?? stored.last_state;
    const { recorded_at, peak, ...fields } = stored;
    const words = wordsOf(invariantId, last_state);
    const isWorstNow = now !== undefined && !now.is_unseen && peak.at === latest?.seen_at;
    return {
      ...fields,
      ...(!isOpen && stored.until === null && { until: recorded_at, ended: "unknown" as const }),
      last_state,
      last_violation_id: now?.violation_id ?? stored.last_violation_id,
      held: heldBy({ ...name, isOpen }),
      words,
      peak: isWorstNow ? { ...peak, words } : peak,
    };
  };
  return {
    known: (isListed, openOnly = false) =>
      knownEpisodes(openOnly ? { states: memory.states } : memory, (name) =>
        openOnly && off.has(name.invariantId) ? false : isListed(name),
      ),
    read(item, known, nowMs) {
      const stored = item && storedOf(item);
      if (known) return withRead(withKnown(known, stored), known.ending === null, nowMs);
      return stored && !isExpired(item, nowMs) ? withRead(stored, false, nowMs) : null;
    },
  };
}

/** Describes what was observed in the words of its invariant; null where a version with other fields observed it. */
export function wordsOf(invariantId: string, state: Readonly<Record<string, unknown>> | null): string | null {
  if (state === null) return null;
  try {
    return findInvariant(invariantId)?.explain(state) ?? null;
  } catch {
    return null;
  }
}
