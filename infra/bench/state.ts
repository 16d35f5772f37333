/** What earlier cycles left: a memory that is all green, and the runs that they saw finished in the last two hours. */
import { BatchWriteCommand, PutCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY, type Memory } from "../../shared/cycle/memory.ts";
import type { TerminalStatus } from "../../shared/facts/facts.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { hashOf, packEntries } from "../../shared/recall/run-journal.ts";
import { documentClient } from "../../shared/store/client.ts";
import { encodeMemory } from "../../shared/store/memory-codec.ts";
import { formatInstant } from "../../shared/time.ts";
import type { LocalDynamo } from "../local/dynamodb.ts";
import { ENDED_ROWS, endedAtMs, endedId, type FleetShape, NEWLY_ENDED } from "./fleet.ts";

const CYCLE_MS = 5 * 60_000;
const REMEMBERED_CYCLES = 24;
/** The source's bounds: it remembers at most so many live rows that are older than the newest rows. */
const NEWEST_ROWS = 10_000;
const MAX_OLD_LIVE = 2_000;

function memoryAt({ agents, oldRows }: FleetShape, nowMs: number, terminal: readonly string[]): Memory {
  const liveRows = agents * 3;
  const beforeLive = oldRows + ENDED_ROWS;
  const oldLive = Array.from(
    { length: Math.max(0, Math.min(MAX_OLD_LIVE, liveRows - NEWEST_ROWS)) },
    (_, i) => beforeLive + 1 + i,
  );
  const since = nowMs - 3 * 86_400_000;
  return {
    ...EMPTY_MEMORY,
    recall: { endedCursor: { readAtMs: nowMs - CYCLE_MS, rowid: beforeLive - NEWLY_ENDED, oldLive } },
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

/** @param nowMs the time of the next cycle, unix ms */
export function benchState(
  { endpoint, table }: Pick<LocalDynamo, "endpoint" | "table">,
  shape: FleetShape,
  nowMs: number,
) {
  const documents = documentClient({ endpoint });
  const items = terminalItems(nowMs);
  const memory = {
    pk: "MEMORY",
    sk: "MEMORY",
    version: 288,
    memory: encodeMemory([
      memoryAt(
        shape,
        nowMs,
        items.map(({ sk }) => sk),
      ),
    ]),
  };
  return {
    /** Puts the table back to what it was before the cycle. */
    async reset(): Promise<void> {
      const { Items = [] } = await documents.send(
        new ScanCommand({ TableName: table, ProjectionExpression: "pk, sk", ConsistentRead: true }),
      );
      const known = new Set(items.map(({ sk }) => sk));
      const changed = Items.filter(({ pk, sk }) => pk !== "MEMORY" && !known.has(sk));
      const missing = items.filter(({ sk }) => !Items.some((item) => item.sk === sk));
      const requests = [
        ...changed.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } })),
        ...missing.map((Item) => ({ PutRequest: { Item } })),
      ];
      for (let i = 0; i < requests.length; i += 25)
        await documents.send(new BatchWriteCommand({ RequestItems: { [table]: requests.slice(i, i + 25) } }));
      await documents.send(new PutCommand({ TableName: table, Item: memory }));
    },
    close: () => documents.destroy(),
  };
}
