/**
 * Episodes: one item each under three keys (of all, of its invariant, of its subject), which grows. The `MEMORY` item says
 * what is open and how many cycles found it; the items say what the memory has no room for.
 */
import type { QueryCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Memory } from "../cycle/memory.ts";
import { findInvariant } from "../invariants/index.ts";
import { cut } from "../text.ts";
import { formatInstant } from "../time.ts";
import { bytesOf, fitLists, MAX_ANSWER_BYTES } from "../wire/fit-into.ts";
import type { EpisodeRecord } from "../wire/schemas.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import {
  ALL_EPISODES,
  type EpisodeName,
  episodeSortKey,
  isOnlyCounted,
  type KnownEpisode,
  keyOfEpisode,
  knownEpisodes,
  ofInvariant,
  ofSubject,
  type StoredEpisode,
  withKnown,
} from "./episode.ts";
import type { ListPage, TimeRange } from "./history.ts";
import type { Latest, LatestStore } from "./latest.ts";
import type { LeaseStore } from "./lease.ts";
import { type Item, isExpired, type Table } from "./requests.ts";
import { EVIDENCE_SECONDS, expiresAt } from "./table.ts";

/** Which episodes: those that began in that time. */
export interface EpisodeFilter extends TimeRange {
  readonly invariantId?: string | undefined;
  readonly subject?: string | undefined;
  readonly openOnly?: boolean | undefined;
}

/** What a caller has read already. */
export interface AlreadyRead {
  readonly memory?: Memory;
  readonly latest?: Latest | null;
}

export interface EpisodeStore {
  /** Lists episodes, newest first. Two requests beside the query's. */
  list(
    filter: EpisodeFilter,
    limit: number,
    cursor: string | null,
    read?: AlreadyRead,
  ): Promise<ListPage<EpisodeRecord>>;
  get(id: string, nowMs: number, read?: AlreadyRead): Promise<EpisodeRecord | null>;
  /**
   * Reads the items of the invariant's episodes that began at that instant, with every write that was answered before.
   * @param signal ends the reading
   */
  itemsSince(invariantId: string, sinceMs: number, signal: AbortSignal): Promise<Map<string, StoredEpisode>>;
  /** Writes episodes whole. @throws where some could not be written */
  write(episodes: readonly StoredEpisode[], nowMs: number, signal: AbortSignal): Promise<void>;
}

const MAX_PAGE_BYTES = 0.8 * MAX_ANSWER_BYTES;
/** The items of one query; DynamoDB cuts it at 1 MB. */
const QUERY_ITEMS = 100;
/** A state that is kept of an episode: an item is written three times, and each kilobyte costs. */
const MAX_STATE_BYTES = 4_000;
const MAX_WORDS = 500;

export const episodesOf = (
  table: Table,
  lease: Pick<LeaseStore, "read">,
  latest: Pick<LatestStore, "read">,
): EpisodeStore => {
  const read = async (nowMs: number, already: AlreadyRead = {}) => {
    const [memory, seen] = await Promise.all([
      already.memory ?? lease.read().then((state) => state.memory),
      already.latest === undefined ? latest.read(nowMs) : already.latest,
    ]);
    return readerOf(memory, seen);
  };
  return {
    async list(filter, limit, cursor, already) {
      return list(table, await read(filter.nowMs, already), filter, limit, cursor);
    },
    async get(id, nowMs, already) {
      const key = keyOfEpisode(id);
      if (!key) return null;
      const [reader, item] = await Promise.all([read(nowMs, already), table.get(key.pk, key.sk)]);
      const known = reader
        .known(({ invariantId, sinceMs }) => key.sk.startsWith(`${formatInstant(sinceMs)}#${invariantId}#`))
        .find(({ sortKey }) => sortKey === key.sk);
      return reader.read(item, known, nowMs);
    },
    async itemsSince(invariantId, sinceMs, signal) {
      const items = table.query(
        {
          KeyConditionExpression: "pk = :pk AND begins_with(sk, :since)",
          ExpressionAttributeValues: { ":pk": ofInvariant(invariantId), ":since": formatInstant(sinceMs) },
          ConsistentRead: true,
        },
        signal,
      );
      const stored = new Map<string, StoredEpisode>();
      for await (const item of items) stored.set(String(item.subject), storedOf(item));
      return stored;
    },
    write: (episodes, nowMs, signal) =>
      table.write(
        episodes.flatMap((e) => itemsOf(e, nowMs)),
        signal,
      ),
  };
};

