/** What H-02 remembers: when the newest slot was acquired that any cycle has seen. */
import { expect, test } from "vitest";
import type { Readings } from "../../shared/facts/facts.ts";
import { newestSlotSeen as MEMORY } from "../../shared/recall/newest-slot.ts";
import { NOW_MS, readingsOf, sentinel, slot, slotsOf } from "../support/facts.ts";

/** The memory after cycles that read this. */
function left(...cycles: readonly Readings[]): number | null {
  let part: object = MEMORY.initial;
  for (const readings of cycles)
    ({ part } = MEMORY.recall(part, [])!.next({ readings, verdicts: [], atMs: NOW_MS }));
  expect(MEMORY.isPart(part as never)).toBe(true);
  return (part as { newestSlotMs: number | null }).newestSlotMs;
}
const withSlots = (...slots: ReturnType<typeof slot>[]) => readingsOf({ slots: slotsOf({ ruby: slots }) });
const old = withSlots(slot("a", { ageSeconds: 600 }));

test("is the newest of all cycles, whatever is held now", () => {
  expect(left(old)).toBe(NOW_MS - 600_000);
  expect(left(withSlots(slot("b", { ageSeconds: 60 }), slot("a", { ageSeconds: 600 })), old)).toBe(
    NOW_MS - 60_000,
  );
  expect(left(old, withSlots())).toBe(NOW_MS - 600_000);
  expect(left(withSlots())).toBeNull();
});

test("sentinels of the drain, and scores that no clock of the platform gives, are left out", () => {
  const odd = [Infinity, Number.NaN, 1e300, -1].map((score) => slot(String(score), { score }));
  expect(left(old, withSlots(sentinel("x", 0), ...odd))).toBe(NOW_MS - 600_000);
});

test("a Redis that was not read leaves it, and without a memory it is not known", () => {
  const unread: Readings = { ...readingsOf(), slots: { read: false, reason: "redis: no answer" } };
  expect(left(old, unread)).toBe(NOW_MS - 600_000);
  expect(MEMORY.recall(null, [])).toBeNull();
  expect(MEMORY.recall({ newestSlotMs: 5 }, [])!.fact).toBe(5);
});

test.each([
  [{ newestSlotMs: "soon" }, false],
  [{ newestSlotMs: undefined }, false],
  [{ newestSlotMs: null }, true],
])("%j is a part of it: %j", (stored, isPart) => {
  expect(MEMORY.isPart(stored as never)).toBe(isPart);
});
