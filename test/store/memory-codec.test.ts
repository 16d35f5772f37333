import { randomBytes } from "node:crypto";
import { brotliCompressSync } from "node:zlib";
import { describe, expect, test, vi } from "vitest";
import type { InvariantState, RedSubject } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY, type Memory, memorySizes } from "../../shared/cycle/memory.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import { recollectionsOf } from "../../shared/recall/index.ts";
import { decodeMemory, encodeMemory } from "../../shared/store/memory-codec.ts";
import { ANY_ALERT } from "../support/alert.ts";
import { START_MS } from "../support/cycle.ts";

/** The lengths of all that was compressed. */
const compressed = vi.hoisted((): number[] => []);
vi.mock("node:zlib", async (original) => {
  const zlib = await original<typeof import("node:zlib")>();
  return {
    ...zlib,
    brotliCompressSync: (...args: Parameters<typeof zlib.brotliCompressSync>) => {
      compressed.push(String(args[0]).length);
      return zlib.brotliCompressSync(...args);
    },
  };
});

/** So many executions a cycle pins at most. */
const MOST_PINNED = 5_000;
/** DynamoDB's limit for an item, less what the other attributes of the memory take. */
const MOST_BYTES = 400_000 - 1_000;

const redState = (red: Record<string, RedSubject>, redBesides = 0): InvariantState => ({
  status: "red",
  sinceMs: START_MS,
  lastRedAtMs: START_MS,
  red,
  redBesides,
  announcedAtMs: null,
  blindCycles: 0,
  blindAnnounced: false,
  blindSinceMs: null,
  blindReason: null,
});

const encode = (memory: Memory) => encodeMemory(memorySizes(memory, recollectionsOf({ dwellSeconds: 0 })));
const memoryOf = (states: Memory["states"]): Memory => ({ ...EMPTY_MEMORY, states });

/** Names that can't be compressed away. */
const randomName = (length: number) => randomBytes(length).toString("base64url").slice(0, length);

const redSubjects = (count: number, nameLength: number, keys: (name: string) => string[]) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => {
      const name = `${i}-${randomName(nameLength)}`.slice(0, nameLength);
      return [name, { sinceMs: START_MS, keys: keys(name) }];
    }),
  );

/** How many red subjects an invariant has, kept or only counted. */
const redCount = ({ red, redBesides }: InvariantState) => Object.keys(red).length + redBesides;

describe("a memory of an ordinary day", () => {
  test("comes back as it was", () => {
    const memory: Memory = {
      ...EMPTY_MEMORY,
      states: {
        "S-01": redState({ alpha: { sinceMs: START_MS, keys: ["redis:e-1", "sql:e-2"] } }),
        "E-02": redState({ "ägent 名前": { sinceMs: START_MS, keys: ["x"], more: true } }, 3),
      },
      recall: {
        endedCursor: { readAtMs: START_MS, rowid: 123_456, oldLive: [7] },
        pinned: [{ hash: "0011223344556677", status: "success" }],
        zombieSightings: { "c-1/2026-11-23T00:00:00Z/77": START_MS },
      },
      lastFullCycle: {
        atMs: START_MS,
        durationMs: 106,
        checksOff: ["R-01"],
        sourcesUnavailable: ["redis: ECONNREFUSED"],
        latencyMsBySource: { sqlite: 12 },
      },
    };
    expect(decodeMemory(encode(memory))).toEqual(memory);
  });

  test.each(["__proto__", "constructor"])("an agent named %s is still red after it", (name) => {
    const red = Object.fromEntries([[name, { sinceMs: START_MS, keys: ["k"] }]]);
    const back = decodeMemory(encode(memoryOf({ "S-01": redState(red) })));
    expect(Object.entries(back.states["S-01"]!.red)).toEqual([[name, { sinceMs: START_MS, keys: ["k"] }]]);
  });

  test("a memory of an older version, without a part that is new, takes that part as empty", () => {
    const older = brotliCompressSync(JSON.stringify({ states: { "S-01": redState({}) } }));
    expect(decodeMemory(older)).toEqual({ ...EMPTY_MEMORY, states: { "S-01": redState({}) } });
  });
});

describe("a memory that can't be read is an error, never an empty one", () => {
  const whole = encode(memoryOf({ "S-01": redState({ alpha: { sinceMs: START_MS, keys: [] } }) }));

  test.each([
    ["no bytes at all", new Uint8Array()],
    ["random bytes", randomBytes(300)],
    ["the text of a JSON that was never compressed", new TextEncoder().encode('{"states":{}}')],
    ["the first half of a memory", whole.subarray(0, Math.floor(whole.length / 2))],
    ["a memory whose text is no JSON", brotliCompressSync("states: none")],
  ])("%s", (_, bytes) => {
    expect(() => decodeMemory(bytes)).toThrow();
  });
});

