/** What R-01 remembers of zombies, and what is left of it where the memory has no place. */
import { expect, test } from "vitest";
import type { Readings } from "../../shared/facts/facts.ts";
import { noZombieClaude as R01 } from "../../shared/invariants/r-01-no-zombie-claude.ts";
import { zombieSightings } from "../../shared/recall/zombie-sightings.ts";
import { container, judge, NOW_MS, readingsOf, zombiesOf } from "../support/facts.ts";

const MINUTE_MS = 60_000;
const DWELL = zombieSightings(600);
const zombie = container([7], { startedAt: "2026-11-23T08:00:00Z" });

/** The part after a cycle at the fixed instant that saw these zombies. */
function after(part: object | null, zombies = zombiesOf([zombie])) {
  const readings = readingsOf({ zombies });
  return DWELL.recall(part ?? DWELL.initial, [])!.next({ readings, verdicts: [], atMs: NOW_MS }).part;
}
const judged = (part: object) => {
  const { fact } = DWELL.recall(part, [])!;
  return judge(R01, { zombies: zombiesOf([zombie]), zombieSightings: fact as never }).status;
};
const seenSince = (ms: number) => ({
  zombieSightings: { [`${zombie.containerId}/${zombie.startedAt}/7`]: ms },
  otherZombiesSinceMs: null,
});

test("a red zombie stays red where its age had no place in the memory", () => {
  const old = seenSince(NOW_MS - 11 * MINUTE_MS);
  expect(judged(old)).toBe("red");
  const small = DWELL.shrink!(old);
  expect(JSON.stringify(small).length).toBeLessThan(100);
  expect(judged(small)).toBe("red");
  // And in the cycle after, which has a place for it again.
  expect(after(small)).toEqual(old);
});

test("a young one does not turn red by it, and an empty memory has no age", () => {
  expect(judged(DWELL.shrink!(seenSince(NOW_MS - MINUTE_MS)))).toBe("green");
  expect(DWELL.shrink!(DWELL.initial)).toEqual(DWELL.initial);
});

test("the age is kept for those that can't be looked at meanwhile, and dropped once all were", () => {
  const small = DWELL.shrink!(seenSince(NOW_MS - 11 * MINUTE_MS));
  const hidden = { unseenContainers: [{ agent: zombie.agent, containerId: zombie.containerId }] };
  expect(judged(after(small, zombiesOf([], hidden)))).toBe("red");
  expect(judged(after(small, zombiesOf([], { unseenDaemons: ["tcp://docker-2:2376"] })))).toBe("red");
  expect(after(small, zombiesOf([container([])]))).toEqual(DWELL.initial);
});

test("the memory of a release that had no such age is read as it is", () => {
  const { otherZombiesSinceMs: _none, ...older } = seenSince(NOW_MS - 11 * MINUTE_MS);
  expect(judged({ ...DWELL.initial, ...older })).toBe("red");
});

test.for([
  ["with a dwell", DWELL],
  ["without one", zombieSightings(0)],
] as const)(
  "where the next read begins is kept until all containers were looked at, %s",
  ([, recollection]) => {
    const unfinished = [{ daemon: "d1", from: 7 }];
    const nextOf = (part: object, readings: Readings) => {
      const seen = { readings, verdicts: [], atMs: NOW_MS };
      return recollection.recall({ ...recollection.initial, ...part }, [])!.next(seen).part;
    };
    const whole = readingsOf({ zombies: zombiesOf([]) });
    const left = nextOf({}, readingsOf({ zombies: zombiesOf([], { unfinished }) }));
    const stored = JSON.parse(JSON.stringify(left));
    expect(recollection.isPart({ ...recollection.initial, ...stored })).toBe(true);
    expect(recollection.since!(stored)).toEqual({ unfinishedDaemons: unfinished });
    expect(nextOf(stored, {})).toMatchObject({ unfinishedDaemons: unfinished });
    expect(nextOf(stored, whole)).toEqual(recollection.initial);
    expect(
      recollection.isPart({ ...recollection.initial, unfinishedDaemons: [{ daemon: 7 }] as never }),
    ).toBe(false);
  },
);

test("beside a daemon that is dead for days, zombies that are gone again leave no age behind for the next ones", () => {
  let part: object = DWELL.initial;
  for (let pid = 100; pid < 1_300; pid += 1)
    part = after(part, zombiesOf([container([pid])], { unseenDaemons: ["tcp://docker-2:2376"] }));
  expect(part).toEqual({
    ...DWELL.initial,
    zombieSightings: { [`${zombie.containerId}/${container([]).startedAt}/1299`]: NOW_MS },
  });
});
