/** What a bench came to, as tables for a terminal and for docs/performance.md. */
import { table } from "../markdown.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { Spread } from "./statistics.ts";
import { type BenchReport, targetsOf } from "./targets.ts";

const number = (n: number) => n.toLocaleString("en-US");
const ms = ({ median, least, most }: Spread) =>
  [median, least, most].map((value) => value.toFixed(value < 10 ? 1 : 0)).join(" / ");
const maybe = (spread: Spread | null | undefined) => (spread ? ms(spread) : "–");

function targetsTable(report: BenchReport): string {
  const word = { true: "met", false: "**not met**", null: "not measured" };
  return table(
    ["what", "target", "measured", ""],
    targetsOf(report).map(({ what, target, measured, met }) => [
      what,
      target,
      measured ?? "–",
      word[`${met}`],
    ]),
  );
}

function fleetTable(fleets: readonly FleetReport[], nameOf: (fleet: FleetReport) => string): string {
  const row = (name: string, of: (fleet: FleetReport) => string) => [name, ...fleets.map(of)];
  const steps = [...new Set(fleets.flatMap((fleet) => Object.keys(fleet.steps)))];
  return table(
    ["ms (median / least / most)", ...fleets.map(nameOf)],
    [
      row("**cycle**", (f) => ms(f.cycleMs)),
      row("floor: its requests and no work", (f) => ms(f.floorMs)),
      row("plain loop", (f) => maybe(f.plainMs)),
      row("CPU", (f) => ms(f.cpuMs)),
      ...steps.map((step) => row(`step: ${step}`, (f) => maybe(f.steps[step]))),
      row("requests to SQLite, Redis, DynamoDB", ({ requests: { sqlite, redis, dynamodb } }) =>
        [sqlite, redis, dynamodb].join(", "),
      ),
      row("Redis commands", (f) => number(f.redisCommands)),
      row("SQLite rows read", (f) => number(f.rowsRead)),
      row("DynamoDB write units", (f) => String(f.writeUnits)),
      row("peak MB", (f) => f.peakMb.toFixed(0)),
    ],
  );
}

const dockerTable = (docker: BenchReport["docker"]) =>
  table(
    [
      "real containers",
      "cycle, ms",
      "of which Docker, ms",
      "plain loop, ms",
      "one exec after the other, ms",
      "ratio to Docker",
    ],
    docker.map(({ containers, cycleMs, steps, plainMs, execsMs }) => [
      containers,
      ms(cycleMs),
      maybe(steps.docker),
      ms(plainMs),
      ms(execsMs),
      (execsMs.median / steps.docker!.median).toFixed(1),
    ]),
  );

const startTable = (start: NonNullable<BenchReport["start"]>) =>
  table(
    ["function", "start, ms", "ratio to empty", "MB"],
    Object.entries(start).map(([name, { initMs, memoryMb }]) => [
      name,
      ms(initMs),
      (initMs.median / start.empty.initMs.median).toFixed(2),
      memoryMb.median.toFixed(0),
    ]),
  );

/** Gives the parts that were measured, by their names in docs/performance.md. */
export function partsOf(report: BenchReport): Record<string, string> {
  const { agents, history, docker, start } = report;
  return {
    machine: `Measured on ${report.cpus} cores, the servers among them, with Node ${report.node}, ${report.runs} cycles of each; all of it took ${Math.round(report.tookSeconds / 60)} minutes.`,
    targets: targetsTable(report),
    ...(agents.length > 0 && { agents: fleetTable(agents, (f) => `${number(f.agents)} agents`) }),
    ...(history.length > 0 && { history: fleetTable(history, (f) => `${number(f.oldRows)} old rows`) }),
    ...(docker.length > 0 && { containers: dockerTable(docker) }),
    ...(start && { start: startTable(start) }),
  };
}