describe("a fleet that is red all over", () => {
  test("is counted in whole subjects, whatever number of them is kept", () => {
    for (const count of [1, 3, 20_001, 33_333]) {
      const memory = memoryOf({ "S-01": redState(redSubjects(count, 100, () => [])) });
      const back = decodeMemory(encode(memory)).states["S-01"]!;
      expect(Number.isInteger(back.redBesides)).toBe(true);
      expect(redCount(back)).toBe(count);
    }
  });

  test("100,000 red subjects with names of 500 characters fit in an item, none is lost from the count", () => {
    const memory = memoryOf({ "S-01": redState(redSubjects(100_000, 500, (name) => [`redis:${name}`])) });
    compressed.length = 0;
    const bytes = encode(memory);
    expect(bytes.length).toBeLessThan(MOST_BYTES);
    // What stands between a cycle and its commit must be quick: the whole is 100 MB of JSON, which takes seconds.
    expect(compressed.reduce((sum, length) => sum + length, 0)).toBeLessThan(10_000_000);
    expect(compressed.length).toBeGreaterThan(0);
    const back = decodeMemory(bytes).states["S-01"]!;
    expect(back.status).toBe("red");
    expect(redCount(back)).toBe(100_000);
    expect(Object.keys(back.red).length).toBeGreaterThan(0);
    for (const [name, red] of Object.entries(back.red)) {
      expect(memory.states["S-01"]!.red).toHaveProperty([name]);
      expect(red).toEqual({ sinceMs: START_MS, keys: [], more: true });
    }
  });

  test("all invariants at once, and each of them stays red", () => {
    const memory = memoryOf(
      Object.fromEntries(
        INVARIANT_IDS.map((id) => [
          id,
          redState(
            redSubjects(5_000, 200, (name) => [name]),
            7,
          ),
        ]),
      ),
    );
    const bytes = encode(memory);
    expect(bytes.length).toBeLessThan(MOST_BYTES);
    const { states } = decodeMemory(bytes);
    for (const id of INVARIANT_IDS) {
      expect(states[id]!.status).toBe("red");
      expect(redCount(states[id]!)).toBeGreaterThanOrEqual(5_000);
    }
  });

  test("where the keys are what is too much, every subject is kept, and knows that it had keys", () => {
    const manyKeys = () => Array.from({ length: 2_000 }, () => randomName(36));
    const memory = memoryOf({ "E-01": redState(redSubjects(20, 20, manyKeys)) });
    const bytes = encode(memory);
    expect(bytes.length).toBeLessThan(MOST_BYTES);
    const back = decodeMemory(bytes).states["E-01"]!;
    expect(Object.keys(back.red).sort()).toEqual(Object.keys(memory.states["E-01"]!.red).sort());
    expect(back.redBesides).toBe(0);
    for (const red of Object.values(back.red))
      expect(red).toEqual({ sinceMs: START_MS, keys: [], more: true });
  });

  const pins = (length: number) =>
    Array.from({ length }, () => ({ hash: randomBytes(8).toString("hex"), status: "success" as const }));

  test("where more executions are pinned than a cycle pins, the first of them are kept, and the reds stay red", () => {
    const pinned = pins(60_000);
    const memory = {
      ...memoryOf({ "E-02": redState(redSubjects(50, 20, () => [])) }),
      recall: { pinned },
    };
    const back = decodeMemory(encode(memory));
    expect(back.recall.pinned).toEqual(pinned.slice(0, MOST_PINNED));
    expect(redCount(back.states["E-02"]!)).toBe(50);
  });

  test("where as many executions are pinned as a cycle pins, the reds are kept beside them", () => {
    const pinned = pins(MOST_PINNED);
    const memory = { ...memoryOf({ "E-02": redState(redSubjects(50, 20, () => [])) }), recall: { pinned } };
    const bytes = encode(memory);
    expect(bytes.length).toBeLessThan(MOST_BYTES);
    expect(redCount(decodeMemory(bytes).states["E-02"]!)).toBe(50);
    expect(decodeMemory(bytes).recall.pinned).toEqual(pinned);
  });
});

test("what does not fit loses the commands of its oldest alerts first", () => {
  const waiting = (createdAtMs: number) => ({
    alert: { ...ANY_ALERT, key: `k${createdAtMs}`, fix: ["redis-cli PING"] },
    createdAtMs,
    channels: { slack: { failed: 0, notBeforeMs: 0 } },
  });
  const sizes = [...memorySizes({ ...EMPTY_MEMORY, outbox: [1, 2, 2].map(waiting) }, [])];
  const withCommands = sizes.map(({ outbox }) =>
    outbox.filter(({ alert }) => alert.fix.length > 0).map(({ createdAtMs }) => createdAtMs),
  );
  expect(withCommands.slice(0, 3)).toEqual([[1, 2, 2], [2, 2], []]);
});
