/** The targets that the bench judges. `test/live/costs.test.ts` judges those that are counts. */
import type { CliReport } from "./cli.ts";
import type { CycleRun } from "./cycle-process.ts";
import type { DockerReport } from "./measure-docker.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { StartReport } from "./start.ts";

export interface BenchReport {
  readonly agents: readonly FleetReport[];
  readonly history: readonly FleetReport[];
  readonly docker: readonly DockerReport[];
  readonly start: StartReport | null;
  readonly cli: CliReport | null;
}

interface Target {
  readonly what: string;
  readonly target: string;
  /** Gives null where the part was not measured. */
  readonly measure: (report: BenchReport) => number | null;
  readonly isMet: (measured: number) => boolean;
  /** Default: as a factor. */
  readonly show?: (measured: number) => string;
}

export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.round((values.length - 1) / 2)]!;

/** Divides the medians; null where one of them was not measured. */
const ratio = (of: readonly number[] = [], to: readonly number[] = []): number | null =>
  of.length > 0 && to.length > 0 ? median(of) / median(to) : null;
const cycleMs = (report: { readonly cycles: readonly CycleRun[] } | undefined) =>
  report?.cycles.map(({ ms }) => ms);

const withAgents = ({ agents }: BenchReport, size: number) => agents.find((fleet) => fleet.agents === size);
const withRows = ({ history }: BenchReport, rows: number) => history.find(({ oldRows }) => oldRows === rows);
const withContainers = ({ docker }: BenchReport, count: number) =>
  docker.find(({ containers }) => containers === count);

/** In the order in which they are shown. */
export const TARGETS: readonly Target[] = [
  {
    what: "1,000 agents, no Docker, against the plain loop",
    target: "at least 25 × faster",
    measure: (r) => ratio(withAgents(r, 1_000)?.plainMs, cycleMs(withAgents(r, 1_000))),
    isMet: (faster) => faster >= 25,
  },
  {
    what: "the same, against the floor of its own requests",
    target: "at most 1.3 ×",
    measure: (r) => ratio(cycleMs(withAgents(r, 1_000)), withAgents(r, 1_000)?.floorMs),
    isMet: (slower) => slower <= 1.3,
  },
  {
    what: "from 100 to 10,000 agents",
    target: "at most 60 ×",
    measure: (r) => ratio(cycleMs(withAgents(r, 10_000)), cycleMs(withAgents(r, 100))),
    isMet: (slower) => slower <= 60,
  },
  {
    what: "from 20,000 to 2,000,000 old rows",
    target: "at most 1.2 ×",
    measure: (r) => ratio(cycleMs(withRows(r, 2_000_000)), cycleMs(withRows(r, 20_000))),
    isMet: (slower) => slower <= 1.2,
  },
  {
    what: "peak memory, 10,000 agents",
    target: "under 256 MB",
    measure: (r) => withAgents(r, 10_000)?.peakMb ?? null,
    isMet: (peakMb) => peakMb < 256,
    show: (peakMb) => `${peakMb.toFixed(0)} MB`,
  },
  {
    what: "20 containers, real dockerd, against one exec after the other",
    target: "at least 4 × faster",
    measure: (r) =>
      ratio(
        withContainers(r, 20)?.execsMs,
        withContainers(r, 20)?.cycles.map(({ steps }) => steps.docker!),
      ),
    isMet: (faster) => faster >= 4,
  },
  {
    what: "10 agents, 5 real containers, against the plain loop",
    target: "at most a third",
    measure: (r) => ratio(cycleMs(withContainers(r, 5)), withContainers(r, 5)?.plainMs),
    isMet: (part) => part <= 1 / 3,
    show: (part) => `${(100 * part).toFixed(0)} %`,
  },
  {
    what: "start of the cycle's bundle, against an empty handler with the same clients",
    target: "at most 1.5 ×",
    measure: ({ start }) => ratio(start?.cycle, start?.empty),
    isMet: (slower) => slower <= 1.5,
  },
  ...(["canary --help", "canary --version", "canary status"] as const).map(
    (command): Target => ({
      what: `CPU of \`${command}\``,
      target: "under 250 ms",
      measure: ({ cli }) => cli && median(cli[command]),
      isMet: (cpuMs) => cpuMs < 250,
      show: (cpuMs) => `${cpuMs.toFixed(0)} ms`,
    }),
  ),
];
