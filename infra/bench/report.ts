/** What a bench measured, as tables for a terminal and for docs/performance.md. */
import { AWS_PRICES, UPSTASH_PRICES } from "../../shared/prices.ts";
import { table } from "../markdown.ts";
import { BEARER_USD, sumOf } from "./costs.ts";
import { shareOf } from "./cpu-share.ts";
import type { FleetReport } from "./measure-fleet.ts";
import type { PostgresReport } from "./measure-postgres.ts";
import { type Month, monthOf } from "./month.ts";
import { median } from "./statistics.ts";
import { type BenchReport, TARGETS } from "./targets.ts";

const number = (n: number) => n.toLocaleString("en-US", { maximumFractionDigits: 1 });
const ms = (values: readonly number[]): string =>
  values.length === 0
    ? "–"
    : [median(values), Math.min(...values), Math.max(...values)]
        .map((value) => value.toFixed(value < 10 ? 1 : 0))
        .join(" / ");
const usd = (n: number) => n.toFixed(2);

function targetsTable(report: BenchReport): string {
  return table(
    ["what", "target", "measured", ""],
    TARGETS.map(({ what, target, judge }) => {
      const judged = judge(report);
      return judged === null
        ? [what, target, "–", "not measured"]
        : [what, target, judged.measured, judged.isMet ? "ok" : "**missed**"];
    }),
  );
}

const nameOf = ({ agents, oldRows }: FleetReport) =>
  `${number(agents)} agents${oldRows > 100_000 ? `, ${number(oldRows)} old rows` : ""}`;

/** Makes a table with a column for each fleet. */
function fleetTable(
  head: string,
  fleets: readonly FleetReport[],
  rows: readonly (readonly [string, (fleet: FleetReport) => string | number])[],
): string {
  return table(
    [head, ...fleets.map(nameOf)],
    rows.map(([name, of]) => [name, ...fleets.map(of)]),
  );
}

function timesTable(fleets: readonly FleetReport[]): string {
  const steps = Object.keys(fleets[0]!.cycles[0]!.steps);
  return fleetTable("ms (median / least / most)", fleets, [
    ["**cycle**", (f) => ms(f.cycles.map((cycle) => cycle.ms))],
    ["by transactions", (f) => ms(f.multi.map((cycle) => cycle.ms))],
    ["floor: its requests and no work", (f) => ms(f.floorMs)],
    ["plain loop", (f) => ms(f.plainMs)],
    ["CPU of the floor", (f) => ms(f.floorCpuMs)],
    ["CPU", (f) => ms(f.cycles.map(({ cpuMs }) => cpuMs))],
    ["CPU by transactions", (f) => ms(f.multi.map(({ cpuMs }) => cpuMs))],
    ...steps.map(
      (step) =>
        [`step: ${step}`, (f: FleetReport) => ms(f.cycles.map((cycle) => cycle.steps[step] ?? 0))] as const,
    ),
    ["step: redis, by transactions", (f) => ms(f.multi.map((cycle) => cycle.steps.redis ?? 0))],
    ["peak MB", (f) => f.peakMb.toFixed(0)],
  ]);
}

const inTurn = (one: number, other: number) => `${number(one)} (${number(other)})`;

function countsTable(fleets: readonly FleetReport[]): string {
  return fleetTable("of one warm cycle (by transactions)", fleets, [
    ["Redis commands on the wire", (f) => inTurn(f.counts.commands, f.multiCounts.commands)],
    ["commands that Redis runs", (f) => inTurn(f.counts.commandsRun, f.multiCounts.commandsRun)],
    ["requests to Redis", (f) => inTurn(f.counts.redisRequests, f.multiCounts.redisRequests)],
    ["kB to Redis", (f) => inTurn(f.counts.redisBytesOut / 1000, f.multiCounts.redisBytesOut / 1000)],
    ["kB from Redis", (f) => inTurn(f.counts.redisBytesIn / 1000, f.multiCounts.redisBytesIn / 1000)],
    [
      "ms that Redis is blocked at most (median / least / most)",
      (f) => `${ms(f.counts.blockedMs)} (${ms(f.multiCounts.blockedMs)})`,
    ],
    ["requests to the database, to DynamoDB", (f) => `${f.counts.sqlRequests}, ${f.counts.dynamoRequests}`],
    [
      "DynamoDB read units, write units",
      (f) => `${number(f.counts.units.read)}, ${number(f.counts.units.write)}`,
    ],
    ["kB of log", (f) => number(f.counts.logBytes / 1000)],
  ]);
}

