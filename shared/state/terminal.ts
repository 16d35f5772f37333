/** Which executions were seen terminal, in nine bytes for each: eight of a hash of its id, one for its status. */
import { createHash } from "node:crypto";
import type { Memory } from "../cycle/memory.ts";
import { type Remembered, TERMINAL_STATUSES, type TerminalStatus } from "../snapshot/facts.ts";

const ENTRY_BYTES = 9;
const HASH_BYTES = 8;
/** An item holds this many entries and stays below DynamoDB's 400 kB. */
export const ENTRIES_IN_AN_ITEM = 40_000;

/** @returns the hash that an execution is remembered by, in hex */
export const hashOf = (executionId: string): string =>
  createHash("sha256").update(executionId).digest().subarray(0, HASH_BYTES).toString("hex");

/** An entry this old is written again when it is read as terminal again: it is to be remembered for another hour. */
const FRESH_MS = 60 * 60_000;

/** What earlier cycles saw terminal, by hash: the last status, and when it was written down (never, if only pinned). */
export type TerminalMemory = ReadonlyMap<string, { readonly status: TerminalStatus; readonly atMs: number }>;

/** @param packed what `packEntries` made and when, oldest first: later entries win over earlier ones */
export function unpackEntries(
  packed: readonly { readonly ids: Uint8Array; readonly atMs: number }[],
  pinned: Memory["pinned"],
): TerminalMemory {
  const memory = new Map<string, { status: TerminalStatus; atMs: number }>();
  for (const { ids: bytes, atMs } of packed) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + ENTRY_BYTES <= buffer.length; at += ENTRY_BYTES) {
      const status = TERMINAL_STATUSES[buffer[at + HASH_BYTES]!];
      if (status) memory.set(buffer.toString("hex", at, at + HASH_BYTES), { status, atMs });
    }
  }
  // What is pinned is red, and was remembered before anything else that is still here.
  for (const { hash, status } of pinned) if (!memory.has(hash)) memory.set(hash, { status, atMs: 0 });
  return memory;
}

/** @returns the entries in runs that each fit in an item */
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
 * @param pinned what is to be remembered although it was not read as terminal now
 * @returns what is new to the memory, terminal in another way than it has it, or in it for long
 */
export function newEntries(
  memory: TerminalMemory,
  rows: readonly { readonly id: string; readonly status: TerminalStatus }[],
  pinned: Memory["pinned"],
  nowMs: number,
): Map<string, TerminalStatus> {
  const entries = new Map<string, TerminalStatus>();
  const add = (hash: string, status: TerminalStatus) => {
    const known = memory.get(hash);
    if (known?.status !== status || nowMs - known.atMs >= FRESH_MS) entries.set(hash, status);
  };
  for (const { hash, status } of pinned) add(hash, status);
  for (const { id, status } of rows) add(hashOf(id), status);
  return entries;
}

/** @returns the memory as the fact that E-02 reads */
export const asFact = (memory: TerminalMemory): Remembered => ({
  statusOf: (executionId) => memory.get(hashOf(executionId))?.status,
});
