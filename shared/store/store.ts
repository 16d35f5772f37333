/** The memory between cycles, in one DynamoDB table: the lease, the memory itself, and the evidence. */
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import type { Silence } from "../alerts/silence.ts";
import type { Memory } from "../cycle/memory.ts";
import type { TerminalStatus } from "../facts/facts.ts";
import type { Severity, Tier } from "../invariants/invariant.ts";
import { packEntries, type TerminalMemory, unpackEntries } from "../recall/finished-runs.ts";
import { formatInstant } from "../time.ts";
import type { CycleOutline, CycleRecord, ViolationRecord } from "../wire/schemas.ts";
import { decodeMemory, encodeMemory } from "./memory-codec.ts";
import {
  dayOf,
  dayOfViolation,
  EVIDENCE_SECONDS,
  expiresAt,
  TABLE,
  TERMINAL_SECONDS,
  violationSortKey,
} from "./table.ts";

const MEMORY_KEY = { [TABLE.partitionKey]: "MEMORY", [TABLE.sortKey]: "MEMORY" };
/** Of `2026-11-23T10:30:00.123Z`; an item beyond a cycle's first has a number behind it. */
const ISO_LENGTH = 24;
const SILENCE_PREFIX = "silence_";
const BATCH_ITEMS = 25;
const BATCHES_AT_ONCE = 4;
const BATCH_TRIES = 6;
/** DynamoDB takes 400 kB in an item, counted its own way: this leaves room. */
const MAX_ITEM_BYTES = 300_000;
/** How far lists and texts of an item are cut, in steps, until it fits. */
const CUTS = [
  { listed: 500, characters: 10_000 },
  { listed: 100, characters: 1_000 },
  { listed: 10, characters: 200 },
] as const;

/** The right to run a cycle, until it is committed or ends. */
export interface Lease {
  readonly owner: string;
  /** The memory's version when the lease was taken: a commit names it, so that only one can follow on it. */
  readonly version: number;
  /** Unix ms. */
  readonly untilMs: number;
  readonly memory: Memory;
  /** Those in force, and those that ended: a commit removes these. */
  readonly silences: readonly Silence[];
}

/** Another cycle holds the lease. */
export interface Busy {
  readonly busyUntilMs: number;
}

/** The lease ended, and another cycle has taken its place: nothing of this one may count. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** What a cycle writes down beside its memory. */
export interface Evidence {
  readonly cycle: CycleRecord;
  readonly violations: readonly ViolationRecord[];
  readonly terminal: ReadonlyMap<string, TerminalStatus>;
}

/** A stretch of time (unix ms), both ends in it. */
export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
  /** What has expired by now is not there, whether or not DynamoDB has deleted it. */
  readonly nowMs: number;
}
export interface ViolationFilter extends TimeRange {
  readonly invariantId?: string | undefined;
  readonly severity?: Severity | undefined;
  readonly tier?: Tier | undefined;
}
export interface Page<T> {
  readonly items: readonly T[];
  /** Where the next page starts; null at the end. */
  readonly cursor: string | null;
}

/** Counters of one day, by `invariant_id` and severity. */
export interface DayStats {
  readonly day: string;
  readonly counts: readonly {
    readonly invariantId: string;
    readonly severity: Severity;
    readonly count: number;
  }[];
}

