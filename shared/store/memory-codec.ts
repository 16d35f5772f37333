/** The memory as it is stored: JSON, compressed to fit in one DynamoDB item. */
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { EMPTY_MEMORY, type Memory } from "../cycle/memory.ts";
import { MAX_ITEM_BYTES } from "./table.ts";

/** JSON longer than this is not even tried: compressing it takes seconds, and it would not fit. */
const MAX_JSON = 4_000_000;

/** The parts of the recollections are stored among the other fields: their names do not overlap. */
const toJson = ({ recall, lastFullCycle, ...memory }: Memory): string =>
  JSON.stringify({ ...memory, ...recall, lastFullCycle });

function fromJson(json: string): Memory {
  const { states, blindSources, outbox, lastFullCycle, ...recall } = JSON.parse(json);
  return { ...EMPTY_MEMORY, ...defined({ states, blindSources, outbox, lastFullCycle }), recall };
}

/** A memory of an older version may lack a field. */
const defined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** Compresses the memory. Returns null where it does not fit. */
function tryCompress(memory: Memory): Uint8Array | null {
  const json = toJson(memory);
  if (json.length > MAX_JSON) return null;
  const bytes = brotliCompressSync(json, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  return bytes.length <= MAX_ITEM_BYTES ? bytes : null;
}

/**
 * Encodes the first form of the memory that fits.
 * @param sizes the memory, and ever smaller forms of it
 * @returns at most 300 kB
 * @throws where none fits
 */
export function encodeMemory(sizes: Iterable<Memory>): Uint8Array {
  for (const memory of sizes) {
    const bytes = tryCompress(memory);
    if (bytes) return bytes;
  }
  throw new Error("the memory does not fit in one item");
}

/** @throws where the bytes are no memory: an unreadable memory must not be taken for an empty one */
export function decodeMemory(bytes: Uint8Array | undefined): Memory {
  if (!bytes) return EMPTY_MEMORY;
  try {
    return fromJson(brotliDecompressSync(bytes).toString("utf8"));
  } catch {
    throw new Error(
      "the MEMORY item can't be read: restore the table, or delete that item to start from nothing",
    );
  }
}
