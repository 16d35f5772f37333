/** `npm run bench`: what the canary costs, as ratios measured in one run. A timing is never a test. */
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, Option } from "commander";
import { bundleFunction } from "../aws/bundle.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { writeParts } from "../markdown.ts";
import { measureDocker } from "./measure-docker.ts";
import { type FleetReport, measureFleets } from "./measure-fleet.ts";
import { partsOf } from "./report.ts";
import { measureStart } from "./start.ts";
import type { BenchReport } from "./targets.ts";

const PAGE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));
const PARTS = ["start", "agents", "history", "docker"] as const;
type Part = (typeof PARTS)[number];

interface Options {
  readonly runs: number;
  readonly only?: readonly Part[];
  readonly quick?: boolean;
  readonly json?: boolean;
  readonly write?: boolean;
}

const whole = (text: string) => Math.max(1, Number.parseInt(text, 10) || 1);
const command = new Command("npm run bench --")
  .description(
    "Measure the cycle over fleets of several sizes, against the floor of its own requests and a plain loop, and the start of the functions",
  )
  .option("--runs <n>", "how often each cycle is run", whole, 5)
  .addOption(new Option("--only <part...>", "some parts").choices(PARTS))
  .option("--quick", "small fleets and histories only")
  .option("--json", "the numbers and nothing else")
  .option("--write", "put the tables into docs/performance.md: needs all parts")
  .parse();
const { json, runs, only, quick, write } = command.opts<Options>();
if (write && (only || quick)) command.error("--write needs all parts: leave --only and --quick out");

const wants = (part: Part) => only?.includes(part) ?? true;
const say = (line: string) => console.error(`${new Date().toISOString().slice(11, 19)} ${line}`);

async function measureAgents(bundle: string): Promise<FleetReport[]> {
  const sizes = quick ? [10, 100] : [10, 100, 1_000, 10_000];
  say(`fleets of ${sizes.join(", ")} agents`);
  return measureFleets(
    sizes.map((agents) => ({
      shape: { agents, oldRows: 200_000 },
      // It takes ten seconds for a thousand agents: for more it is run once.
      options: { runs, plainRuns: agents > 1_000 ? 1 : Math.min(runs, 3), bundle },
    })),
  );
}

async function measureHistory(bundle: string): Promise<FleetReport[]> {
  const sizes = quick ? [2_000, 20_000] : [20_000, 200_000, 2_000_000];
  say(`histories of ${sizes.join(", ")} rows`);
  const options = { runs, plainRuns: 0, bundle };
  return measureFleets(sizes.map((oldRows) => ({ shape: { agents: 1_000, oldRows }, options })));
}

async function measure(): Promise<BenchReport> {
  const folder = await temporaryFolder();
  try {
    await bundleFunction("infra/bench/cycle-process.ts", folder.path);
    const from = performance.now();
    const agents = wants("agents") ? await measureAgents(folder.path) : [];
    const history = wants("history") ? await measureHistory(folder.path) : [];
    if (wants("docker")) say("docker");
    const docker = wants("docker") ? await measureDocker([5, 20], { runs, bundle: folder.path }) : [];
    if (wants("start")) say("start");
    const start = wants("start") ? await measureStart(quick ? 5 : 21) : null;
    const tookSeconds = Math.round((performance.now() - from) / 1000);
    const [node] = process.versions.node.split(".");
    return { node: node!, cpus: cpus().length, runs, agents, history, docker, start, tookSeconds };
  } finally {
    await folder.remove();
  }
}

const report = await measure();
const parts = partsOf(report);
if (write) writeParts(PAGE, parts);
if (json) console.log(JSON.stringify(report, null, 2));
else for (const [name, text] of Object.entries(parts)) console.log(`${name}\n\n${text}\n`);
