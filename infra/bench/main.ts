/** `npm run bench`: what the canary costs, as ratios measured in one run. A timing is never a test. */
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { bundleFunction } from "../aws/bundle.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { writeParts } from "../markdown.ts";
import { measureCli } from "./cli.ts";
import { measureDocker } from "./measure-docker.ts";
import { measureFleets } from "./measure-fleet.ts";
import { partsOf } from "./report.ts";
import { measureStart } from "./start.ts";
import type { BenchReport } from "./targets.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const PARTS = ["start", "cli", "agents", "history", "docker"] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly runs: number;
  readonly only?: readonly Part[];
  readonly quick?: boolean;
  readonly write?: boolean;
}

const whole = (text: string) => Math.max(1, Number.parseInt(text, 10) || 1);
const command = new Command("npm run bench --")
  .description(
    "Measure the cycle over fleets of several sizes, against the floor of its own requests and a plain loop, the start of the functions, and the CPU of the command line",
  )
  .option("--runs <n>", "how often each cycle is run", whole, 5)
  .addOption(new Option("--only <part...>", "some parts").choices(PARTS))
  .option("--quick", "small fleets and histories only")
  .option("--write", "put the tables into docs/performance.md: needs all parts")
  .parse();
const { runs, only, quick, write } = command.opts<Options>();
if (write && (only || quick)) command.error("--write needs all parts: leave --only and --quick out");

const say = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

/** Each part, given the folder of the measured process. */
const MEASURE = {
  agents: (bundle: string) =>
    measureFleets(
      (quick ? [10, 100] : [10, 100, 1_000, 10_000]).map((agents) => ({
        agents,
        oldRows: 200_000,
        // The plain loop takes ten seconds for a thousand agents: for more it is run once.
        plainRuns: agents > 1_000 ? 1 : Math.min(runs, 3),
      })),
      bundle,
      runs,
    ),
  history: (bundle: string) =>
    measureFleets(
      (quick ? [2_000, 20_000] : [20_000, 200_000, 2_000_000]).map((oldRows) => ({
        agents: 1_000,
        oldRows,
        plainRuns: 0,
      })),
      bundle,
      runs,
    ),
  docker: (bundle: string) => measureDocker([5, 20], bundle, runs),
  start: () => measureStart(quick ? 5 : 21),
  cli: () => measureCli(quick ? 5 : 21),
};

const folder = await temporaryFolder();
const from = performance.now();
const report: Partial<BenchReport> = {};
try {
  await bundleFunction("infra/bench/cycle-process.ts", folder.path);
  for (const part of only ?? PARTS) {
    say(part);
    Object.assign(report, { [part]: await MEASURE[part](folder.path) });
  }
} finally {
  await folder.remove();
}
const minutes = Math.round((performance.now() - from) / 60_000);
const [node] = process.versions.node.split(".");
const parts = {
  machine: `Measured on ${cpus().length} cores, the servers among them, with Node ${node}, ${runs} cycles of each; all of it took ${minutes} minutes.`,
  ...partsOf({ agents: [], history: [], docker: [], start: null, cli: null, ...report }),
};
if (write) writeParts(PAGE, parts);
for (const [name, text] of Object.entries(parts)) console.log(`${name}\n\n${text}\n`);
