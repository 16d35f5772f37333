/** The memory as it is stored: compressed, and cut to fit in one DynamoDB item whatever is red. */
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { EMPTY_MEMORY, type InvariantState, type InvariantStates, type Memory } from "../cycle/memory.ts";

/** DynamoDB takes 400 kB in an item; some is left for the other attributes. */
const MAX_BYTES = 350_000;

const compress = (memory: Memory): Uint8Array =>
  brotliCompressSync(JSON.stringify(memory), { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });

const mapStates = (
  states: InvariantStates,
  change: (state: InvariantState) => InvariantState,
): InvariantStates => Object.fromEntries(Object.entries(states).map(([id, state]) => [id, change(state)]));

/** The keys of the findings go first: without them a red subject stays red, only less is known of it. */
const withoutKeys = (state: InvariantState): InvariantState => ({
  ...state,
  red: Object.fromEntries(
    Object.entries(state.red).map(([subject, { sinceMs }]) => [subject, { sinceMs, keys: [], more: true }]),
  ),
});

const withSubjects =
  (most: number) =>
  (state: InvariantState): InvariantState => {
    const subjects = Object.entries(state.red);
    return {
      ...state,
      red: Object.fromEntries(subjects.slice(0, most)),
      redBesides: state.redBesides + Math.max(0, subjects.length - most),
    };
  };

/**
 * @returns at most 350 kB. What does not fit is counted, never dropped in silence: an invariant that is red stays red.
 */
export function encodeMemory(memory: Memory): Uint8Array {
  const whole = compress(memory);
  if (whole.length <= MAX_BYTES) return whole;
  const keyless = { ...memory, states: mapStates(memory.states, withoutKeys) };
  for (let most = Number.POSITIVE_INFINITY; ; most = most === Number.POSITIVE_INFINITY ? 20_000 : most / 2) {
    const bytes = compress({ ...keyless, states: mapStates(keyless.states, withSubjects(most)) });
    if (bytes.length <= MAX_BYTES) return bytes;
    // The rest of the memory alone can be too large only through these two, which cost no verdict when they are lost.
    if (most < 1)
      return compress({
        ...keyless,
        states: mapStates(keyless.states, withSubjects(0)),
        pinned: [],
        zombieSightings: {},
      });
  }
}

/** @throws where the bytes are no memory: an unreadable memory must not be taken for an empty one */
export function decodeMemory(bytes: Uint8Array | undefined): Memory {
  if (!bytes) return EMPTY_MEMORY;
  return { ...EMPTY_MEMORY, ...(JSON.parse(brotliDecompressSync(bytes).toString("utf8")) as Memory) };
}
