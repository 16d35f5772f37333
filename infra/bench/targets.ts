/** The targets that the bench judges. `test/live/costs.test.ts` judges the counts among them, on every run of the tests. */
import type { CliReport } from "./cli.ts";
import { BEARER_USD, sumOf } from "./costs.ts";
import type { CycleRun } from "./cycle-process.ts";
import type { DaemonsReport } from "./measure-daemons.ts";
import type { DockerReport } from "./measure-docker.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { InTurns, PostgresReport } from "./measure-postgres.ts";
import { monthOf } from "./month.ts";
import type { StartReport } from "./start.ts";
import { median } from "./statistics.ts";

export interface BenchReport {
  readonly fleets: readonly FleetReport[];
  readonly docker: readonly DockerReport[];
  readonly daemons: DaemonsReport | null;
  readonly postgres: PostgresReport | null;
  readonly start: StartReport | null;
  readonly cli: CliReport | null;
}

export interface Judged {
  readonly measured: string;
  readonly isMet: boolean;
}

export interface Target {
  readonly what: string;
  readonly target: string;
  /** Gives null where the part was not measured. */
  readonly judge: (report: BenchReport) => Judged | null;
}

type Measure = (report: BenchReport) => number | null;

const times = (n: number) => `${n.toFixed(n < 10 ? 2 : 0)} ×`;
const whole = (unit: string) => (n: number) => `${n.toFixed(0)}${unit}`;
const count = (n: number) => n.toLocaleString("en-US", { maximumFractionDigits: 1 });

const judged =
  (
    measure: Measure,
    isMet: (measured: number) => boolean,
    show: (measured: number) => string,
  ): Target["judge"] =>
  (report) => {
    const measured = measure(report);
    return measured === null || Number.isNaN(measured)
      ? null
      : { measured: show(measured), isMet: isMet(measured) };
  };

const atMost = (most: number, measure: Measure, show: (measured: number) => string = times) =>
  judged(measure, (measured) => measured <= most, show);
const under = (limit: number, measure: Measure, show: (measured: number) => string) =>
  judged(measure, (measured) => measured < limit, show);
const atLeast = (least: number, measure: Measure) => judged(measure, (measured) => measured >= least, times);

/** Judges one number for each of several fleets. Without one of them there is no judgement. */
const ofEach =
  (measures: readonly Measure[], mosts: (report: BenchReport) => readonly number[]): Target["judge"] =>
  (report) => {
    const measured = measures.map((measure) => measure(report));
    if (!measured.every((one) => one !== null)) return null;
    const most = mosts(report);
    return { measured: measured.map(count).join(", "), isMet: measured.every((one, i) => one <= most[i]!) };
  };

/** Divides the medians; null where one of them was not measured. */
const ratio = (of: readonly number[] = [], to: readonly number[] = []): number | null =>
  of.length > 0 && to.length > 0 ? median(of) / median(to) : null;
const msOf = (cycles: readonly CycleRun[] = []) => cycles.map(({ ms }) => ms);

const [SHORT_HISTORY, LONG_HISTORY] = [20_000, 2_000_000];
const SIZES = [10, 1_000, 10_000] as const;

/** The fleet of so many agents. */
const fleetOf = ({ fleets }: BenchReport, agents: number, oldRows = SHORT_HISTORY) =>
  fleets.find((fleet) => fleet.agents === agents && fleet.oldRows === oldRows);
const ofFleet =
  (agents: number, measure: (fleet: FleetReport) => number | null): Measure =>
  (report) => {
    const fleet = fleetOf(report, agents);
    return fleet === undefined ? null : measure(fleet);
  };
const withContainers = ({ docker }: BenchReport, containers: number) =>
  docker.find((one) => one.containers === containers);

const againstMulti = (agents: number) =>
  ofFleet(agents, ({ cycles, multi }) => ratio(msOf(cycles), msOf(multi)));

