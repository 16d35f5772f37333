/**
 * The lease and the memory: one item, `MEMORY`.
 *
 *     acquire ──► cycle ──► commit (release) ─────────────────────► free
 *        │                  commit (keep) ──► deliver ──► commit (release)
 *        └── until `untilMs`; then another cycle can take the lease, and the first one's commit fails (LeaseLost)
 */
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { isInForce, type Silence } from "../alerts/silence.ts";
import { EMPTY_MEMORY, type Memory, type MemorySizes } from "../cycle/memory.ts";
import { MINUTE_MS } from "../time.ts";
import { decodeMemory, fitMemory, MemoryUnreadable } from "./memory-codec.ts";
import type { Item, Table } from "./requests.ts";
import { MEMORY_KEY, readMemoryItem, readSilences, silenceAttribute } from "./silences.ts";

/** What a commit does besides writing the memory. */
export interface Next {
  /** Whether the lease is given back, or kept for another commit. */
  readonly release: boolean;
  readonly nowMs: number;
  /** Silences that this cycle has ended. Those whose time is over end with any commit. */
  readonly endedSilences?: readonly Silence[];
}

/** The right to run a cycle, until it is committed or ends. */
export interface Lease {
  readonly owner: string;
  /** The memory's version when the lease was taken: a commit names it, so that only one can follow on it. */
  readonly version: number;
  /** How many cycles have taken the lease since the last commit, this one among them. */
  readonly attempt: number;
  /** Unix ms. */
  readonly untilMs: number;
  readonly memory: Memory;
  /** Those in force, and those that ended: a commit removes these. */
  readonly silences: readonly Silence[];
}

/** A lease after a commit. */
export interface Committed extends Lease {
  /** The form of the memory that was written: what a reader, and the next cycle, gets. */
  readonly written: Memory;
}

/** Another cycle holds the lease. */
export interface Busy {
  readonly busyUntilMs: number;
}

/** The lease ended, and another cycle has taken its place: nothing of this one may count. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

export interface LeaseStore {
  /**
   * Takes the lease in one conditional update, which returns the memory.
   * @throws MemoryUnreadable where the item holds none that this release reads; the lease is taken all the same
   * @param owner a name that no other cycle has; with it, `release` undoes a call whose answer was lost
   */
  acquire(owner: string, nowMs: number, leaseMs: number): Promise<Lease | Busy>;
  /** Gives the lease back without a commit. Where it is another's by now, nothing happens. */
  release(owner: string): Promise<void>;
  /**
   * The moment at which a cycle has happened: one conditional write of the `MEMORY` item.
   * @param sizes the memory, and ever smaller forms of it: the first that fits is written
   * @returns the lease to commit with next
   * @throws LeaseLost where another cycle has taken the lease
   */
  commit(lease: Lease, sizes: MemorySizes, next: Next): Promise<Committed>;
  /** The memory and the silences as they are, without a lease. @throws MemoryUnreadable */
  read(): Promise<{ readonly memory: Memory; readonly silences: readonly Silence[] }>;
}

/**
 * No cycle holds the lease for longer, whatever its deadlines are (in ms). One that stands further ahead was taken by a
 * clock that is ahead, and would keep every other cycle away until then: it is nobody's. Who took it loses its commit.
 */
export const LONGEST_LEASE_MS = 10 * MINUTE_MS;

const IS_FREE_OR_MINE = [
  "attribute_not_exists(lease_until)",
  "NOT attribute_type(lease_until, :number)",
  "lease_until <= :now",
  "lease_until > :longest",
  "lease_owner = :owner",
].join(" OR ");
const IS_MINE = "lease_owner = :owner";
const IS_MINE_AND_CURRENT = "lease_owner = :owner AND version = :version";

export const leaseOf = (table: Table): LeaseStore => ({
  acquire: (owner, nowMs, leaseMs) => acquire(table, owner, nowMs, leaseMs),
  release: (owner) => release(table, owner),
  commit: (lease, sizes, next) => commit(table, lease, sizes, next),
  async read() {
    const { pk, sk } = MEMORY_KEY;
    const item = (await table.get(pk, sk)) ?? {};
    return { memory: memoryIn(item), silences: readSilences(item) };
  },
});

/** The version that the item has. @throws MemoryUnreadable where it is not a number */
function versionIn({ version = 0 }: Item): number {
  if (!Number.isSafeInteger(version)) throw new MemoryUnreadable("has a version that is not a number");
  return version;
}