export interface Store {
  /**
   * Takes the lease in one conditional update, which returns the memory.
   * @param owner a name that no other cycle has; with it, `release` undoes a call whose answer was lost
   */
  acquire(owner: string, nowMs: number, leaseMs: number): Promise<Lease | Busy>;
  /** Gives the lease back without a commit. Where it is another's by now, nothing happens. */
  release(owner: string): Promise<void>;
  /** @returns what was seen terminal in the last two hours */
  loadTerminal(nowMs: number, pinned: Memory["pinned"]): Promise<TerminalMemory>;
  /**
   * Counts the violations of a cycle and reserves their ids, in one update.
   * @returns the first id's place in the day
   */
  reserveIds(
    day: string,
    violations: readonly Pick<ViolationRecord, "invariant_id" | "severity">[],
    nowMs: number,
  ): Promise<number>;
  /** Writes what is only evidence: it may be there twice, or for a cycle that was never committed. */
  writeEvidence(evidence: Evidence, nowMs: number): Promise<void>;
  /**
   * The moment at which a cycle has happened: one conditional write of the `MEMORY` item.
   * @param next whether the lease is given back, or kept for another commit
   * @returns the lease to commit with next
   * @throws LeaseLost where another cycle has taken the lease
   */
  commit(
    lease: Lease,
    memory: Memory,
    next: { readonly release: boolean; readonly nowMs: number },
  ): Promise<Lease>;
  readMemory(): Promise<{ readonly memory: Memory; readonly silences: readonly Silence[] }>;
  /** Adds or replaces a silence. A cycle that runs meanwhile does not undo it. */
  putSilence(silence: Silence): Promise<void>;
  /** @returns whether there was one with that id */
  removeSilence(id: string): Promise<boolean>;
  listViolations(
    filter: ViolationFilter,
    limit: number,
    cursor: string | null,
  ): Promise<Page<ViolationRecord>>;
  getViolation(id: number, nowMs: number): Promise<ViolationRecord | null>;
  stats(range: TimeRange): Promise<DayStats[]>;
  /** @returns violations whose ids follow one another, in one request; those that are kept, in the order of their ids */
  listViolationsFrom(firstId: number, most: number, nowMs: number): Promise<ViolationRecord[]>;
  listCycles(range: TimeRange, limit: number, cursor: string | null): Promise<Page<CycleRecord>>;
  /** @returns every cycle of that time, newest first, cut down to what a strip shows; a request or two for each day */
  outlineCycles(range: TimeRange, invariantIds: readonly string[]): Promise<CycleOutline[]>;
  /** @param snapshotTime as the cycle's record has it */
  getCycle(snapshotTime: string, nowMs: number): Promise<CycleRecord | null>;
}

/** A cursor that this table did not give out. */
export class BadCursor extends Error {
  override readonly name = "BadCursor";
}

type Item = Record<string, unknown>;

/** @returns the value with its lists and texts cut; beside a list that was cut, `{name}_total` says how long it was */
function cutTo(value: unknown, limits: (typeof CUTS)[number]): unknown {
  const { listed, characters } = limits;
  if (typeof value === "string") return value.length > characters ? `${value.slice(0, characters)}…` : value;
  if (Array.isArray(value)) return value.slice(0, listed).map((item) => cutTo(item, limits));
  if (value === null || typeof value !== "object") return value;
  const cut: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value)) {
    cut[name] = cutTo(field, limits);
    if (Array.isArray(field) && field.length > listed) cut[`${name}_total`] = field.length;
  }
  return cut;
}

/** @returns the evidence as it was, or cut so far that DynamoDB takes it: evidence must never keep a cycle from happening */
function fitItem<T extends object>(evidence: T): T {
  let fitting = evidence;
  for (const limits of CUTS) {
    if (Buffer.byteLength(JSON.stringify(fitting)) <= MAX_ITEM_BYTES) break;
    fitting = cutTo(evidence, limits) as T;
  }
  return fitting;
}

const countAttribute = (invariantId: string, severity: string) => `count#${invariantId}#${severity}`;

/**
 * @param client a document client (marshalling set to remove undefined values)
 * @param table the name of a table with the keys of `TABLE`
 */
