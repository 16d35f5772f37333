/** What H-01 remembers: since when the roster has been in doubt. */
import { describe, expect, test } from "vitest";
import type { Readings } from "../../shared/facts/facts.ts";
import { rosterDoubtSince as MEMORY } from "../../shared/recall/roster-doubt.ts";
import { containersOf, NOW_MS, readingsOf, rosterOf, slotsOf } from "../support/facts.ts";

const DOUBTED = readingsOf({ roster: rosterOf({}) });
const SURE = readingsOf();
/** Docker could not be read, and Redis names nobody. */
const UNCLEAR: Readings = {
  ...readingsOf({ roster: rosterOf({}), slots: slotsOf({}) }),
  containers: { read: false, reason: "docker: no answer" },
};

/** The memory after cycles that read this, a minute apart. */
function left(...cycles: readonly Readings[]): number | null {
  let part: object = MEMORY.initial;
  for (const [n, readings] of cycles.entries())
    ({ part } = MEMORY.recall(part, [])!.next({ readings, verdicts: [], atMs: NOW_MS + n * 60_000 }));
  expect(MEMORY.isPart(part as never)).toBe(true);
  return (part as { rosterDoubtSinceMs: number | null }).rosterDoubtSinceMs;
}
const minute = (n: number) => NOW_MS + n * 60_000;

describe("a doubt lasts", () => {
  test("from the first cycle that had it", () => {
    expect(left(SURE, DOUBTED)).toBe(minute(1));
    expect(left(SURE, DOUBTED, DOUBTED, DOUBTED)).toBe(minute(1));
  });

  test("until a cycle is sure of the roster, and then anew", () => {
    expect(left(DOUBTED, SURE)).toBeNull();
    expect(left(DOUBTED, SURE, DOUBTED)).toBe(minute(2));
    const agreed = readingsOf({ roster: rosterOf({}), slots: slotsOf({}), containers: containersOf([]) });
    expect(left(DOUBTED, agreed)).toBeNull();
  });

  test("through cycles that could not tell, which begin none either", () => {
    expect(left(DOUBTED, UNCLEAR, DOUBTED)).toBe(minute(0));
    expect(left(UNCLEAR, UNCLEAR)).toBeNull();
  });
});

test("the fact is what the last cycle left; without a memory it is not known", () => {
  const part = { rosterDoubtSinceMs: NOW_MS };
  expect(MEMORY.recall(part, [])!.fact).toBe(NOW_MS);
  expect(MEMORY.recall(MEMORY.initial, [])!.fact).toBeNull();
  expect(MEMORY.recall(null, [])).toBeNull();
});

test.each([
  [{ rosterDoubtSinceMs: "soon" }, false],
  [{ rosterDoubtSinceMs: undefined }, false],
  [{ rosterDoubtSinceMs: null }, true],
])("%j is a part of it: %j", (stored, isPart) => {
  expect(MEMORY.isPart(stored as never)).toBe(isPart);
});
