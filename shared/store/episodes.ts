/**
 * Episodes: one item each under three keys (of all, of its invariant, of its subject), which grows. The `MEMORY` item says
 * what is open and how many cycles found it; the items say what the memory has no room for.
 */
import type { QueryCommandInput } from "@aws-sdk/lib-dynamodb";
import type { Memory } from "../cycle/memory.ts";
import { cut } from "../text.ts";
import { formatInstant } from "../time.ts";
import { bytesOf, fitLists, MAX_ANSWER_BYTES } from "../wire/fit-into.ts";
import type { EpisodeRecord } from "../wire/schemas/episodes.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import {
  ALL_EPISODES,
  type EpisodeName,
  episodeSortKey,
  type KnownEpisode,
  keyOfEpisode,
  ofInvariant,
  ofSubject,
  type StoredEpisode,
} from "./episode.ts";
import { type EpisodeReader, readerOf, storedOf } from "./episode-reader.ts";
import type { ListPage, TimeRange } from "./history.ts";
import type { Latest, LatestStore } from "./latest.ts";
import type { LeaseStore } from "./lease.ts";
import type { Item, Table } from "./requests.ts";
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
   * Reads the items of episodes that have their invariant and their begin in common, with every write that was answered
   * before.
   * @param signal ends the reading
   * @returns those that are there, by subject
   */
  lookUp(names: readonly EpisodeName[], signal: AbortSignal): Promise<Map<string, StoredEpisode>>;
  /** Writes episodes whole. @throws where some could not be written */
  write(episodes: readonly StoredEpisode[], nowMs: number, signal: AbortSignal): Promise<void>;
}

const MAX_PAGE_BYTES = 0.8 * MAX_ANSWER_BYTES;
/** The items of one query; DynamoDB cuts it at 1 MB. */
const QUERY_ITEMS = 100;
/** A thousand episodes can begin in one cycle: of more than this, all that began with them are read in one query. */
const MOST_GETS = 8;
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
    async lookUp(names, signal) {
      const found =
        names.length <= MOST_GETS ? await getEach(table, names) : await queryAll(table, names[0]!, signal);
      return new Map(found.map((item) => [String(item.subject), storedOf(item)]));
    },
    write: (episodes, nowMs, signal) =>
      table.write(
        episodes.flatMap((e) => itemsOf(e, nowMs)),
        signal,
      ),
  };
};

const getEach = async (table: Table, names: readonly EpisodeName[]): Promise<Item[]> => {
  const get = (name: EpisodeName) =>
    table.get(ofInvariant(name.invariantId), episodeSortKey(name), { isConsistent: true });
  return (await Promise.all(names.map(get))).filter((item) => item !== undefined);
};

/** All episodes that began with this one. */
async function queryAll(
  { query }: Table,
  { invariantId, sinceMs }: EpisodeName,
  signal: AbortSignal,
): Promise<Item[]> {
  const input = {
    KeyConditionExpression: "pk = :pk AND begins_with(sk, :since)",
    ExpressionAttributeValues: { ":pk": ofInvariant(invariantId), ":since": formatInstant(sinceMs) },
    ConsistentRead: true,
  };
  const items: Item[] = [];
  for await (const item of query(input, signal)) items.push(item);
  return items;
}

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
  reader: EpisodeReader,
  filter: EpisodeFilter,
  limit: number,
  cursor: string | null,
): Promise<ListPage<EpisodeRecord>> {
  const before = cursor === null ? null : decodeCursor(cursor)[1];
  const all = reader
    .known(isWanted(filter), filter.openOnly)
    .filter(({ sortKey }) => before === null || sortKey < before);
  // Each open one is an item of the page: of the others, and of what lies between them, nothing has to be read.
  const known = filter.openOnly ? all.slice(0, limit + 1) : all;
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
