/** What a bench measured, as tables for a terminal and for docs/performance.md. */
import { table } from "../markdown.ts";
import type { FleetReport } from "./measure-fleet.ts";
import { type BenchReport, median, TARGETS } from "./targets.ts";

const number = (n: number) => n.toLocaleString("en-US");
const ms = (values: readonly number[]): string =>
  values.length === 0
    ? "–"
    : [median(values), Math.min(...values), Math.max(...values)]
        .map((value) => value.toFixed(value < 10 ? 1 : 0))
        .join(" / ");
const times = (n: number) => `${n.toFixed(n < 10 ? 2 : 0)} ×`;

function targetsTable(report: BenchReport): string {
  return table(
    ["what", "target", "measured", ""],
    TARGETS.map(({ what, target, measure, isMet, show = times }) => {
      const measured = measure(report);
      return measured === null
        ? [what, target, "–", "not measured"]
        : [what, target, show(measured), isMet(measured) ? "met" : "**not met**"];
    }),
  );
}

function fleetTable(fleets: readonly FleetReport[], nameOf: (fleet: FleetReport) => string): string {
  const row = (name: string, of: (fleet: FleetReport) => string) => [name, ...fleets.map(of)];
  const steps = Object.keys(fleets[0]!.cycles[0]!.steps);
  return table(
    ["ms (median / least / most)", ...fleets.map(nameOf)],
    [
      row("**cycle**", (f) => ms(f.cycles.map((cycle) => cycle.ms))),
      row("floor: its requests and no work", (f) => ms(f.floorMs)),
      row("plain loop", (f) => ms(f.plainMs)),
      row("CPU", (f) => ms(f.cycles.map(({ cpuMs }) => cpuMs))),
      ...steps.map((step) =>
        row(`step: ${step}`, (f) => ms(f.cycles.map((cycle) => cycle.steps[step] ?? 0))),
      ),
      row("peak MB", (f) => f.peakMb.toFixed(0)),
    ],
  );
}

const dockerTable = (docker: BenchReport["docker"]) =>
  table(
    ["real containers", "cycle, ms", "of which Docker, ms", "plain loop, ms", "one exec after the other, ms"],
    docker.map(({ containers, cycles, plainMs, execsMs }) => [
      containers,
      ms(cycles.map((cycle) => cycle.ms)),
      ms(cycles.map(({ steps }) => steps.docker!)),
      ms(plainMs),
      ms(execsMs),
    ]),
  );

const startTable = (start: NonNullable<BenchReport["start"]>) =>
  table(
    ["function", "start, ms", "ratio to empty"],
    Object.entries(start).map(([name, initMs]) => [
      name,
      ms(initMs),
      (median(initMs) / median(start.empty)).toFixed(2),
    ]),
  );

const cliTable = (cli: NonNullable<BenchReport["cli"]>) =>
  table(
    ["command", "CPU, ms", "ratio to `node -e 0`"],
    Object.entries(cli).map(([name, cpuMs]) => [
      `\`${name}\``,
      ms(cpuMs),
      (median(cpuMs) / median(cli["node -e 0"])).toFixed(2),
    ]),
  );

/** Gives the parts that were measured, by their names in docs/performance.md. */
export function partsOf(report: BenchReport): Record<string, string> {
  const { agents, history, docker, start, cli } = report;
  return {
    targets: targetsTable(report),
    ...(agents.length > 0 && { agents: fleetTable(agents, (f) => `${number(f.agents)} agents`) }),
    ...(history.length > 0 && { history: fleetTable(history, (f) => `${number(f.oldRows)} old rows`) }),
    ...(docker.length > 0 && { containers: dockerTable(docker) }),
    ...(start && { start: startTable(start) }),
    ...(cli && { cli: cliTable(cli) }),
  };
}
