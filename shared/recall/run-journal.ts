/** The journal of finished executions: nine bytes for each, eight of a hash of its id and one for its status. */
import { hash as digest } from "node:crypto";
import { type Ended, type FinishedRuns, TERMINAL_STATUSES, type TerminalStatus } from "../facts/facts.ts";
import { HOUR_MS } from "../time.ts";
import type { JournalEntry } from "./recollection.ts";
import { type RunTable, runTable, wordOf } from "./run-table.ts";

/** An execution that is red in E-02, with its previous status. */
export interface PinnedRun {
  readonly hash: string;
  readonly status: TerminalStatus;
}

const ENTRY_BYTES = 9;
const HASH_BYTES = 8;
/** An item holds this many entries and stays below DynamoDB's 400 kB. */
export const ENTRIES_IN_AN_ITEM = 40_000;

/** Hashes the id of an execution, in hex. */
export const hashOf = (executionId: string): string => digest("sha256", executionId).slice(0, 2 * HASH_BYTES);

/** An entry this old is written again when the execution is read as finished again, and so kept for another hour. */
const FRESH_MS = HOUR_MS;

/**
 * Builds the table of finished executions.
 * @param entries what `packEntries` made and when, oldest first: later entries win over earlier ones
 */
export function unpackEntries(entries: readonly JournalEntry[], pinned: readonly PinnedRun[]): RunTable {
  const count = entries.reduce((sum, { bytes }) => sum + Math.floor(bytes.length / ENTRY_BYTES), 0);
  const { table, add, put } = runTable(count + pinned.length);
  for (const { bytes, atMs } of entries) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const sightings = TERMINAL_STATUSES.map((status) => add({ status, atMs }));
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
      const sighting = sightings[bytes[at + HASH_BYTES]!];
      if (sighting) put(view.getInt32(at), view.getInt32(at + 4), sighting);
    }
  }
  // What is pinned is red, and was seen before anything else that is still here.
  for (const { hash, status } of pinned)
    if (!table.get(hash)) put(wordOf(hash, 0), wordOf(hash, 8), add({ status, atMs: 0 }));
  return table;
}

/** Packs the entries into pieces that each fit in an item. */
export function packEntries(entries: ReadonlyMap<string, TerminalStatus>): Uint8Array[] {
  const all = Buffer.alloc(entries.size * ENTRY_BYTES);
  let at = 0;
  for (const [hash, status] of entries) {
    all.write(hash, at, "hex");
    all[at + HASH_BYTES] = TERMINAL_STATUSES.indexOf(status);
    at += ENTRY_BYTES;
  }
  const size = ENTRIES_IN_AN_ITEM * ENTRY_BYTES;
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) =>
    all.subarray(i * size, (i + 1) * size),
  );
}

/**
 * Picks what has to be written: executions that are new to the table, finished in another way than it says, or in it for
 * so long that they would be forgotten.
 * @param pinned executions that are to be remembered although they were not read as finished now
 */
export function newEntries(
  table: RunTable,
  rows: Ended["rows"],
  pinned: readonly PinnedRun[],
  nowMs: number,
): Map<string, TerminalStatus> {
  const entries = new Map<string, TerminalStatus>();
  const add = (hash: string, status: TerminalStatus) => {
    const known = table.get(hash);
    if (known?.status !== status || nowMs - known.atMs >= FRESH_MS) entries.set(hash, status);
  };
  for (const { hash, status } of pinned) add(hash, status);
  for (const { id, status } of rows) add(hashOf(id), status);
  return entries;
}

/** Makes the fact that E-02 reads. */
export const asFact = (table: RunTable): FinishedRuns => ({
  statusOf: (executionId) => table.get(hashOf(executionId))?.status,
});