const SPEED: readonly Target[] = [
  {
    what: "1,000 agents, no Docker, against the floor of its own requests",
    target: "≤ 1.3 ×",
    judge: atMost(
      1.3,
      ofFleet(1_000, ({ cycles, floorMs }) => ratio(msOf(cycles), floorMs)),
    ),
  },
  {
    what: "1,000 agents, scripts against transactions (MULTI)",
    target: "≤ 0.5 ×",
    judge: atMost(0.5, againstMulti(1_000)),
  },
  {
    what: "10,000 agents, scripts against transactions",
    target: "≤ 0.45 ×",
    judge: atMost(0.45, againstMulti(10_000)),
  },
  {
    what: "1,000 agents, no Docker, against the plain loop",
    target: "≥ 25 × faster",
    judge: atLeast(
      25,
      ofFleet(1_000, ({ cycles, plainMs }) => ratio(plainMs, msOf(cycles))),
    ),
  },
  {
    what: "from 100 to 10,000 agents",
    target: "≤ 60 ×",
    judge: atMost(60, (r) => ratio(msOf(fleetOf(r, 10_000)?.cycles), msOf(fleetOf(r, 100)?.cycles))),
  },
  {
    what: "1,000 agents, from 20,000 to 2,000,000 old rows",
    target: "≤ 1.2 ×",
    judge: atMost(1.2, (r) =>
      ratio(msOf(fleetOf(r, 1_000, LONG_HISTORY)?.cycles), msOf(fleetOf(r, 1_000)?.cycles)),
    ),
  },
];

const onPostgres =
  (part: "cycles" | "reads", of: keyof InTurns, to: keyof InTurns): Measure =>
  ({ postgres }) =>
    postgres?.agents === 1_000 ? ratio(postgres[part][of], postgres[part][to]) : null;
const POSTGRES = (["cycles", "reads"] as const).flatMap((part): Target[] => {
  const what = `PostgreSQL, 1,000 agents, ${part === "cycles" ? "a warm cycle" : "a read of all facts alone"}`;
  const [toSqld, toFew] = [onPostgres(part, "postgres", "sqld"), onPostgres(part, "manyRows", "postgres")];
  return [
    { what: `${what} against sqld`, target: "≤ 1.3 ×", judge: atMost(1.3, toSqld) },
    { what: `${what}, from 20,000 to 2,000,000 old rows`, target: "≤ 1.2 ×", judge: atMost(1.2, toFew) },
  ];
});

const COUNTS: readonly Target[] = [
  {
    what: "Redis commands on the wire, 10, 1,000 and 10,000 agents",
    target: "≤ 4, ≤ 12, ≤ 80",
    judge: ofEach(
      SIZES.map((agents) => ofFleet(agents, ({ counts }) => counts.commands)),
      () => [4, 12, 80],
    ),
  },
  {
    what: "commands that Redis runs, those in scripts too; the same",
    target: "no more than by transactions",
    judge: ofEach(
      SIZES.map((agents) => ofFleet(agents, ({ counts }) => counts.commandsRun)),
      (r) => SIZES.map((agents) => fleetOf(r, agents)!.multiCounts.commandsRun),
    ),
  },
  {
    what: "bytes sent to Redis, 1,000 agents",
    target: "≤ 60 kB",
    judge: atMost(
      60,
      ofFleet(1_000, ({ counts }) => counts.redisBytesOut / 1000),
      whole(" kB"),
    ),
  },
  {
    what: "longest time that Redis is blocked, 10,000 agents",
    target: "≤ 5 ms",
    judge(report) {
      const { blockedMs = [] } = fleetOf(report, 10_000)?.counts ?? {};
      if (blockedMs.length === 0) return null;
      const middle = median(blockedMs);
      return {
        measured: `${middle.toFixed(1)} ms (at most ${Math.max(...blockedMs).toFixed(1)})`,
        isMet: middle <= 5,
      };
    },
  },
  {
    what: "DynamoDB read units of a warm cycle, 1,000 agents",
    target: "≤ 10",
    judge: atMost(
      10,
      ofFleet(1_000, ({ counts }) => counts.units.read),
      count,
    ),
  },
  {
    what: "requests to DynamoDB and to the database, 1,000 agents",
    target: "≤ 6, ≤ 1",
    judge: ofEach(
      [
        ofFleet(1_000, ({ counts }) => counts.dynamoRequests),
        ofFleet(1_000, ({ counts }) => counts.sqlRequests),
      ],
      () => [6, 1],
    ),
  },
  {
    what: "a month for 1,000 agents, AWS alone (with `iam`)",
    target: "≤ 5 dollars",
    judge: atMost(
      5,
      ofFleet(1_000, (fleet) => sumOf(monthOf(fleet).aws)),
      (usd) => `${usd.toFixed(2)} dollars (with \`bearer\` ${(usd + BEARER_USD).toFixed(2)})`,
    ),
  },
];

