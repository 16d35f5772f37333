import { expect, test } from "vitest";
import { compareClocks, newestRun } from "../../shared/doctor/clocks.ts";

const between = { fromMs: 1_000_000, toMs: 1_000_400 };

test("a clock agrees as closely as the time of its answer says", () => {
  expect(compareClocks(1_000_200, between)).toMatchObject({
    level: "ok",
    text: "agrees with this machine's within 0.2 s",
  });
});

test("two seconds are allowed for, whatever the answer took", () => {
  expect(compareClocks(1_002_400, between).level).toBe("ok");
  expect(compareClocks(1_002_500, between)).toMatchObject({ level: "warning" });
  expect(compareClocks(1_002_500, between).text).toMatch(/^at least 2\.1 s ahead of this machine's/);
  expect(compareClocks(960_000, between).text).toMatch(/^at least 40\.0 s behind this machine's/);
});

test("an answer in whole seconds is up to one second later than it says", () => {
  expect(compareClocks(997_500, between, 1_000).level).toBe("ok");
  expect(compareClocks(996_900, between, 1_000).level).toBe("warning");
});

test("a run that begins in the future is that of a clock that is ahead", () => {
  expect(newestRun(1_000_000, 1_012_000)).toMatchObject({ level: "ok", text: "began 12 s ago" });
  expect(newestRun(1_030_000, 1_000_000)).toMatchObject({
    level: "warning",
    text: expect.stringMatching(/^begins 30\.0 s in the future/),
  });
});
