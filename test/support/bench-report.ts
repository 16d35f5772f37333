/** A report of a bench, as it would be if every target were met, or missed. */
import type { Counts } from "../../infra/bench/count.ts";
import type { CycleRun } from "../../infra/bench/cycle-process.ts";
import type { FleetReport } from "../../infra/bench/measure-fleet.ts";
import type { BenchReport } from "../../infra/bench/targets.ts";

const cycle = (ms: number, cpuMs: number): CycleRun => ({
  ms,
  cpuMs,
  steps: { redis: ms / 2, docker: ms / 2 },
  peakMb: 120,
  units: { read: 4, write: 36 },
  logBytes: 2_500,
  metrics: 10,
});

const counts = (commands: number, commandsRun: number, isMet: boolean): Counts => ({
  sqlRequests: isMet ? 1 : 2,
  dynamoRequests: 6,
  redisRequests: 3,
  commands,
  commandsRun,
  redisBytesOut: isMet ? 50_000 : 374_000,
  redisBytesIn: 120_000,
  units: { read: isMet ? 4 : 81, write: 36 },
  logBytes: 2_500,
  metrics: isMet ? 10 : 20,
  keptBytes: 30_000_000,
  blockedMs: isMet ? [2, 3, 2] : [13, 14, 15],
});

function fleet(agents: number, oldRows: number, isMet: boolean): FleetReport {
  const slow = (isMet ? 1 : 3) * (oldRows > 100_000 && !isMet ? 2 : 1);
  const base = agents / 10 + 20;
  const onTheWire = (isMet ? 2 : 10) + agents / 140;
  return {
    agents,
    oldRows,
    cycles: [cycle(base * slow, 40 * slow)],
    multi: [cycle(base * 2.5, 90)],
    floorMs: [base],
    floorCpuMs: [base],
    plainMs: [base * (isMet ? 40 : 10)],
    counts: counts(onTheWire, 5 * agents + (isMet ? 0 : 200), isMet),
    multiCounts: counts(5 * agents, 5 * agents + 20, isMet),
    peakMb: isMet ? 200 : 413,
    sizes: [{ memoryMb: 512, firstMs: 3_000, warm: [cycle(500, 60)] }],
  };
}

/** A report of which every target is met, or none is. */
export function reportOf(isMet: boolean): BenchReport {
  const slow = isMet ? 1 : 10;
  return {
    fleets: [
      fleet(10, 20_000, isMet),
      { ...fleet(100, 20_000, isMet), ...(!isMet && { cycles: [cycle(1, 1)] }) },
      fleet(1_000, 20_000, isMet),
      fleet(10_000, 20_000, isMet),
      fleet(1_000, 2_000_000, isMet),
    ],
    docker: [5, 20].map((containers) => ({
      containers,
      cycles: [cycle(100 * slow, 50)],
      plainMs: [400],
      execsMs: [400],
      busyCores: { cycle: [1.9], execs: [1.2] },
    })),
    daemons: {
      readers: { seen: isMet ? 5_000 : 4_950, ms: 8_000 },
      inFunction: null,
      oneProcess: { seen: isMet ? [1_500, 2_000, 2_000] : [900, 1_300, 1_999], outOfDescriptors: 0 },
    },
    postgres: {
      agents: 1_000,
      cycles: { sqld: [100], postgres: [100 * slow], manyRows: [110 * slow * slow] },
      reads: { sqld: [50], postgres: [60 * slow], manyRows: [60 * slow * slow] },
    },
    start: { empty: [80], cycle: [80 * slow], api: [110] },
    cli: {
      "node -e 0": [40],
      "canary --help": [90 * slow],
      "canary --version": [90 * slow],
      "canary explain S-02": [90],
      "canary status": [190 * slow],
    },
  };
}
