import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { partsOf } from "../../../infra/bench/report.ts";
import { TARGETS } from "../../../infra/bench/targets.ts";
import { withParts } from "../../../infra/markdown.ts";
import { reportOf } from "../../support/bench-report.ts";

const PAGE = readFileSync(new URL("../../../docs/performance.md", import.meta.url), "utf8");
const NOTHING = { fleets: [], docker: [], daemons: null, postgres: null, start: null, cli: null };

test("docs/performance.md names every target, and no other", () => {
  const part = PAGE.slice(PAGE.indexOf("<!-- targets -->"), PAGE.indexOf("<!-- /targets -->"));
  const [, , ...rows] = part.split("\n").filter((line) => line.startsWith("|"));
  expect(rows.map((row) => row.split(" | ").slice(0, 2).join(" | "))).toEqual(
    TARGETS.map(({ what, target }) => `| ${what} | ${target}`),
  );
  for (const row of rows) expect(row).toMatch(/ \| (ok|\*\*missed\*\*|not measured) \|$/);
});

test("docs/performance.md has a place for everything that is measured", () => {
  const parts = Object.keys({ machine: "", ...partsOf(reportOf(true)) });
  const page = withParts(PAGE, Object.fromEntries(parts.map((part) => [part, `measured: ${part}`])));
  for (const part of parts) expect(page).toContain(`measured: ${part}`);
});

test.each(TARGETS.map((target) => [target.what, target] as const))(
  "%s: met, missed and not measured are told apart",
  (_, { judge }) => {
    expect(judge(reportOf(true))).toMatchObject({ isMet: true });
    expect(judge(reportOf(false))).toMatchObject({ isMet: false });
    expect(judge(NOTHING)).toBeNull();
  },
);

test("a miss says missed, beside what was measured", () => {
  const { targets } = partsOf(reportOf(false));
  expect(targets).toContain("| DynamoDB read units of a warm cycle, 1,000 agents | ≤ 10 | 81 | **missed** |");
  expect(targets).not.toContain("| ok |");
  expect(partsOf(reportOf(true)).targets).not.toContain("missed");
  expect(partsOf(NOTHING).targets).not.toMatch(/\| (ok|\*\*missed\*\*) \|/);
});

test("a function that can't be given its part of a core here is said not to be measured, and its time to be computed", () => {
  const report = reportOf(true);
  const fleets = report.fleets.map((fleet) => ({
    ...fleet,
    sizes: [{ memoryMb: 512, firstMs: null, warm: [] }],
  }));
  const { sizes, costs } = partsOf({ ...report, fleets });
  expect(sizes).toContain("| 512 MB (29 %) | not measured here | not measured here |");
  // 40 ms of CPU, at 29 % of a core.
  expect(costs).toContain("0.14 s (CPU divided by the share)");
  expect(partsOf(report).sizes).toContain("| 512 MB (29 %) | 3.0 s, 500 ms, 60 ms, 120 MB |");
});