const storedOf = ({ pk: _pk, sk: _sk, expires_at: _expires, ...fields }: Item) =>
  fields as unknown as StoredEpisode;

/** An open episode is kept for as long as it is written again from time to time. */
function itemsOf(episode: StoredEpisode, nowMs: number): Item[] {
  const { invariant_id: invariantId, subject, since, until, first_state, last_state, peak } = episode;
  const sk = episodeSortKey({ invariantId, subject, sinceMs: Date.parse(since) });
  const expires_at = expiresAt(until === null ? nowMs : Date.parse(until), EVIDENCE_SECONDS);
  const stateOf = (state: StoredEpisode["first_state"]) => state && fitLists(state, MAX_STATE_BYTES);
  const { words } = peak;
  const fields = {
    ...episode,
    first_state: stateOf(first_state),
    last_state: stateOf(last_state),
    peak: { ...peak, words: words && cut(words, MAX_WORDS) },
  };
  return [ALL_EPISODES, ofInvariant(invariantId), ofSubject(subject)].map((pk) => ({
    pk,
    sk,
    expires_at,
    ...fields,
  }));
}

/** Reads items in the light of the memory. */
interface Reader {
  /** @param openOnly leaves out those that have ended, and those of invariants that are off */
  known(isListed: (name: EpisodeName) => boolean, openOnly?: boolean): KnownEpisode[];
  /** Returns null where there is neither, or where it has expired. */
  read(item: Item | undefined, known: KnownEpisode | undefined, nowMs: number): EpisodeRecord | null;
}

