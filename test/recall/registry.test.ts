import { expect, test } from "vitest";
import { EMPTY_MEMORY } from "../../shared/cycle/memory.ts";
import { recollectionsOf } from "../../shared/recall/index.ts";

test("each recollection keeps fields of its own, and none of the cycle's memory", () => {
  const recollections = recollectionsOf({ dwellSeconds: 0 });
  const names = [
    ...Object.keys(EMPTY_MEMORY),
    ...recollections.flatMap(({ initial }) => Object.keys(initial)),
  ];
  expect(names.length).toBeGreaterThan(Object.keys(EMPTY_MEMORY).length);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

test("each recollection gives a fact of its own", () => {
  const given = recollectionsOf({ dwellSeconds: 0 }).map(({ gives }) => gives);
  expect(new Set(given).size).toBe(given.length);
});
