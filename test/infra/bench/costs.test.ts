import { expect, test } from "vitest";
import { awsMonth, BEARER_USD, sumOf } from "../../../infra/bench/costs.ts";
import { partsOf } from "../../../infra/bench/report.ts";
import { reportOf } from "../../support/bench-report.ts";

const NOTHING = { seconds: 0, units: { read: 0, write: 0 }, logBytes: 0, metrics: 0, keptBytes: 0 };
const lines = (counts: Partial<Parameters<typeof awsMonth>[0]>) =>
  Object.fromEntries(
    awsMonth({ ...NOTHING, ...counts }).map(({ what, usd }) => [what, Number(usd.toFixed(4))]),
  );

test("a month of 8,640 cycles, from what one of them takes", () => {
  const month = lines({
    seconds: 2,
    units: { read: 8, write: 100 },
    logBytes: 2_500,
    metrics: 11,
    keptBytes: 100_000_000,
  });
  expect(month).toEqual({
    "CloudWatch metrics (11)": 3.3,
    "CloudWatch alarms (7)": 0.7,
    // 0.40, and 8,640 reads of which 10,000 cost 0.05.
    "Secrets Manager (1, read each cycle)": 0.4432,
    // 8,640 requests, and a gigabyte-second for each.
    "Lambda, 512 MB, arm64": 0.1169,
    "DynamoDB, requests": 0.5486,
    "DynamoDB, kept, with recovery": 0.045,
    Logs: 0.0108,
    "X-Ray, Scheduler": 0.0518,
  });
  expect(BEARER_USD).toBeCloseTo(0.5);
});

test("each count has its price: twice as much of one doubles its line and leaves the others", () => {
  const once = { seconds: 1, units: { read: 10, write: 10 }, logBytes: 1e6, metrics: 10, keptBytes: 1e9 };
  const sum = (counts: Partial<typeof once>) => sumOf(awsMonth({ ...once, ...counts }));
  const more = Object.fromEntries(
    (["seconds", "logBytes", "metrics", "keptBytes"] as const).map((name) => [
      name,
      Number((sum({ [name]: 2 * once[name] }) - sum({})).toFixed(4)),
    ]),
  );
  expect(more).toEqual({ seconds: 0.0576, logBytes: 4.32, metrics: 3, keptBytes: 0.45 });
  expect(sum({ units: { read: 20, write: 10 } }) - sum({})).toBeCloseTo(0.0108);
  expect(sum({ units: { read: 10, write: 20 } }) - sum({})).toBeCloseTo(0.054);
});

test("a Redis by kind: one's own bills nothing, each command is billed, or a month is; those in scripts count", () => {
  const { costs } = partsOf(reportOf(true));
  expect(costs).toContain("| Redis: one's own | 0.00 | 0.00 | 0.00 |");
  expect(costs).toContain("| Redis: Pay as You Go, million commands | 0.86, 0.4 | 8.64, 4.3 | 86.40, 43.2 |");
  expect(costs).toContain("| Redis: Fixed 250MB, GB of 50 | 10.00, 1 | 10.00, 1 | 10.00, 1 |");
  expect(costs).toContain("| the plan that fits | Free | Pay as You Go | Fixed 250MB | Fixed 250MB |");
  expect(costs).toContain(
    "Prices: us-east-1, from AWS's public pages as remembered in November 2026; https://",
  );
});
