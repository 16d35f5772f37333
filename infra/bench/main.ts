/** `npm run bench`: what the canary costs, as ratios measured in one run, and as counts. A timing is never a test. */
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { bundleFunction } from "../aws/bundle.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { writeParts } from "../markdown.ts";
import { measureCli } from "./cli.ts";
import { measureDaemons } from "./measure-daemons.ts";
import { measureDocker } from "./measure-docker.ts";
import { type FleetPlan, measureFleets } from "./measure-fleet.ts";
import { measurePostgres } from "./measure-postgres.ts";
import { partsOf } from "./report.ts";
import { measureStart } from "./start.ts";
import type { BenchReport } from "./targets.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const PARTS = ["start", "cli", "fleets", "postgres", "docker", "daemons"] as const;
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
    "Measure the cycle over fleets of several sizes, against the floor of its own requests, against transactions and a plain loop, with the CPU of functions of several sizes; the start of the functions, and the CPU of the command line. Prints tables in Markdown, with every target judged",
  )
  .option("--runs <n>", "how often each cycle is run", whole, 5)
  .addOption(new Option("--only <part...>", "some parts").choices(PARTS))
  .option("--quick", "small fleets and histories only")
  .option("--write", "put the tables into docs/performance.md: needs all parts")
  .parse();
const { runs, only, quick, write } = command.opts<Options>();
if (write && (only || quick)) command.error("--write needs all parts: leave --only and --quick out");

const say = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

const MEMORY_MB = [256, 512, 1_024, 1_769];

function plans(): FleetPlan[] {
  const sizes = quick ? [512] : MEMORY_MB;
  const plan = { oldRows: 20_000, plainRuns: 1, sizes };
  return quick
    ? [{ ...plan, agents: 10 }]
    : [
        { ...plan, agents: 10 },
        { ...plan, agents: 100, sizes: [] },
        { ...plan, agents: 1_000 },
        // The plain loop would take minutes.
        { ...plan, agents: 10_000, plainRuns: 0 },
        { agents: 1_000, oldRows: 2_000_000, plainRuns: 0, sizes: [], isPlain: true },
      ];
}

/** Each part, given the folder of the measured process. */
const MEASURE = {
  fleets: (bundle: string) => measureFleets(plans(), bundle, runs, say),
  postgres: (bundle: string) =>
    measurePostgres(
      quick
        ? { agents: 10, oldRows: 2_000, manyRows: 20_000 }
        : { agents: 1_000, oldRows: 20_000, manyRows: 2_000_000 },
      bundle,
      runs,
    ),
  docker: (bundle: string) => measureDocker([5, 20], bundle, runs),
  daemons: measureDaemons,
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
  machine: `Measured on ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores, the servers among them, with Node ${node}, ${runs} cycles of each; all of it took ${minutes} minutes.`,
  ...partsOf({ fleets: [], docker: [], daemons: null, postgres: null, start: null, cli: null, ...report }),
};
if (write) writeParts(PAGE, parts);
for (const [name, text] of Object.entries(parts)) console.log(`${name}\n\n${text}\n`);
