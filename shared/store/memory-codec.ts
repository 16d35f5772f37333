/** The memory as it is stored: JSON with the number of its schema, compressed to fit in one DynamoDB item. */
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { type InvariantState, NEVER_JUDGED } from "../alerts/state.ts";
import type { Memory } from "../cycle/memory.ts";
import { jsonWithin } from "../wire/fit-into.ts";
import { MAX_ITEM_BYTES } from "./table.ts";

/** Raise it with a change after which an older release would misread the memory. Memories without a number are of 0. */
const SCHEMA = 1;

/** JSON longer than this is not even tried: compressing it takes long, and it would hardly fit. */
const MAX_JSON = 1_500_000;

/** The `MEMORY` item can't be used: an unreadable memory must not be taken for an empty one. */
export class MemoryUnreadable extends Error {
  override readonly name = "MemoryUnreadable";
  constructor(what: string, fix = "restore the table") {
    super(`the MEMORY item ${what}: ${fix}, or delete that item to start from nothing`);
  }
}

/** The parts of the recollections are stored among the other fields: their names do not overlap. */
const toStored = ({ recall, lastFullCycle, ...memory }: Memory) => ({
  schema: SCHEMA,
  ...memory,
  ...recall,
  lastFullCycle,
});

/** Compresses the memory. Returns null where it does not fit. */
function tryCompress(memory: Memory): Uint8Array | null {
  const json = jsonWithin(toStored(memory), MAX_JSON);
  if (json === null) return null;
  const bytes = brotliCompressSync(json, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  return bytes.length <= MAX_ITEM_BYTES ? bytes : null;
}

/**
 * Encodes the first form of the memory that fits.
 * @param sizes the memory, and ever smaller forms of it
 * @returns that form, and its bytes, which are at most 300 kB
 * @throws where none fits
 */
export function fitMemory(sizes: Iterable<Memory>): { readonly memory: Memory; readonly bytes: Uint8Array } {
  for (const memory of sizes) {
    const bytes = tryCompress(memory);
    if (bytes) return { memory, bytes };
  }
  throw new Error("the memory does not fit in one item");
}

/** The bytes of `fitMemory`. */
export const encodeMemory = (sizes: Iterable<Memory>): Uint8Array => fitMemory(sizes).bytes;

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTime = (value: unknown) => Number.isFinite(value);
const isTimeOrNull = (value: unknown) => value === null || isTime(value);
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
const isEach = (value: unknown, is: (one: Fields) => boolean): value is Record<string, Fields> =>
  isObject(value) && Object.values(value).every((one) => isObject(one) && is(one));

const isRedSubject = ({ sinceMs, keys }: Fields) => isTime(sinceMs) && Array.isArray(keys);
const isState = (stored: Fields) => {
  const state: Fields = { ...NEVER_JUDGED, ...stored };
  const { lastRedAtMs, announcedAtMs, blindSinceMs, redBesides, blindCycles } = state;
  return (
    ["green", "red", "unknown"].includes(String(stored.status)) &&
    isTime(stored.sinceMs) &&
    isEach(stored.red, isRedSubject) &&
    [lastRedAtMs, announcedAtMs, blindSinceMs].every(isTimeOrNull) &&
    [redBesides, blindCycles].every(isCount)
  );
};
const isBlindSource = ({ sinceMs, cycles }: Fields) => isTime(sinceMs) && isTime(cycles);
const isPending = (entry: unknown) =>
  isObject(entry) && isObject(entry.alert) && isTime(entry.createdAtMs) && isObject(entry.channels);
const isFullCycle = (value: unknown) =>
  value === null || (isObject(value) && isTime(value.atMs) && Array.isArray(value.sourcesUnavailable));

const isEnding = (value: unknown) =>
  isObject(value) &&
  typeof value.invariantId === "string" &&
  typeof value.subject === "string" &&
  isTime(value.sinceMs) &&
  isTime(value.untilMs) &&
  Array.isArray(value.episode);

const isJournals = (value: unknown) =>
  isObject(value) &&
  Object.values(value).every((keys) => Array.isArray(keys) && keys.every((key) => typeof key === "string"));

/** Gives a state of an older release the fields that it lacks. */
const completed = (states: Record<string, Fields>): Memory["states"] =>
  Object.fromEntries(
    Object.entries(states).map(([id, state]) => [
      id,
      { ...NEVER_JUDGED, ...state } as unknown as InvariantState,
    ]),
  );

/** Reads the parsed JSON. Returns null where it has not the shape of a memory. */
function fromJson(json: unknown): Memory | null {
  if (!isObject(json)) return null;
  const { schema: _, states, blindSources = {}, blindNotified, journals, ...others } = json;
  const { outbox = [], lastFullCycle = null, endings, ...recall } = others;
  const isWhole =
    isEach(states, isState) &&
    isEach(blindSources, isBlindSource) &&
    Array.isArray(outbox) &&
    outbox.every(isPending) &&
    isFullCycle(lastFullCycle);
  if (!isWhole) return null;
  const sight = { blindSources, ...(Array.isArray(blindNotified) && { blindNotified }) };
  // Only evidence depends on these: what can't be used is left out.
  const ended = Array.isArray(endings) && { endings: endings.filter(isEnding) };
  // A journal whose keys are not known is read whole.
  const listed = isJournals(journals) && { journals };
  return {
    states: completed(states),
    ...sight,
    outbox,
    recall,
    lastFullCycle,
    ...ended,
    ...listed,
  } as unknown as Memory;
}

/**
 * Decodes a memory of this release or an older one.
 * @throws MemoryUnreadable where it is of a newer release, or where the bytes are not a memory
 */
export function decodeMemory(bytes: Uint8Array): Memory {
  let json: unknown;
  try {
    json = JSON.parse(brotliDecompressSync(bytes).toString("utf8"));
  } catch {
    throw new MemoryUnreadable("can't be read");
  }
  const schema = isObject(json) ? (json.schema ?? 0) : 0;
  if (!Number.isSafeInteger(schema)) throw new MemoryUnreadable("has a schema that is not a number");
  if (Number(schema) > SCHEMA)
    throw new MemoryUnreadable(
      `was written by a newer release (schema ${schema}, this one reads up to ${SCHEMA})`,
      "deploy that release again",
    );
  const memory = fromJson(json);
  if (memory === null) throw new MemoryUnreadable("holds something that is not a memory");
  return memory;
}
