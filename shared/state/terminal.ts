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

/** What earlier cycles saw terminal; later entries win over earlier ones. */
export type TerminalMemory = Map<string, TerminalStatus>;

/** @param packed what `packEntries` made, oldest first */
export function unpackEntries(packed: readonly Uint8Array[], pinned: Memory["pinned"]): TerminalMemory {
  const memory: TerminalMemory = new Map();
  for (const bytes of packed) {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at + ENTRY_BYTES <= buffer.length; at += ENTRY_BYTES) {
      const status = TERMINAL_STATUSES[buffer[at + HASH_BYTES]!];
      if (status) memory.set(buffer.toString("hex", at, at + HASH_BYTES), status);
    }
  }
  // What is pinned is red, and was remembered before anything else that is still here.
  for (const { hash, status } of pinned) if (!memory.has(hash)) memory.set(hash, status);
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

/** @returns the rows that are new to the memory, or terminal in another way than it has them */
export function newEntries(
  memory: TerminalMemory,
  rows: readonly { readonly id: string; readonly status: TerminalStatus }[],
): Map<string, TerminalStatus> {
  const entries = new Map<string, TerminalStatus>();
  for (const { id, status } of rows) {
    const hash = hashOf(id);
    if (memory.get(hash) !== status) entries.set(hash, status);
  }
  return entries;
}

/** @returns the memory as the fact that E-02 reads */
export const asFact = (memory: TerminalMemory): Remembered => ({
  statusOf: (executionId) => memory.get(hashOf(executionId)),
});
