/** The memory fits in one item whatever a cycle found, and is read again as it was written. */
import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeAlert, type Pending } from "../../shared/alerts/alert.ts";
import { type InvariantState, NEVER_JUDGED } from "../../shared/alerts/state.ts";
import { EMPTY_MEMORY, type Memory, memorySizes } from "../../shared/cycle/memory.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import { recollectionsOf } from "../../shared/recall/index.ts";
import { decodeMemory, encodeMemory } from "../../shared/store/memory-codec.ts";
import { START_MS } from "../support/cycle.ts";

const MOST_BYTES = 300_000;

/** The same random bytes in every run. */
const RANDOM = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16)).update(
  Buffer.alloc(3_000_000),
);
const PLAIN = RANDOM.toString("base64url");
const WIDE = Array.from(RANDOM.subarray(0, 1_000_000), (byte, i) =>
  String.fromCharCode(0x4e00 + byte * 64 + (i % 64)),
).join("");

/** Texts that can't be compressed away: plain ones, or some of three bytes for each character. */
function textsOf(isWide: boolean) {
  const pool = isWide ? WIDE : PLAIN;
  let at = 0;
  return (length: number): string => {
    if (at + length > pool.length) at = 0;
    at += length;
    return pool.slice(at - length, at);
  };
}
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

/** Counts and lengths. Their products are bounded, so that one memory is made in some milliseconds. */
const shape = fc.record({
  isWide: fc.boolean(),
  red: fc.array(
    fc
      .record({ subjects: fc.nat(20_000), name: fc.integer({ min: 1, max: 5_000 }), keys: fc.nat(3_000) })
      .filter(({ subjects, name, keys }) => subjects * (name + 10 * Math.min(keys, 10)) < 1_000_000),
    { maxLength: INVARIANT_IDS.length },
  ),
  reason: fc.constantFrom(0, 10, 300, 1_000_000),
  lines: fc.constantFrom([0, 0], [50, 300], [50, 100_000], [3, 2_000_000]),
  blind: fc.constantFrom([0, 0], [200, 300], [200, 20_000]),
  outbox: fc.constantFrom([0, 0], [500, 10], [500, 400], [500, 5_000]),
  pinned: fc.constantFrom(0, 10, 5_000, 60_000),
  oldLive: fc.constantFrom(0, 2_000),
  zombies: fc.constantFrom(0, 10, 1_000),
});
type Shape = typeof shape extends fc.Arbitrary<infer S> ? S : never;

/** The most of each at once. */
const EVERYTHING: Shape = {
  isWide: true,
  red: times(INVARIANT_IDS.length, () => ({ subjects: 2_000, name: 100, keys: 20 })),
  reason: 1_000_000,
  lines: [50, 100_000],
  blind: [200, 20_000],
  outbox: [500, 5_000],
  pinned: 60_000,
  oldLive: 2_000,
  zombies: 1_000,
};

function memoryOf(s: Shape): Memory {
  const text = textsOf(s.isWide);
  const state = ({ subjects, name, keys }: Shape["red"][number]): InvariantState => ({
    ...NEVER_JUDGED,
    status: "red",
    sinceMs: START_MS,
    blindReason: text(s.reason),
    red: Object.fromEntries(
      times(subjects, (i) => [
        `${i}${text(name)}`,
        { sinceMs: START_MS, keys: times(i === 0 ? keys : Math.min(keys, 10), () => text(10)) },
      ]),
    ),
    redBesides: subjects === 0 ? 1 : 0,
  });
  const alert = (i: number, length: number): Pending => ({
    createdAtMs: START_MS,
    channels: { slack: { failed: 3, notBeforeMs: START_MS }, sns: { failed: 0, notBeforeMs: START_MS } },
    alert: makeAlert(
      {
        key: `2026-11-23T10:00:00.000Z/S-01/${i}`,
        kind: "broke",
        environment: text(length),
        invariantId: "S-01",
        title: text(length),
        severity: "critical",
        summary: text(length),
        lines: times(5, () => text(length)),
        runbook: text(length),
        context: times(4, () => text(length)),
        statusUrl: text(length),
      },
      (line) => line,
    ),
  });
  return {
    states: Object.fromEntries(s.red.map((one, i) => [INVARIANT_IDS[i]!, state(one)])),
    blindSources: Object.fromEntries(
      times(s.blind[0]!, (i) => [
        `${i}${text(s.blind[1]!)}`,
        { sinceMs: START_MS, cycles: 1, reason: text(s.blind[1]!), announced: false },
      ]),
    ),
    outbox: times(s.outbox[0]!, (i) => alert(i, s.outbox[1]!)),
    recall: {
      pinned: times(s.pinned, () => ({ hash: text(16), status: "success" })),
      endedCursor: { readAtMs: START_MS, rowid: 9e9, oldLive: times(s.oldLive, (i) => 1_000_000 + 977 * i) },
      zombieSightings: Object.fromEntries(times(s.zombies, (i) => [`${i}/${text(64)}`, START_MS])),
    },
    lastFullCycle: {
      atMs: START_MS,
      durationMs: 1,
      checksOff: [],
      sourcesUnavailable: times(s.lines[0]!, () => text(s.lines[1]!)),
      latencyMsBySource: { sqlite: 1 },
    },
  };
}

test("texts of any length in any number fit, every red stays red, and no alert is lost", () => {
  fc.assert(
    fc.property(shape, (s) => {
      const memory = memoryOf(s);
      const bytes = encodeMemory(memorySizes(memory, recollectionsOf({ dwellSeconds: 600 })));
      expect(bytes.length).toBeLessThanOrEqual(MOST_BYTES);
      const back = decodeMemory(bytes);
      for (const [id, { red, redBesides }] of Object.entries(memory.states)) {
        const kept = back.states[id]!;
        expect(kept.status).toBe("red");
        expect(Object.keys(kept.red).length + kept.redBesides).toBe(Object.keys(red).length + redBesides);
      }
      expect(back.outbox.map(({ alert }) => alert.key)).toEqual(memory.outbox.map(({ alert }) => alert.key));
      expect(back.recall.endedCursor).toEqual(memory.recall.endedCursor);
      expect(back.lastFullCycle?.atMs).toBe(START_MS);
    }),
    { numRuns: 10, examples: [[EVERYTHING], [{ ...EVERYTHING, isWide: false }]] },
  );
});

test("what has ended gives way to what is red: 5,000 ends with long names beside 200 red subjects", () => {
  const text = textsOf(false);
  const tally = [12, 1, START_MS, 0, true, true] as const;
  const endings = times(5_000, () => ({
    invariantId: "S-01",
    subject: text(200),
    sinceMs: START_MS,
    untilMs: START_MS + 60_000,
    episode: tally,
  }));
  const red = Object.fromEntries(
    times(200, () => [text(200), { sinceMs: START_MS, keys: ["redis:x"], announced: true, episode: tally }]),
  );
  const states = { "S-02": { ...NEVER_JUDGED, status: "red" as const, sinceMs: START_MS, red } };
  const whole: Memory = { ...EMPTY_MEMORY, states, endings };
  const kept = decodeMemory(encodeMemory(memorySizes(whole, [])));
  expect(kept.states["S-02"]!.red).toEqual(red);
  expect(kept.endings).toEqual(endings.slice(-500));
});