export function dynamoStore(client: DynamoDBDocumentClient, table: string): Store {
  const batchWrite = async (items: readonly Item[]): Promise<void> => {
    let requests = items.map((Item) => ({ PutRequest: { Item } }));
    for (let attempt = 0; requests.length > 0; attempt += 1) {
      if (attempt === BATCH_TRIES)
        throw new Error(`DynamoDB left ${requests.length} item(s) of a batch unwritten`);
      if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 50 * 2 ** attempt));
      const { UnprocessedItems } = await client.send(
        new BatchWriteCommand({ RequestItems: { [table]: requests } }),
      );
      requests = (UnprocessedItems?.[table] ?? []) as typeof requests;
    }
  };

  async function* query(input: Omit<QueryCommandInput, "TableName">): AsyncGenerator<Item> {
    let start: Item | undefined;
    do {
      const page: { Items?: Item[] | undefined; LastEvaluatedKey?: Item | undefined } = await client.send(
        new QueryCommand({ TableName: table, ...input, ...(start && { ExclusiveStartKey: start }) }),
      );
      yield* page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start);
  }

  /** Newest first over the days, from the cursor's item on; one query for each day that is reached. */
  async function listByDay<T>(
    days: Iterable<string>,
    prefix: string,
    limit: number,
    cursor: string | null,
    refine: (
      input: Pick<QueryCommandInput, "ExpressionAttributeValues">,
    ) => Omit<QueryCommandInput, "TableName">,
    read: (item: Item) => T | null,
  ): Promise<Page<T>> {
    const [fromDay, before] = cursor === null ? [null, null] : decodeCursor(cursor);
    const items: T[] = [];
    let last = "";
    for (const day of days) {
      if (fromDay !== null && day > fromDay) continue;
      const inDay = day === fromDay ? before : null;
      const base = refine({
        ExpressionAttributeValues: { ":pk": `${prefix}#${day}`, ...(inDay && { ":before": inDay }) },
      });
      const pages = query({
        ...base,
        KeyConditionExpression: `pk = :pk${inDay ? " AND sk < :before" : ""}`,
        ScanIndexForward: false,
        Limit: Math.max(limit, 100),
      });
      for await (const item of pages) {
        const value = read(item);
        if (value === null) continue;
        if (items.length === limit) return { items, cursor: last };
        items.push(value);
        last = encodeCursor(day, String(item.sk));
      }
    }
    return { items, cursor: null };
  }

  return {
    async acquire(owner, nowMs, leaseMs) {
      try {
        const { Attributes } = await client.send(
          new UpdateCommand({
            TableName: table,
            Key: MEMORY_KEY,
            UpdateExpression:
              "SET lease_owner = :owner, lease_until = :until, version = if_not_exists(version, :zero)",
            ConditionExpression:
              "attribute_not_exists(lease_until) OR lease_until <= :now OR lease_owner = :owner",
            ExpressionAttributeValues: {
              ":owner": owner,
              ":until": nowMs + leaseMs,
              ":now": nowMs,
              ":zero": 0,
            },
            ReturnValues: "ALL_NEW",
            ReturnValuesOnConditionCheckFailure: "ALL_OLD",
          }),
        );
        // An answer without the item must not read as an empty memory: every open red would be forgotten.
        if (Attributes?.lease_owner !== owner) throw new Error("DynamoDB did not return the MEMORY item");
        const version = Number(Attributes.version);
        const memory = decodeMemory(Attributes.memory);
        return { owner, version, untilMs: nowMs + leaseMs, memory, silences: readSilences(Attributes) };
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        // Not every server sends the item along; the lease's length is then the honest upper bound.
        const until = Number(error.Item?.lease_until?.N);
        return { busyUntilMs: Number.isFinite(until) ? until : nowMs + leaseMs };
      }
    },

    async release(owner) {
      try {
        await client.send(
          new UpdateCommand({
            TableName: table,
            Key: MEMORY_KEY,
            UpdateExpression: "REMOVE lease_owner, lease_until",
            ConditionExpression: "lease_owner = :owner",
            ExpressionAttributeValues: { ":owner": owner },
          }),
        );
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    },

    async loadTerminal(nowMs, pinned) {
      const packed: { ids: Uint8Array; atMs: number }[] = [];
      const items = query({
        KeyConditionExpression: "pk = :pk AND sk >= :since",
        ExpressionAttributeValues: {
          ":pk": "TERMINAL",
          ":since": formatInstant(nowMs - TERMINAL_SECONDS * 1000),
        },
        ConsistentRead: true,
      });
      for await (const item of items)
        packed.push({ ids: item.ids as Uint8Array, atMs: Date.parse(String(item.sk).slice(0, ISO_LENGTH)) });
      return unpackEntries(packed, pinned);
    },

    async reserveIds(day, violations, nowMs) {
      const counts = new Map<string, number>();
      for (const { invariant_id, severity } of violations) {
        const name = countAttribute(invariant_id, severity);
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
      const names = [...counts.keys()];
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName: table,
          Key: { pk: "STATS", sk: day },
          UpdateExpression: `SET expires_at = :expires ADD issued :n, ${names.map((_, i) => `#c${i} :c${i}`).join(", ")}`,
          ExpressionAttributeNames: Object.fromEntries(names.map((name, i) => [`#c${i}`, name])),
          ExpressionAttributeValues: {
            ":n": violations.length,
            ":expires": expiresAt(nowMs, EVIDENCE_SECONDS),
            ...Object.fromEntries(names.map((name, i) => [`:c${i}`, counts.get(name)])),
          },
          ReturnValues: "UPDATED_NEW",
        }),
      );
      return Number(Attributes?.issued) - violations.length + 1;
    },

    async writeEvidence({ cycle, violations, terminal }, nowMs) {
      const day = cycle.snapshot_time.slice(0, 10);
      const expires_at = expiresAt(nowMs, EVIDENCE_SECONDS);
      const items: Item[] = [
        { pk: `CYCLE#${day}`, sk: cycle.snapshot_time, expires_at, ...fitItem(cycle) },
        ...packEntries(terminal).map((ids, i) => ({
          pk: "TERMINAL",
          sk: i === 0 ? cycle.snapshot_time : `${cycle.snapshot_time}#${i}`,
          expires_at: expiresAt(nowMs, TERMINAL_SECONDS),
          ids,
        })),
        ...violations.map((violation) => ({
          pk: `VIOLATION#${day}`,
          sk: violationSortKey(violation.id),
          expires_at,
          ...fitItem(violation),
        })),
      ];
      const batches = Array.from({ length: Math.ceil(items.length / BATCH_ITEMS) }, (_, i) =>
        items.slice(i * BATCH_ITEMS, (i + 1) * BATCH_ITEMS),
      );
      for (let i = 0; i < batches.length; i += BATCHES_AT_ONCE)
        await Promise.all(batches.slice(i, i + BATCHES_AT_ONCE).map(batchWrite));
    },

    async commit(lease, memory, { release, nowMs }) {
      const version = lease.version + 1;
      const bytes = encodeMemory(memory);
      const ended = lease.silences.filter((silence) => silence.untilMs <= nowMs);
      const removed = [
        ...(release ? ["lease_owner", "lease_until"] : []),
        ...ended.map((_, i) => `#ended${i}`),
      ];
      try {
        await client.send(
          new UpdateCommand({
            TableName: table,
            Key: MEMORY_KEY,
            UpdateExpression: `SET version = :next, memory = :memory${removed.length > 0 ? ` REMOVE ${removed.join(", ")}` : ""}`,
            ConditionExpression: "lease_owner = :owner AND version = :version",
            ExpressionAttributeValues: {
              ":owner": lease.owner,
              ":version": lease.version,
              ":next": version,
              ":memory": bytes,
            },
            ...(ended.length > 0 && {
              ExpressionAttributeNames: Object.fromEntries(
                ended.map(({ id }, i) => [`#ended${i}`, SILENCE_PREFIX + id]),
              ),
            }),
          }),
        );
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        // A write whose answer was lost is sent again by the SDK, and then fails on its own success.
        const { Item } = await client.send(
          new GetCommand({ TableName: table, Key: MEMORY_KEY, ConsistentRead: true }),
        );
        const mine = Item?.version === version && Buffer.compare(Item.memory, bytes) === 0;
        if (!mine) throw new LeaseLost("another cycle has taken the lease");
      }
      return { ...lease, version, memory, silences: lease.silences.filter((s) => !ended.includes(s)) };
    },

    async readMemory() {
      const { Item } = await client.send(new GetCommand({ TableName: table, Key: MEMORY_KEY }));
      return { memory: decodeMemory(Item?.memory), silences: readSilences(Item ?? {}) };
    },

    async putSilence({ id, ...silence }) {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: MEMORY_KEY,
          UpdateExpression: "SET #silence = :silence",
          ExpressionAttributeNames: { "#silence": SILENCE_PREFIX + id },
          ExpressionAttributeValues: { ":silence": silence },
        }),
      );
    },

    async removeSilence(id) {
      try {
        await client.send(
          new UpdateCommand({
            TableName: table,
            Key: MEMORY_KEY,
            UpdateExpression: "REMOVE #silence",
            ConditionExpression: "attribute_exists(#silence)",
            ExpressionAttributeNames: { "#silence": SILENCE_PREFIX + id },
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },

    async listViolations({ invariantId, severity, tier, ...range }, limit, cursor) {
      const { startMs, endMs, nowMs } = range;
      const conditions = { invariant_id: invariantId, severity, tier };
      const given = Object.entries(conditions).filter(([, value]) => value !== undefined);
      const [start, end] = [formatInstant(startMs), formatInstant(endMs)];
      // Only days that have violations are asked for: the counters know them.
      const days = (await this.stats(range)).map((s) => s.day).reverse();
      return listByDay(
        days,
        "VIOLATION",
        limit,
        cursor,
        ({ ExpressionAttributeValues }) => ({
          FilterExpression: [
            "snapshot_time BETWEEN :start AND :end",
            "expires_at > :now",
            ...given.map(([name]) => `${name} = :${name}`),
          ].join(" AND "),
          ExpressionAttributeValues: {
            ...ExpressionAttributeValues,
            ":start": start,
            ":end": end,
            ":now": Math.floor(nowMs / 1000),
            ...Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])),
          },
        }),
        readViolation,
      );
    },

    async getViolation(id, nowMs) {
      const day = dayOfViolation(id);
      if (!day) return null;
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: { pk: `VIOLATION#${day}`, sk: violationSortKey(id) } }),
      );
      return Item && !isExpired(Item, nowMs) ? readViolation(Item) : null;
    },

    async listViolationsFrom(firstId, most, nowMs) {
      const day = dayOfViolation(firstId);
      if (!day) return [];
      const { Items = [] } = await client.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
          ExpressionAttributeValues: {
            ":pk": `VIOLATION#${day}`,
            ":first": violationSortKey(firstId),
            ":last": violationSortKey(firstId + most - 1),
          },
        }),
      );
      return Items.filter((item) => !isExpired(item, nowMs)).map(readViolation);
    },

    async stats({ startMs, endMs, nowMs }) {
      const days: DayStats[] = [];
      // DynamoDB refuses a BETWEEN whose ends are swapped.
      if (startMs > endMs) return days;
      const items = query({
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
        ExpressionAttributeValues: { ":pk": "STATS", ":start": dayOf(startMs), ":end": dayOf(endMs) },
      });
      for await (const item of items) {
        if (isExpired(item, nowMs)) continue;
        days.push({
          day: String(item.sk),
          counts: Object.entries(item)
            .map(([name, count]) => ({ parts: name.split("#"), count: Number(count) }))
            .filter(({ parts }) => parts[0] === "count")
            .map(({ parts, count }) => ({ invariantId: parts[1]!, severity: parts[2] as Severity, count })),
        });
      }
      return days;
    },

    async listCycles({ startMs, endMs, nowMs }, limit, cursor) {
      const [start, end] = [formatInstant(startMs), formatInstant(endMs)];
      return listByDay(
        daysBetween(startMs, endMs),
        "CYCLE",
        limit,
        cursor,
        (input) => input,
        (item) =>
          String(item.sk) >= start && String(item.sk) <= end && !isExpired(item, nowMs)
            ? readCycle(item)
            : null,
      );
    },

    async outlineCycles({ startMs, endMs, nowMs }, invariantIds) {
      const names = Object.fromEntries(invariantIds.map((id, i) => [`#i${i}`, id]));
      const statuses = Object.keys(names).map((name) => `verdicts.${name}.#status`);
      const outlineDay = async (day: string): Promise<CycleOutline[]> => {
        const outlines: CycleOutline[] = [];
        const items = query({
          KeyConditionExpression: "pk = :pk AND sk BETWEEN :start AND :end",
          ExpressionAttributeValues: {
            ":pk": `CYCLE#${day}`,
            ":start": formatInstant(startMs),
            ":end": formatInstant(endMs),
          },
          ProjectionExpression: ["sk", "#expires", "#trigger", "checks_off", "#found", ...statuses].join(
            ", ",
          ),
          ExpressionAttributeNames: {
            ...names,
            "#status": "status",
            "#trigger": "trigger",
            "#found": "found",
            "#expires": TABLE.timeToLive,
          },
          ScanIndexForward: false,
        });
        for await (const item of items) if (!isExpired(item, nowMs)) outlines.push(readOutline(item));
        return outlines;
      };
      return (await Promise.all([...daysBetween(startMs, endMs)].map(outlineDay))).flat();
    },

    async getCycle(snapshotTime, nowMs) {
      const { Item } = await client.send(
        new GetCommand({
          TableName: table,
          Key: { pk: `CYCLE#${snapshotTime.slice(0, 10)}`, sk: snapshotTime },
        }),
      );
      return Item && !isExpired(Item, nowMs) ? readCycle(Item) : null;
    },
  };
}

