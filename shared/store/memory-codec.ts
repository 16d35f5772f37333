/** The memory as it is stored: compressed, and cut to fit in one DynamoDB item whatever is red. */
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { EMPTY_MEMORY, type InvariantState, type InvariantStates, type Memory } from "../cycle/memory.ts";

/** DynamoDB takes 400 kB in an item; some is left for the other attributes. */
const MAX_BYTES = 300_000;
const MAX_SUBJECTS = 20_000;

const mapStates = (
  states: InvariantStates,
  change: (state: InvariantState) => InvariantState,
): InvariantStates => Object.fromEntries(Object.entries(states).map(([id, state]) => [id, change(state)]));

/** The keys of the findings go first: without them a red subject stays red, only less is known of it. */
const withoutKeys = (state: InvariantState): InvariantState => ({
  ...state,
  red: Object.fromEntries(
    Object.entries(state.red).map(([subject, red]) => [subject, { ...red, keys: [], more: true }]),
  ),
});

const withSubjects =
  (most: number) =>
  (state: InvariantState): InvariantState => {
    const subjects = Object.entries(state.red);
    return {
      ...state,
      red: Object.fromEntries(subjects.slice(0, most)),
      // The larger of the two: what was cut before is among the subjects again, once they are seen.
      redBesides: Math.max(state.redBesides, subjects.length - most, 0),
    };
  };

/** JSON longer than this is not even tried: compressing it takes seconds, and it would not fit. */
const MAX_JSON = 4_000_000;

/** @returns the compressed memory, or null where it does not fit */
function tryCompress(memory: Memory): Uint8Array | null {
  const json = JSON.stringify(memory);
  if (json.length > MAX_JSON) return null;
  const bytes = brotliCompressSync(json, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });
  return bytes.length <= MAX_BYTES ? bytes : null;
}

/**
 * @returns at most 300 kB. What does not fit is counted, never dropped in silence: an invariant that is red stays red.
 * @throws where what is left cannot be cut without losing something
 */
export function encodeMemory(memory: Memory): Uint8Array {
  const whole = tryCompress(memory);
  if (whole) return whole;
  // What alerts say beyond their summary goes first: an alert that is short is still told.
  const terse = {
    ...memory,
    outbox: memory.outbox.map((entry) => ({ ...entry, alert: { ...entry.alert, lines: [], more: 0 } })),
  };
  const withoutLines = tryCompress(terse);
  if (withoutLines) return withoutLines;
  const keyless = { ...terse, states: mapStates(memory.states, withoutKeys) };
  for (let most = MAX_SUBJECTS; most >= 1; most = Math.floor(most / 2)) {
    const bytes = tryCompress({ ...keyless, states: mapStates(keyless.states, withSubjects(most)) });
    if (bytes) return bytes;
  }
  // Only these are left to be large, and to lose them costs no verdict that is red.
  const bare = {
    ...keyless,
    states: mapStates(keyless.states, withSubjects(0)),
    zombieSightings: {},
    blindSources: {},
  };
  const bytes = tryCompress(bare);
  if (bytes) return bytes;
  throw new Error("the memory does not fit in one item");
}

/** @throws where the bytes are no memory: an unreadable memory must not be taken for an empty one */
export function decodeMemory(bytes: Uint8Array | undefined): Memory {
  if (!bytes) return EMPTY_MEMORY;
  try {
    return { ...EMPTY_MEMORY, ...(JSON.parse(brotliDecompressSync(bytes).toString("utf8")) as Memory) };
  } catch {
    throw new Error(
      "the MEMORY item can't be read: restore the table, or delete that item to start from nothing",
    );
  }
}
