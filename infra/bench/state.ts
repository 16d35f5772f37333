/** What earlier cycles left: a memory that is all green, and the runs that they saw finished in the last two hours. */
import { BatchWriteCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY, type Memory } from "../../shared/cycle/memory.ts";
import type { TerminalStatus } from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { hashOf, packEntries } from "../../shared/recall/run-journal.ts";
import { documentClient } from "../../shared/store/client.ts";
import { encodeMemory } from "../../shared/store/memory-codec.ts";
import { formatInstant } from "../../shared/time.ts";
import type { LocalDynamo } from "../local/dynamodb.ts";
import { ENDED_ROWS, endedAtMs, endedId, NEWLY_ENDED } from "./fleet.ts";

const CYCLE_MS = 5 * 60_000;
const REMEMBERED_CYCLES = 24;

export type Item = Readonly<Record<string, unknown>>;

function memoryAt(nowMs: number, terminal: readonly string[]): Memory {
  const since = nowMs - 3 * 86_400_000;
  return {
    ...EMPTY_MEMORY,
    recall: { endedCursor: { readAtMs: nowMs - CYCLE_MS } },
    journals: { TERMINAL: terminal },
    states: Object.fromEntries(
      INVARIANTS.map(({ id }) => [id, { ...NEVER_JUDGED, status: "green" as const, sinceMs: since }]),
    ),
    lastFullCycle: {
      atMs: nowMs - CYCLE_MS,
      durationMs: 100,
      checksOff: [],
      sourcesUnavailable: [],
      latencyMsBySource: { sqlite: 60, redis: 60 },
    },
  };
}

/** The runs that each cycle of the last two hours saw finished: real rows as far back as there are, then invented ids. */
function terminalItems(nowMs: number) {
  const known = new Map<number, string[]>();
  for (let n = 0; n < ENDED_ROWS; n += 1) {
    const cycle = Math.floor((nowMs - endedAtMs(n, nowMs)) / CYCLE_MS);
    known.set(cycle, [...(known.get(cycle) ?? []), endedId(n)]);
  }
  return Array.from({ length: REMEMBERED_CYCLES - 1 }, (_, i) => {
    const cycle = REMEMBERED_CYCLES - 1 - i;
    const ids = known.get(cycle) ?? Array.from({ length: NEWLY_ENDED }, (_, n) => `gone-${cycle}-${n}`);
    const entries = new Map<string, TerminalStatus>(ids.map((id) => [hashOf(id), "success"]));
    const [packed] = packEntries(entries);
    return {
      pk: "TERMINAL",
      sk: formatInstant(nowMs - cycle * CYCLE_MS),
      expires_at: Math.floor(nowMs / 1000) + 7200,
      ids: packed,
    };
  });
}

const sizeOf = (value: unknown): number =>
  value instanceof Uint8Array ? value.length : Buffer.byteLength(JSON.stringify(value));
const keyOf = ({ pk, sk }: Item) => `${pk} ${sk}`;

/**
 * Computes how much a table holds once as many cycles have passed as their items live, from what one cycle adds.
 * @param before the items before that cycle, and `after` those after it
 */
export function keptBytes(before: readonly Item[], after: readonly Item[], nowMs: number): number {
  const known = new Set(before.map(keyOf));
  return after.reduce((sum, item) => {
    const bytes = Object.entries(item).reduce((all, [name, value]) => all + name.length + sizeOf(value), 0);
    if (item.expires_at === undefined) return sum + bytes;
    // What earlier cycles left is as much as this one leaves, once for each.
    if (known.has(keyOf(item))) return sum;
    return sum + bytes * Math.ceil((Number(item.expires_at) * 1000 - nowMs) / CYCLE_MS);
  }, 0);
}

/** @param nowMs the time of the next cycle, unix ms */
export function benchState({ endpoint, table }: Pick<LocalDynamo, "endpoint" | "table">, nowMs: number) {
  const documents = documentClient({ endpoint });
  const items = terminalItems(nowMs);
  const memory = {
    pk: "MEMORY",
    sk: "MEMORY",
    version: 288,
    memory: encodeMemory([
      memoryAt(
        nowMs,
        items.map(({ sk }) => sk),
      ),
    ]),
  };

  /** Gives all items of the table. */
  async function save(): Promise<Item[]> {
    const saved: Item[] = [];
    let from: Item | undefined;
    do {
      const { Items = [], LastEvaluatedKey } = await documents.send(
        new ScanCommand({ TableName: table, ConsistentRead: true, ExclusiveStartKey: from }),
      );
      saved.push(...Items);
      from = LastEvaluatedKey;
    } while (from !== undefined);
    return saved;
  }

  /** Makes these the items of the table. An entry of a journal never changes, so one that is there is left alone. */
  async function restore(wanted: readonly Item[]): Promise<void> {
    const there = await save();
    const [known, kept] = [new Set(there.map(keyOf)), new Set(wanted.map(keyOf))];
    const requests = [
      ...there
        .filter((item) => !kept.has(keyOf(item)))
        .map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } })),
      ...wanted
        .filter((item) => item.pk !== "TERMINAL" || !known.has(keyOf(item)))
        .map((Item) => ({ PutRequest: { Item } })),
    ];
    for (let i = 0; i < requests.length; i += 25)
      await documents.send(new BatchWriteCommand({ RequestItems: { [table]: requests.slice(i, i + 25) } }));
  }

  return {
    save,
    restore,
    /** Puts the table back to what it was before the first cycle. */
    reset: () => restore([...items, memory]),
    close: () => documents.destroy(),
  };
}
export type BenchState = ReturnType<typeof benchState>;
