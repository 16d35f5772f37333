/** The targets that the cycle is held to, each with what was measured of it. */
import type { DockerReport } from "./measure-docker.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { StartReport } from "./start.ts";

export interface BenchReport {
  readonly node: string;
  readonly cpus: number;
  readonly runs: number;
  readonly agents: readonly FleetReport[];
  readonly history: readonly FleetReport[];
  readonly docker: readonly DockerReport[];
  readonly start: StartReport | null;
  readonly tookSeconds: number;
}

export interface TargetResult {
  readonly what: string;
  readonly target: string;
  /** As it is shown; null where that part was not measured. */
  readonly measured: string | null;
  readonly met: boolean | null;
}

type Compared = Pick<TargetResult, "measured" | "met">;

const times = (n: number) => `${n.toFixed(n < 10 ? 2 : 0)} ×`;
const atMost = (value: number, most: number, show: string): Compared => ({
  measured: show,
  met: value <= most,
});
const atLeast = (ratio: number, least: number): Compared => ({
  measured: times(ratio),
  met: ratio >= least,
});
const requestsOf = ({ requests }: FleetReport) => requests.sqlite + requests.redis + requests.dynamodb;

/** Compares where all the reports that it needs are there. */
function result<T extends readonly unknown[]>(
  what: string,
  target: string,
  reports: { readonly [K in keyof T]: T[K] | null | undefined },
  compare: (...reports: T) => Compared,
): TargetResult {
  const isMeasured = reports.every((report) => report != null);
  const compared = isMeasured ? compare(...(reports as unknown as T)) : { measured: null, met: null };
  return { what, target, ...compared };
}

const withAgents = (reports: readonly FleetReport[], size: number) =>
  reports.find(({ agents }) => agents === size);
const withRows = (reports: readonly FleetReport[], rows: number) =>
  reports.find(({ oldRows }) => oldRows === rows);

const cycleRatio = (most: number) => (few: FleetReport, many: FleetReport) => {
  const ratio = many.cycleMs.median / few.cycleMs.median;
  return atMost(ratio, most, times(ratio));
};

function timeTargets({ agents, history }: BenchReport): TargetResult[] {
  const thousand = withAgents(agents, 1_000);
  return [
    result(
      "1,000 agents, no Docker, against the plain loop",
      "at least 25 × faster",
      [thousand, thousand?.plainMs],
      ({ cycleMs }, plainMs) => atLeast(plainMs.median / cycleMs.median, 25),
    ),
    result("the same, against the floor of its own requests", "at most 1.3 ×", [thousand], (r) => {
      const ratio = r.cycleMs.median / r.floorMs.median;
      return atMost(ratio, 1.3, times(ratio));
    }),
    result(
      "from 100 to 10,000 agents",
      "at most 60 ×",
      [withAgents(agents, 100), withAgents(agents, 10_000)],
      cycleRatio(60),
    ),
    result(
      "from 20,000 to 2,000,000 old rows",
      "at most 1.2 ×",
      [withRows(history, 20_000), withRows(history, 2_000_000)],
      cycleRatio(1.2),
    ),
  ];
}

function countTargets({ agents, history }: BenchReport): TargetResult[] {
  const thousand = withAgents(agents, 1_000);
  return [
    result(
      "requests on a green cycle, 10 and 1,000 agents",
      "at most 10, the same for both",
      [withAgents(agents, 10), thousand],
      (few, many) => ({
        measured: `${requestsOf(few)} and ${requestsOf(many)}`,
        met: requestsOf(few) === requestsOf(many) && requestsOf(many) <= 10,
      }),
    ),
    result("Redis commands, 1,000 agents", "at most 4 + agents with slots + 3 × slots", [thousand], (r) => {
      const most = 4 + r.agents + 3 * r.slots;
      return atMost(r.redisCommands, most, `${r.redisCommands} of ${most}`);
    }),
    result(
      "SQLite rows read, 1,000 agents, 2,000,000 old rows",
      "at most 3 × live, newly ended and small",
      [withRows(history, 2_000_000)],
      (r) => atMost(r.rowsRead, 3 * r.rowsOfInterest, `${r.rowsRead} of ${3 * r.rowsOfInterest}`),
    ),
    result(
      "DynamoDB, 1,000 agents, 1,700 newly ended runs",
      "at most 4 requests, 30 write units",
      [thousand],
      ({ requests, writeUnits }) => ({
        measured: `${requests.dynamodb} requests, ${writeUnits} write units`,
        met: requests.dynamodb <= 4 && writeUnits <= 30,
      }),
    ),
    result("peak memory, 10,000 agents", "under 256 MB", [withAgents(agents, 10_000)], ({ peakMb }) => ({
      measured: `${peakMb.toFixed(0)} MB`,
      met: peakMb < 256,
    })),
  ];
}

function otherTargets({ docker, start }: BenchReport): TargetResult[] {
  const containers = (count: number) => docker.find((report) => report.containers === count);
  return [
    result(
      "20 containers, real dockerd, against one exec after the other",
      "at least 4 × faster",
      [containers(20)],
      ({ execsMs, steps }) => atLeast(execsMs.median / steps.docker!.median, 4),
    ),
    result(
      "10 agents, 5 real containers, against the plain loop",
      "at most a third",
      [containers(5)],
      ({ cycleMs, plainMs }) => {
        const ratio = cycleMs.median / plainMs.median;
        return atMost(ratio, 1 / 3, `${(100 * ratio).toFixed(0)} %`);
      },
    ),
    result(
      "start of the cycle's bundle, against an empty handler with the same clients",
      "at most 1.5 ×",
      [start],
      ({ cycle, empty }) => {
        const ratio = cycle.initMs.median / empty.initMs.median;
        return atMost(ratio, 1.5, times(ratio));
      },
    ),
  ];
}

/** Gives every target in the order in which they are shown. */
export const targetsOf = (report: BenchReport): TargetResult[] => [
  ...timeTargets(report),
  ...countTargets(report),
  ...otherTargets(report),
];