function readerOf(memory: Memory, latest: Latest | null): Reader {
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
  const withRead = (stored: StoredEpisode, isKnownOpen: boolean): EpisodeRecord => {
    const { invariant_id: invariantId, subject } = stored;
    const name = { invariantId, subject, sinceMs: Date.parse(stored.since) };
    const isOpen = stored.until === null && (isKnownOpen || isOnlyCounted(memory.states, name));
    const now = isKnownOpen ? seen.get(JSON.stringify([invariantId, subject])) : undefined;
    const last_state = now?.states[0] ?? stored.last_state;
    const { recorded_at, ...fields } = stored;
    return {
      ...fields,
      ...(!isOpen && stored.until === null && { until: recorded_at, ended: "unknown" as const }),
      last_state,
      last_violation_id: now?.violation_id ?? stored.last_violation_id,
      held: heldBy({ ...name, isOpen }),
      words: wordsOf(invariantId, last_state),
    };
  };
  return {
    known: (isListed, openOnly = false) =>
      knownEpisodes(openOnly ? { states: memory.states } : memory, (name) =>
        openOnly && off.has(name.invariantId) ? false : isListed(name),
      ),
    read(item, known, nowMs) {
      const stored = item && storedOf(item);
      if (known) return withRead(withKnown(known, stored), known.ending === null);
      return stored && !isExpired(item, nowMs) ? withRead(stored, false) : null;
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

const partitionOf = ({ invariantId, subject }: EpisodeFilter): string => {
  if (subject !== undefined) return ofSubject(subject);
  return invariantId === undefined ? ALL_EPISODES : ofInvariant(invariantId);
};

/** What a list of episodes may hold, by the names of its filter. */
const isWanted =
  ({ invariantId, subject, startMs, endMs }: EpisodeFilter) =>
  (name: EpisodeName): boolean =>
    (invariantId === undefined || name.invariantId === invariantId) &&
    (subject === undefined || name.subject === subject) &&
    name.sinceMs >= startMs &&
    name.sinceMs <= endMs;

async function list(
  table: Table,
  reader: Reader,
  filter: EpisodeFilter,
  limit: number,
  cursor: string | null,
): Promise<ListPage<EpisodeRecord>> {
  const before = cursor === null ? null : decodeCursor(cursor)[1];
  const known = reader
    .known(isWanted(filter), filter.openOnly)
    .filter(({ sortKey }) => before === null || sortKey < before);
  const episodes: EpisodeRecord[] = [];
  let bytes = 0;
  let last = "";
  for await (const [sortKey, item, memory] of merged(table, filter, known, before)) {
    const episode = reader.read(item, memory, filter.nowMs);
    if (episode === null || (filter.openOnly && episode.until !== null)) continue;
    bytes += bytesOf(episode);
    if (episodes.length > 0 && (episodes.length === limit || bytes > MAX_PAGE_BYTES))
      return { items: episodes, cursor: encodeCursor(last.slice(0, 10), last) };
    episodes.push(episode);
    last = sortKey;
  }
  return { items: episodes, cursor: null };
}

type Merged = readonly [sortKey: string, item: Item | undefined, known: KnownEpisode | undefined];

/** The items and what the memory knows, newest first, each episode once. */
async function* merged(
  table: Table,
  filter: EpisodeFilter,
  known: readonly KnownEpisode[],
  before: string | null,
): AsyncGenerator<Merged> {
  let next = 0;
  for await (const item of queried(table, filter, known, before)) {
    const sortKey = String(item.sk);
    // The end of a query's range is in it: the item of the cursor was in the page before.
    if (before !== null && sortKey >= before) continue;
    for (; known[next] && known[next]!.sortKey > sortKey; next += 1)
      yield [known[next]!.sortKey, undefined, known[next]];
    const same = known[next]?.sortKey === sortKey ? known[next] : undefined;
    if (same) next += 1;
    // The memory names what is open: an item that it does not name is not, or is only counted.
    if (same || !filter.openOnly) yield [sortKey, item, same];
    if (filter.openOnly && next === known.length) return;
  }
  for (; next < known.length; next += 1) yield [known[next]!.sortKey, undefined, known[next]];
}

/** The items of the filter, newest first. Of open ones only the stretch in which the memory knows some. */
function queried(
  table: Table,
  filter: EpisodeFilter,
  known: readonly KnownEpisode[],
  before: string | null,
): AsyncGenerator<Item> | readonly Item[] {
  const { invariantId, subject, openOnly, startMs, endMs } = filter;
  if (startMs > endMs || (openOnly && known.length === 0)) return [];
  const start = openOnly ? known.at(-1)!.sortKey : formatInstant(Math.max(0, startMs));
  const end = openOnly ? known[0]!.sortKey : (before ?? `${formatInstant(endMs)}$`);
  if (start > end) return [];
  const conditions = [
    ...(subject !== undefined && invariantId !== undefined ? ["invariant_id = :id"] : []),
    ...(openOnly ? ["#until = :null"] : []),
  ];
  const input: Omit<QueryCommandInput, "TableName"> = {
    KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
    ExpressionAttributeValues: {
      ":pk": partitionOf(filter),
      ":start": start,
      ":end": end,
      ...(subject !== undefined && invariantId !== undefined && { ":id": invariantId }),
      ...(openOnly && { ":null": null }),
    },
    ...(openOnly && { ExpressionAttributeNames: { "#until": "until" } }),
    ...(conditions.length > 0 && { FilterExpression: conditions.join(" AND ") }),
    ScanIndexForward: false,
    ...(!openOnly && { Limit: QUERY_ITEMS }),
  };
  return table.query(input);
}
