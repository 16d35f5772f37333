/** `npm run bench`: what the canary costs, as ratios measured in one run. A timing is never a test. */
import { Command } from "commander";
import { benchStart, renderStart } from "./start.ts";

const { json, runs } = new Command("npm run bench --")
  .description("Measure the start of the built functions against an empty handler with the same AWS clients")
  .option(
    "--runs <n>",
    "how often each is started",
    (text) => Math.max(1, Number.parseInt(text, 10) || 1),
    21,
  )
  .option("--json", "the numbers and nothing else")
  .parse()
  .opts<{ json?: boolean; runs: number }>();

const report = { start: await benchStart(runs) };
console.log(json ? JSON.stringify(report, null, 2) : renderStart(report.start));
