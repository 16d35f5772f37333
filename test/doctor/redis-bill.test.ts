import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { billFinding, commandsOfCycle, redisMonth } from "../../shared/doctor/redis-bill.ts";

/** Each agent has two slots, as in the bench. */
const size = (agents: number) => ({ agents, slots: 2 * agents, polled: 0, keys: 3 * agents + 1 });
const hosted = (agents: number) => billFinding("https://eu1-x.upstash.io", size(agents)).text;

test("commands in scripts are billed: a script saves none of them", () => {
  // The heartbeat with its life, a page of keys, a script; then a ZRANGE for each agent, EXPIRETIME and HGET for each slot.
  expect(commandsOfCycle(size(10))).toBe(2 + 1 + 1 + 10 + 40);
  expect(commandsOfCycle(size(1_000))).toBe(2 + 2 + 7 + 1_000 + 4_000);
  expect(commandsOfCycle({ ...size(10), polled: 5, keys: 50_000 })).toBe(2 + 20 + 1 + 10 + 40 + 5);
});

test("the plan that fits follows from the size: free, by the command, fixed", () => {
  expect(redisMonth(commandsOfCycle(size(10)))).toMatchObject({ best: "free", fixed: 10 });
  expect(redisMonth(commandsOfCycle(size(100)))).toMatchObject({ best: "byCommand" });
  const thousand = redisMonth(commandsOfCycle(size(1_000)));
  expect(thousand.best).toBe("fixed");
  expect(thousand.byCommand).toBeCloseTo(86.59, 2);
});

test("the docs name the size from which the fixed plan costs less", () => {
  const best = (agents: number) => redisMonth(commandsOfCycle(size(agents))).best;
  expect([best(114), best(115)]).toEqual(["byCommand", "fixed"]);
  for (const name of ["README.md", "docs/operations.md", "docs/performance.md"])
    expect(readFileSync(new URL(`../../${name}`, import.meta.url), "utf8")).toMatch(
      /from (some )?115 agents on/i,
    );
});

test("an operator with a thousand agents at Upstash is told to take the fixed plan, and what it saves", () => {
  expect(hosted(1_000)).toBe(
    "5011 commands a cycle, those in scripts too: 43.3 million a month, a cycle every 5 minutes. 86.59 dollars where each is billed (Upstash Pay as You Go), 10.00 dollars on a fixed plan (Fixed 250MB): take the fixed plan (prices: https://upstash.com/pricing/redis as of 2026-11-09)",
  );
  expect(hosted(100)).toContain(": billing by the command fits (");
  expect(hosted(10)).toContain(": the free plan holds that, if the platform and others leave it room (");
});

test("an operator of a Redis of their own is told that it bills nothing", () => {
  const { level, text } = billFinding("http://10.0.0.5:8079", size(1_000));
  expect(level).toBe("note");
  expect(text).toContain(
    " 5 minutes. Nothing at a Redis of your own; hosted, 86.59 dollars where each is billed",
  );
  expect(billFinding("https://upstash.io.example.com", size(1)).text).toContain(
    "Nothing at a Redis of your own",
  );
});

test("the table of plans in docs/operations.md is what the doctor computes", () => {
  const docs = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
  const rows = [...docs.matchAll(/^\| ([\d,]+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) \| (.*) \|$/gm)];
  const take = { free: /^the free plan/, byCommand: /^by the command$/, fixed: /^the fixed plan$/ };
  expect(rows.map(([, agents]) => agents)).toEqual(["10", "100", "1,000", "10,000"]);
  for (const [, agents, commands, byCommand, fixed, plan] of rows) {
    const aCycle = commandsOfCycle(size(Number(agents!.replace(",", ""))));
    const month = redisMonth(aCycle);
    expect([Number(commands!.replace(",", "")), byCommand, fixed]).toEqual([
      aCycle,
      month.byCommand.toFixed(2),
      month.fixed.toFixed(2),
    ]);
    expect(plan).toMatch(take[month.best]);
  }
});
