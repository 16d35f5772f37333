import { expect, test } from "vitest";
import { nearest } from "../shared/nearest.ts";

const FLEET = ["ruby", "nina-research", "nina-writer", "ops-bot", "rupert"];

test.for<[string, string | null]>([
  ["rubi", "ruby"],
  ["urby", "ruby"],
  ["Ruby", "ruby"],
  ["nina-reserch", "nina-research"],
  ["nina-writter", "nina-writer"],
  ["opsbot", "ops-bot"],
  ["zoe", null],
  ["", null],
  ["x".repeat(5_000), null],
])("%s: %s", ([typed, meant]) => {
  expect(nearest(typed, FLEET)).toBe(meant);
});

test("of a fleet of ten thousand hostile names, in no time", () => {
  const fleet = Array.from({ length: 10_000 }, (_, i) => `${"agent-".repeat(40)}${i}`);
  expect(nearest("agent-".repeat(40), fleet)).toBe(`${"agent-".repeat(40)}0`);
  expect(nearest("rubi", [...fleet, "__proto__", "\u202eruby", "ruby"])).toBe("ruby");
});
