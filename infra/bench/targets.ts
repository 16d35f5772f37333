/** The targets that the cycle is held to, each with what was measured of it. */
import type { DockerReport } from "./measure-docker.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { BenchReport } from "./report.ts";

export interface Judged {
  readonly what: string;
  readonly target: string;
  /** As it is shown; null where that part was not measured. */
  readonly measured: string | null;
  readonly met: boolean | null;
}

const times = (n: number) => `${n.toFixed(n < 10 ? 2 : 0)} ×`;

const judge = <T>(
  what: string,
  target: string,
  of: T | null | undefined,
  look: (of: T) => { readonly measured: string; readonly met: boolean },
): Judged => ({ what, target, ...(of == null ? { measured: null, met: null } : look(of)) });

const atMost = (value: number, most: number, show: string) => ({ measured: show, met: value <= most });

const requestsOf = ({ traffic }: FleetReport) =>
  Object.values(traffic).reduce((sum, { requests }) => sum + requests, 0);

/** Two things that are compared; null where one of them was not measured. */
const pair = <T>(a: T | undefined, b: T | undefined): readonly [T, T] | null => (a && b ? [a, b] : null);

/** @returns every target in the order in which they are shown */
export function judgeTargets({ agents, history, docker, small, start }: BenchReport): Judged[] {
  const fleet = (size: number) => agents.find((report) => report.agents === size);
  const rows = (old: number) => history.find((report) => report.oldRows === old);
  const thousand = fleet(1_000);
  const real = docker.find(({ engine }: DockerReport) => engine === "dockerd");
  return [
    judge(
      "1,000 agents, no Docker, against the plain loop",
      "at least 25 × faster",
      thousand?.plainMs ? thousand : null,
      ({ cycleMs, plainMs }) => {
        const ratio = plainMs!.median / cycleMs.median;
        return { measured: times(ratio), met: ratio >= 25 };
      },
    ),
    judge("the same, against the floor of its own requests", "at most 1.3 ×", thousand, (r) => {
      const ratio = r.cycleMs.median / r.floorMs.median;
      return atMost(ratio, 1.3, times(ratio));
    }),
    judge("from 100 to 10,000 agents", "at most 60 ×", pair(fleet(100), fleet(10_000)), ([few, many]) => {
      const ratio = many.cycleMs.median / few.cycleMs.median;
      return atMost(ratio, 60, times(ratio));
    }),
    judge(
      "from 20,000 to 2,000,000 old rows",
      "at most 1.2 ×",
      pair(rows(20_000), rows(2_000_000)),
      ([few, many]) => {
        const ratio = many.cycleMs.median / few.cycleMs.median;
        return atMost(ratio, 1.2, times(ratio));
      },
    ),
    judge(
      "requests on a green cycle, 10 and 1,000 agents",
      "at most 10, the same for both",
      pair(fleet(10), thousand),
      ([few, many]) => ({
        measured: `${requestsOf(few)} and ${requestsOf(many)}`,
        met: requestsOf(few) === requestsOf(many) && requestsOf(many) <= 10,
      }),
    ),
    judge("Redis commands, 1,000 agents", "at most 4 + agents with slots + 3 × slots", thousand, (r) => {
      const most = 4 + r.slotHolders + 3 * r.slots;
      return atMost(r.redisCommands, most, `${r.redisCommands} of ${most}`);
    }),
    judge(
      "SQLite rows read, 1,000 agents, 2,000,000 old rows",
      "at most 3 × live, newly ended and small",
      rows(2_000_000),
      (r) => {
        const most = 3 * (r.rows.live + r.rows.newlyEnded + r.rows.small);
        return atMost(r.rowsRead, most, `${r.rowsRead} of ${most}`);
      },
    ),
    judge(
      "20 containers, real dockerd, against one exec after the other",
      "at least 4 × faster",
      real,
      ({ plainMs, sourceMs }) => {
        const ratio = plainMs.median / sourceMs.median;
        return { measured: times(ratio), met: ratio >= 4 };
      },
    ),
    judge(
      "DynamoDB, 1,000 agents, 1,700 newly ended runs",
      "at most 4 requests, 30 write units",
      thousand,
      (r) => ({
        measured: `${r.traffic.dynamodb.requests} requests, ${r.writeUnits} write units`,
        met: r.traffic.dynamodb.requests <= 4 && r.writeUnits <= 30,
      }),
    ),
    judge("peak memory, 10,000 agents", "under 256 MB", fleet(10_000), (r) => ({
      measured: `${r.peakLimitedMb.toFixed(0)} MB (${r.peakMb.toFixed(0)} MB without a limit)`,
      met: r.peakLimitedMb < 256,
    })),
    judge(
      "10 agents, 5 real containers, against the plain loop",
      "at most a third",
      small,
      ({ cycleMs, plainMs }) => {
        const ratio = cycleMs.median / plainMs.median;
        return atMost(ratio, 1 / 3, `${(100 * ratio).toFixed(0)} %`);
      },
    ),
    judge(
      "start of the cycle's bundle, against an empty handler with the same clients",
      "at most 1.5 ×",
      start,
      (s) => atMost(s.functions.cycle.ratio, 1.5, times(s.functions.cycle.ratio)),
    ),
  ];
}