function sizesTable(fleets: readonly FleetReport[]): string {
  const sizes = fleets[0]!.sizes.map(({ memoryMb }) => memoryMb);
  return table(
    ["memory (share of a core)", ...fleets.map((fleet) => `${nameOf(fleet)}: first, warm, CPU, peak`)],
    sizes.map((memoryMb, i) => [
      `${number(memoryMb)} MB (${(100 * shareOf(memoryMb)).toFixed(0)} %)`,
      ...fleets.map(({ sizes }) => {
        const { firstMs, warm } = sizes[i]!;
        if (firstMs === null) return "not measured here";
        const middle = (of: (run: (typeof warm)[number]) => number) => median(warm.map(of)).toFixed(0);
        return `${(firstMs / 1000).toFixed(1)} s, ${middle((run) => run.ms)} ms, ${middle((run) => run.cpuMs)} ms, ${middle((run) => run.peakMb)} MB`;
      }),
    ]),
  );
}

function costTable(fleets: readonly FleetReport[]): string {
  const months = fleets.map(monthOf);
  const row = (name: string, of: (month: Month) => string) => [name, ...months.map(of)];
  const plans = {
    free: UPSTASH_PRICES.free,
    byCommand: UPSTASH_PRICES.byCommand,
    fixed: UPSTASH_PRICES.fixed,
  };
  const rows = table(
    ["dollars a month", ...fleets.map(nameOf)],
    [
      ...months[0]!.aws.map(({ what }, i) => row(what, ({ aws }) => usd(aws[i]!.usd))),
      row("**AWS**, with `iam`", ({ aws }) => `**${usd(sumOf(aws))}**`),
      row("AWS, with `bearer` (one more secret and alarm)", ({ aws }) => usd(sumOf(aws) + BEARER_USD)),
      row("Redis: one's own", () => usd(0)),
      row(
        `Redis: ${plans.byCommand.name}, million commands`,
        ({ redis }) => `${usd(redis.byCommand)}, ${number(redis.commands / 1e6)}`,
      ),
      row(
        `Redis: ${plans.fixed.name}, GB of ${plans.fixed.gbMonth}`,
        ({ redis, redisGb }) => `${usd(redis.fixed)}, ${number(redisGb)}`,
      ),
      row("the plan that fits", ({ redis }) => plans[redis.best].name),
    ],
  );
  const seconds = months
    .map((month) => `${month.seconds.toFixed(2)} s${month.isComputed ? " (CPU divided by the share)" : ""}`)
    .join(", ");
  return `${rows}\n\nPrices: ${AWS_PRICES.of}; ${UPSTASH_PRICES.of}. A cycle in the function takes ${seconds}.`;
}

const dockerTable = (docker: BenchReport["docker"]) =>
  table(
    [
      "real containers",
      "cycle, ms",
      "of which Docker, ms",
      "plain loop, ms",
      "one exec after the other, ms",
      "busy cores: cycle, execs",
    ],
    docker.map(({ containers, cycles, plainMs, execsMs, busyCores }) => [
      containers,
      ms(cycles.map((cycle) => cycle.ms)),
      ms(cycles.map(({ steps }) => steps.docker!)),
      ms(plainMs),
      ms(execsMs),
      `${median(busyCores.cycle).toFixed(1)}, ${median(busyCores.execs).toFixed(1)}`,
    ]),
  );

const postgresTable = ({ cycles, reads }: PostgresReport) =>
  table(
    ["ms (median / least / most)", "sqld", "PostgreSQL", "PostgreSQL, a hundred times the history"],
    [
      ["**cycle**", ms(cycles.sqld), ms(cycles.postgres), ms(cycles.manyRows)],
      ["read of all facts alone", ms(reads.sqld), ms(reads.postgres), ms(reads.manyRows)],
    ],
  );

/** Makes a table of the runs of each name, compared with those of the first. */
function ratioTable(
  head: readonly [string, string, string],
  runs: Readonly<Record<string, readonly number[]>>,
) {
  const [first = []] = Object.values(runs);
  return table(
    head,
    Object.entries(runs).map(([name, values]) => [
      name,
      ms(values),
      (median(values) / median(first)).toFixed(2),
    ]),
  );
}

/** Gives the parts that were measured, by their names in docs/performance.md. */
export function partsOf(report: BenchReport): Record<string, string> {
  const { fleets, docker, postgres, start, cli } = report;
  const sized = fleets.filter(({ sizes }) => sizes.length > 0);
  const quoted = Object.entries(cli ?? {}).map(([name, values]) => [`\`${name}\``, values] as const);
  return {
    targets: targetsTable(report),
    ...(fleets.length > 0 && { times: timesTable(fleets), counts: countsTable(fleets) }),
    ...(sized.length > 0 && { sizes: sizesTable(sized), costs: costTable(sized) }),
    ...(postgres && { postgres: postgresTable(postgres) }),
    ...(docker.length > 0 && { containers: dockerTable(docker) }),
    ...(start && { start: ratioTable(["function", "start, ms", "ratio to empty"], start) }),
    ...(cli && {
      cli: ratioTable(["command", "CPU, ms", "ratio to `node -e 0`"], Object.fromEntries(quoted)),
    }),
  };
}
