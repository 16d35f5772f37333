/** `npm run bench`: what the canary costs, as ratios measured in one run. A timing is never a test. */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { temporaryFolder } from "../../test/support/live.ts";
import { bundleFunction } from "../aws/bundle.ts";
import { measureDocker } from "./measure-docker.ts";
import { type FleetReport, measureFleets } from "./measure-fleet.ts";
import { type BenchReport, mergeReports, performancePage, renderReport } from "./report.ts";
import { benchStart } from "./start.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const PARTS = ["start", "agents", "history", "docker"] as const;
type Part = (typeof PARTS)[number];

const whole = (text: string) => Math.max(1, Number.parseInt(text, 10) || 1);
const { json, runs, only, quick, write } = new Command("npm run bench --")
  .description(
    "Measure the cycle over fleets of several sizes, against the floor of its own requests and a plain loop, and the start of the functions",
  )
  .option("--runs <n>", "how often each cycle is run", whole, 5)
  .addOption(new Option("--only <part...>", "some parts").choices(PARTS))
  .option("--quick", "small fleets and histories only")
  .option("--json", "the numbers and nothing else")
  .option("--write <files...>", "make docs/performance.md from reports that --json gave, and measure nothing")
  .parse()
  .opts<{ json?: boolean; runs: number; only?: Part[]; quick?: boolean; write?: string[] }>();

if (write !== undefined) {
  const reports = write.map((file) => JSON.parse(readFileSync(file, "utf8")) as BenchReport);
  writeFileSync(PAGE, performancePage(mergeReports(reports)));
} else {
  const report = await measure();
  console.log(json ? JSON.stringify(report, null, 2) : renderReport(report));
}

async function measure(): Promise<BenchReport> {
  const wants = (part: Part) => only?.includes(part) ?? true;
  const folder = await temporaryFolder();
  try {
    await bundleFunction("infra/bench/cycle-process.ts", folder.path);
    const bundle = folder.path;
    const agents: FleetReport[] = [];
    const history: FleetReport[] = [];
    const say = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);
    const from = performance.now();
    if (wants("agents")) {
      const sizes = quick ? [10, 100] : [10, 100, 1_000, 10_000];
      say(`fleets of ${sizes.join(", ")} agents`);
      const fleets = sizes.map((size) => ({
        shape: { agents: size, oldRows: 200_000 },
        options: {
          runs,
          // It takes ten seconds for a thousand agents: for more it is run once.
          plainRuns: size > 1_000 ? 1 : Math.min(runs, 3),
          file: true,
          bundle,
          profile: size === 1_000,
        },
      }));
      agents.push(...(await measureFleets(fleets)));
    }
    if (wants("history")) {
      const sizes = quick ? [2_000, 20_000] : [20_000, 200_000, 2_000_000];
      say(`histories of ${sizes.join(", ")} rows`);
      const options = { runs, plainRuns: 0, file: false, bundle, profile: false };
      const fleets = sizes.map((oldRows) => ({ shape: { agents: 1_000, oldRows }, options }));
      history.push(...(await measureFleets(fleets)));
    }
    if (wants("docker")) say("docker");
    const docker = wants("docker")
      ? await measureDocker({ runs, bundle, stubContainers: 500, realContainers: 20 })
      : null;
    if (wants("start")) say("start");
    return {
      node: process.versions.node.split(".")[0]!,
      cpus: cpus().length,
      runs,
      agents,
      history,
      docker: docker?.docker ?? [],
      small: docker?.small ?? null,
      start: wants("start") ? await benchStart(quick ? 5 : 21) : null,
      tookSeconds: Math.round((performance.now() - from) / 1000),
    };
  } finally {
    await folder.remove();
  }
}