const WORK: readonly Target[] = [
  {
    what: "CPU of a warm cycle, 1,000 agents",
    target: "≤ 60 ms",
    judge: atMost(
      60,
      ofFleet(1_000, ({ cycles }) => median(cycles.map(({ cpuMs }) => cpuMs))),
      whole(" ms"),
    ),
  },
  {
    what: "peak memory at 10,000 agents, without a limit",
    target: "< 256 MB",
    judge: under(
      256,
      ofFleet(10_000, ({ peakMb }) => peakMb),
      whole(" MB"),
    ),
  },
  {
    what: "start of the cycle's bundle, against an empty handler with the same clients",
    target: "≤ 1.1 ×",
    judge: atMost(1.1, ({ start }) => ratio(start?.cycle, start?.empty)),
  },
  ...(["canary --help", "canary --version", "canary status"] as const).map(
    (command): Target => ({
      what: `CPU of \`${command}\``,
      target: "< 250 ms",
      judge: under(250, ({ cli }) => cli && median(cli[command]), whole(" ms")),
    }),
  ),
];

const READERS = { daemons: 100, containers: 5_000, ms: 10_000 } as const;
const ONE_PROCESS = { daemons: 40, containers: 2_000, cycles: 3 } as const;

const DOCKER: readonly Target[] = [
  {
    what: "20 containers, real dockerd, against one exec after the other",
    target: "≥ 4 × faster",
    judge: atLeast(4, (r) =>
      ratio(
        withContainers(r, 20)?.execsMs,
        withContainers(r, 20)?.cycles.map(({ steps }) => steps.docker!),
      ),
    ),
  },
  {
    what: "10 agents, 5 real containers, against the plain loop",
    target: "≤ 0.33 ×",
    judge: atMost(1 / 3, (r) => ratio(msOf(withContainers(r, 5)?.cycles), withContainers(r, 5)?.plainMs)),
  },
  {
    what: "100 daemons × 50 containers (stub daemons over TLS, 1,024 descriptors, 512 MB), by readers",
    target: "all 5,000 seen within 10 s",
    judge({ daemons }) {
      const readers = daemons?.readers;
      return readers
        ? {
            measured: `${count(readers.seen)} in ${(readers.ms / 1000).toFixed(1)} s`,
            isMet: readers.seen === READERS.containers && readers.ms <= READERS.ms,
          }
        : null;
    },
  },
  {
    what: "40 daemons × 50 containers in one process",
    target: "every container seen within three cycles, no EMFILE",
    judge({ daemons }) {
      const { oneProcess: one, inFunction } = daemons ?? {};
      const inPart = inFunction ? ` (with the CPU of 512 MB ${inFunction.seen.map(count).join(", ")})` : "";
      return one
        ? {
            measured: `${one.seen.map(count).join(", ")} seen${inPart}; ${one.outOfDescriptors} EMFILE`,
            isMet:
              one.outOfDescriptors === 0 &&
              one.seen.slice(0, ONE_PROCESS.cycles).includes(ONE_PROCESS.containers),
          }
        : null;
    },
  },
];

/** In the order in which they are shown. */
export const TARGETS: readonly Target[] = [...SPEED, ...POSTGRES, ...COUNTS, ...WORK, ...DOCKER];