/** The memory that the item holds. An item that was never committed has none. @throws MemoryUnreadable */
function memoryIn(item: Item): Memory {
  const version = versionIn(item);
  if (item.memory === undefined && version > 0)
    throw new MemoryUnreadable(`holds no memory, although its version is ${version}`);
  return item.memory === undefined ? EMPTY_MEMORY : decodeMemory(item.memory);
}

async function acquire(
  { client, name }: Table,
  owner: string,
  nowMs: number,
  leaseMs: number,
): Promise<Lease | Busy> {
  const untilMs = nowMs + leaseMs;
  try {
    const { Attributes } = await client.send(
      new UpdateCommand({
        TableName: name,
        Key: MEMORY_KEY,
        UpdateExpression:
          "SET lease_owner = :owner, lease_until = :until, version = if_not_exists(version, :zero) ADD attempts :one",
        ConditionExpression: IS_FREE_OR_MINE,
        ExpressionAttributeValues: {
          ":owner": owner,
          ":until": untilMs,
          ":now": nowMs,
          ":longest": nowMs + LONGEST_LEASE_MS,
          ":number": "N",
          ":zero": 0,
          ":one": 1,
        },
        ReturnValues: "ALL_NEW",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
    // An answer without the item must not read as an empty memory: every open red would be forgotten.
    if (Attributes?.lease_owner !== owner) throw new Error("DynamoDB did not return the MEMORY item");
    const [version, memory, attempt] = [versionIn(Attributes), memoryIn(Attributes), Attributes.attempts];
    // What a cycle that has not committed wrote to the journals is in no memory: they are read whole.
    const { journals: _, ...withoutJournals } = memory;
    return {
      owner,
      version,
      attempt,
      untilMs,
      memory: attempt > 1 ? withoutJournals : memory,
      silences: readSilences(Attributes),
    };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    // Not every server sends the item along; the lease's length is then the honest upper bound.
    const until = Number(error.Item?.lease_until?.N);
    return { busyUntilMs: Number.isFinite(until) ? until : untilMs };
  }
}

async function release({ client, name }: Table, owner: string): Promise<void> {
  try {
    await client.send(
      new UpdateCommand({
        TableName: name,
        Key: MEMORY_KEY,
        UpdateExpression: "REMOVE lease_owner, lease_until",
        ConditionExpression: IS_MINE,
        ExpressionAttributeValues: { ":owner": owner },
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
}

async function commit(table: Table, lease: Lease, sizes: MemorySizes, next: Next): Promise<Committed> {
  const version = lease.version + 1;
  const { bytes, memory: written } = fitMemory(sizes);
  const ended = lease.silences.filter(
    (silence) => !isInForce(silence, next.nowMs) || next.endedSilences?.includes(silence),
  );
  const removed = [
    ...(next.release ? ["lease_owner", "lease_until"] : []),
    ...ended.map((_, i) => `#ended${i}`),
  ];
  try {
    await table.client.send(
      new UpdateCommand({
        TableName: table.name,
        Key: MEMORY_KEY,
        UpdateExpression: `SET version = :next, memory = :memory, attempts = :none${removed.length > 0 ? ` REMOVE ${removed.join(", ")}` : ""}`,
        ConditionExpression: IS_MINE_AND_CURRENT,
        ExpressionAttributeValues: {
          ":owner": lease.owner,
          ":version": lease.version,
          ":next": version,
          ":memory": bytes,
          ":none": 0,
        },
        ...(ended.length > 0 && {
          ExpressionAttributeNames: Object.fromEntries(
            ended.map(({ id }, i) => [`#ended${i}`, silenceAttribute(id)]),
          ),
        }),
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    if (!(await isWritten(table, version, bytes))) throw new LeaseLost("another cycle has taken the lease");
  }
  return {
    ...lease,
    version,
    memory: sizes.whole,
    written,
    silences: lease.silences.filter((s) => !ended.includes(s)),
  };
}

/** A write whose answer was lost is sent again by the SDK, and then fails on its own success. */
async function isWritten(table: Table, version: number, bytes: Uint8Array): Promise<boolean> {
  const item = await readMemoryItem(table);
  return item?.version === version && Buffer.compare(item.memory, bytes) === 0;
}