/** The days from the last to the first, as they are listed. */
function* daysBetween(startMs: number, endMs: number): Generator<string> {
  if (startMs > endMs) return;
  const first = dayOf(startMs);
  for (let ms = endMs; ; ms -= 86_400_000) {
    const day = dayOf(ms);
    if (day < first) return;
    yield day;
  }
}

/** Each silence is an attribute of its own, so that neither a cycle nor another silence can overwrite it. */
const readSilences = (item: Item): Silence[] =>
  Object.entries(item)
    .filter(([name]) => name.startsWith(SILENCE_PREFIX))
    .map(([name, silence]) => ({
      ...(silence as Omit<Silence, "id">),
      id: name.slice(SILENCE_PREFIX.length),
    }))
    .sort((a, b) => a.createdAtMs - b.createdAtMs);

const isExpired = (item: Item, nowMs: number) => Number(item.expires_at) <= nowMs / 1000;
const withoutKeys = ({ pk: _pk, sk: _sk, expires_at: _expires, ...rest }: Item) => rest;
const readViolation = (item: Item) => withoutKeys(item) as unknown as ViolationRecord;
const readCycle = (item: Item) => withoutKeys(item) as unknown as CycleRecord;
// Where none of the invariants was run there are no verdicts in the answer at all.
const readOutline = (item: Item) =>
  ({ verdicts: {}, ...withoutKeys(item), snapshot_time: item.sk }) as unknown as CycleOutline;

const encodeCursor = (day: string, sortKey: string) =>
  Buffer.from(JSON.stringify([day, sortKey])).toString("base64url");

function decodeCursor(cursor: string): [string, string] {
  try {
    const [day, sortKey] = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (/^\d{4}-\d\d-\d\d$/.test(day) && typeof sortKey === "string") return [day, sortKey];
  } catch {}
  throw new BadCursor("cursor is not one that this API gave out: leave it out to start at the newest");
}
