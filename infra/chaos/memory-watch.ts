/** Reads the memory back after every write to it, for the ledger: who took the lease, and what was committed. */
import type { InvariantState } from "../../shared/alerts/state.ts";
import type { Memory } from "../../shared/cycle/memory.ts";
import { documentClient } from "../../shared/store/client.ts";
import { openTable } from "../../shared/store/requests.ts";
import { readMemoryItem } from "../../shared/store/silences.ts";
import { dynamoStore, type Store } from "../../shared/store/store.ts";
import type { CycleRecord } from "../../shared/wire/schemas/cycles.ts";
import type { LocalDynamo } from "../local/dynamodb.ts";
import type { Commit, LeaseTaken, Ledger, StateSeen } from "./ledger.ts";

export interface MemoryWatch {
  readonly store: Store;
  /** Carries out one write after the other, and reads back what each left. */
  inTurn<T>(write: () => Promise<T>, runner: string, clock: () => number, arrivedMs: number): Promise<T>;
  /** Reads the record of a cycle, where the text of a request wrote one. */
  readRecord(text: string, nowMs: number): Promise<void>;
  /** The memory, null where it can't be read: the ledger then says so. */
  readMemory(): Promise<Memory | null>;
  /** The end of the lease that stands, unix ms of the clock of who took it; null where none stands. */
  lease(): number | null;
  /** Waits for the writes that are under way. */
  settled(): Promise<unknown>;
  close(): void;
}

interface MemoryItem {
  readonly version?: number;
  readonly lease_owner?: string;
  readonly lease_until?: number;
}

/** A write that was carried out: who sent it, at which time of its clock (unix ms), and when it arrived. */
interface Write {
  readonly runner: string;
  readonly clockMs: number;
  readonly arrivedMs: number;
}

/** The lease that a write took, null where it took none. */
function leaseTaken(before: MemoryItem, after: MemoryItem, write: Write): LeaseTaken | null {
  if (after.lease_owner === undefined || after.lease_owner === before.lease_owner) return null;
  return {
    runner: write.runner,
    owner: after.lease_owner,
    atMs: write.arrivedMs,
    untilMs: Number(after.lease_until),
    clockMs: write.clockMs,
    replacedUntilMs: before.lease_until ?? null,
  };
}

const stateSeen = ({ status, red, blindSinceMs }: InvariantState): StateSeen => ({
  status,
  red: Object.keys(red),
  isBlind: blindSinceMs !== null,
});

const commitSeen = (
  before: MemoryItem,
  after: MemoryItem,
  { runner, arrivedMs }: Write,
  { states, outbox, lastFullCycle }: Memory,
): Commit => ({
  version: Number(after.version),
  runner,
  owner: before.lease_owner ?? null,
  arrivedMs,
  states: Object.fromEntries(Object.entries(states).map(([id, state]) => [id, stateSeen(state)])),
  unread: lastFullCycle?.sourcesUnavailable ?? [],
  outbox: outbox.map(({ alert }) => alert.key),
});

const changesIn = ({ transitions, spreads, recoveries }: CycleRecord): string[] => [
  ...transitions.map(({ invariant_id }) => `${invariant_id}/broke`),
  ...spreads.map(({ invariant_id }) => `${invariant_id}/spread`),
  ...recoveries.map(({ invariant_id }) => `${invariant_id}/recovered`),
];

/** Watches the memory in that table, with requests of its own that pass no door. */
export function memoryWatch(dynamo: LocalDynamo, ledger: Ledger): MemoryWatch {
  const client = documentClient(dynamo);
  const table = openTable(client, dynamo.table);
  const store = dynamoStore(client, dynamo.table);
  let last: MemoryItem = {};
  let work: Promise<unknown> = Promise.resolve();

  async function readBack(write: Write): Promise<void> {
    const before = last;
    last = (await readMemoryItem(table)) ?? {};
    const lease = leaseTaken(before, last, write);
    if (lease) ledger.leases.push(lease);
    if ((last.version ?? 0) === (before.version ?? 0)) return;
    const memory = await readMemory();
    if (memory) ledger.commits.push(commitSeen(before, last, write, memory));
  }

  async function readMemory(): Promise<Memory | null> {
    try {
      return (await store.lease.read()).memory;
    } catch (error) {
      ledger.unreadable.push(String(error instanceof Error ? error.message : error));
      return null;
    }
  }

  return {
    store,
    readMemory,
    // Where clocks differ, two cycles may have the same snapshot time, and the later record takes the place of the other:
    // what both say counts.
    async readRecord(text, nowMs) {
      const [, snapshot] = /"CYCLE#[^"]*"\},"sk":\{"S":"([^"]*)"/.exec(text) ?? [];
      if (snapshot === undefined) return;
      const record = await store.history.getCycle(snapshot, nowMs);
      if (record)
        ledger.records.set(snapshot, [...(ledger.records.get(snapshot) ?? []), ...changesIn(record)]);
    },
    inTurn(write, runner, clock, arrivedMs) {
      const done = work.then(async () => {
        const answer = await write();
        await readBack({ runner, clockMs: clock(), arrivedMs });
        return answer;
      });
      work = done.catch(() => {});
      return done;
    },
    lease: () => last.lease_until ?? null,
    settled: () => work,
    close: () => client.destroy(),
  };
}
