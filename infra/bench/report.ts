/** What a bench came to, for a terminal and as docs/performance.md. */
import type { DockerReport, SmallReport } from "./measure-docker.ts";
import { type FleetReport, LIMITS } from "./measure-fleet.ts";
import { renderStart, type StartReport } from "./start.ts";
import type { Spread } from "./statistics.ts";
import { judgeTargets } from "./targets.ts";

export interface BenchReport {
  readonly node: string;
  readonly cpus: number;
  readonly runs: number;
  readonly agents: readonly FleetReport[];
  readonly history: readonly FleetReport[];
  readonly docker: readonly DockerReport[];
  readonly small: SmallReport | null;
  readonly start: StartReport | null;
  readonly tookSeconds: number;
}

/** Parts that were measured in runs of their own, as one report: the later counts where two have the same part. */
export function mergeReports(reports: readonly BenchReport[]): BenchReport {
  const latest = <K extends "agents" | "history" | "docker">(part: K): BenchReport[K] =>
    reports.findLast((report) => report[part].length > 0)?.[part] ?? [];
  const [first] = reports;
  if (!first) throw new Error("there is no report: give a file that --json wrote");
  return {
    ...first,
    agents: latest("agents"),
    history: latest("history"),
    docker: latest("docker"),
    small: reports.findLast(({ small }) => small)?.small ?? null,
    start: reports.findLast(({ start }) => start)?.start ?? null,
    tookSeconds: reports.reduce((sum, { tookSeconds }) => sum + tookSeconds, 0),
  };
}

const number = (n: number) => n.toLocaleString("en-US");
const ms = ({ median, least, most }: Spread) =>
  [median, least, most].map((value) => value.toFixed(value < 10 ? 1 : 0)).join(" / ");
const maybe = (spread: Spread | null | undefined) => (spread ? ms(spread) : "–");
const table = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");

const STEPS = [
  "lease",
  "terminal memory",
  "sqlite",
  "redis",
  "docker",
  "sources",
  "evaluate",
  "confirm",
  "step",
  "evidence",
  "commit",
];

function targetsTable(report: BenchReport): string {
  const word = { true: "met", false: "**not met**", null: "not measured" };
  return table(
    ["what", "target", "measured", ""],
    judgeTargets(report).map(({ what, target, measured, met }) => [
      what,
      target,
      measured ?? "–",
      word[`${met}`],
    ]),
  );
}

const nameOf = (fleet: FleetReport, axis: "agents" | "history") =>
  axis === "agents" ? `${number(fleet.agents)} agents` : `${number(fleet.oldRows)} old rows`;

function fleetTables(fleets: readonly FleetReport[], axis: "agents" | "history"): string {
  const names = fleets.map((fleet) => nameOf(fleet, axis));
  const row = (name: string, of: (fleet: FleetReport) => string) => [name, ...fleets.map(of)];
  const traffic = (source: keyof FleetReport["traffic"]) =>
    row(`${source}: requests, kB out, kB in`, ({ traffic: { [source]: t } }) =>
      [number(t.requests), number(Math.ceil(t.bytesOut / 1000)), number(Math.ceil(t.bytesIn / 1000))].join(
        ", ",
      ),
    );
  const times = table(
    ["ms (median / least / most)", ...names],
    [
      row("**cycle**", (f) => ms(f.cycleMs)),
      row("floor: its requests and no work", (f) => ms(f.floorMs)),
      row("plain loop", (f) => maybe(f.plainMs)),
      row("over a database file", (f) => maybe(f.fileCycleMs)),
      row("first cycle of a process", (f) => f.firstCycleMs.toFixed(0)),
      row("CPU", (f) => ms(f.cpuMs)),
      ...STEPS.filter((step) => fleets.some((f) => f.steps[step])).map((step) =>
        row(`step: ${step}`, (f) => maybe(f.steps[step])),
      ),
    ],
  );
  const counts = table(
    ["count", ...names],
    [
      traffic("sqlite"),
      traffic("redis"),
      traffic("dynamodb"),
      row("requests of the plain loop", (f) => (f.plainRequests === null ? "–" : number(f.plainRequests))),
      row("Redis commands", (f) => number(f.redisCommands)),
      row("SQLite rows read", (f) => number(f.rowsRead)),
      row("DynamoDB write units, read units", (f) => `${f.writeUnits}, ${f.readUnits}`),
      row(
        "peak MB, with a limit and without",
        (f) => `${f.peakLimitedMb.toFixed(0)}, ${f.peakMb.toFixed(0)}`,
      ),
    ],
  );
  return `${times}\n\n${counts}`;
}

const dockerTable = (docker: readonly DockerReport[]) =>
  table(
    ["containers", "source, ms", "one exec after the other, ms", "ratio", "cores at work in each", "most"],
    docker.map(({ engine, containers, sourceMs, plainMs, sourceBusy, plainBusy }) => [
      `${containers} (${engine === "stub" ? "an API that answers at once" : "real dockerd"})`,
      ms(sourceMs),
      ms(plainMs),
      containers > 0 ? (plainMs.median / sourceMs.median).toFixed(1) : "–",
      containers > 0 ? `${(100 * sourceBusy).toFixed(0)} %, ${(100 * plainBusy).toFixed(0)} %` : "–",
      // With all cores at work and nothing lost: the work of the loop, done at once.
      containers > 0 ? (1 / plainBusy).toFixed(1) : "–",
    ]),
  );

/** Where a cycle's own time goes. */
function profileOf(agents: readonly FleetReport[]): string {
  const profiled = agents.find(({ profile }) => profile.length > 0);
  if (!profiled) return "";
  const rows = profiled.profile.map(({ part, ms: value }) => [part, value.toFixed(1)]);
  return `## Profile, ${number(profiled.agents)} agents\n\nThe process's own time in a warm cycle, by who wrote the code. The floor has some of it too: the sockets, and what is native of them.\n\n${table(["part", "ms a cycle"], rows)}`;
}

/** @returns the parts that were measured, each under its heading */
function sections(report: BenchReport): string[] {
  const { agents, history, docker, small, start } = report;
  return [
    `## Targets\n\n${targetsTable(report)}`,
    agents.length > 0 ? `## By agents, 200,000 old rows\n\n${fleetTables(agents, "agents")}` : "",
    profileOf(agents),
    history.length > 0 ? `## By history, 1,000 agents\n\n${fleetTables(history, "history")}` : "",
    docker.length > 0 ? `## Containers\n\n${dockerTable(docker)}` : "",
    small
      ? `Ten agents and five real containers: cycle ${ms(small.cycleMs)} ms, of which Docker ${maybe(small.steps.docker)} ms; the plain loop ${ms(small.plainMs)} ms.`
      : "",
    start ? `## Start\n\n\`\`\`\n${renderStart(start)}\n\`\`\`` : "",
  ].filter(Boolean);
}

/** @returns the report for a terminal */
export const renderReport = (report: BenchReport): string => sections(report).join("\n\n");

/** @returns docs/performance.md */
export const performancePage = (
  report: BenchReport,
): string => `<!-- Written by \`npm run bench -- --write\` from the report of a bench. Change infra/bench/report.ts. -->

# Performance

Measured by \`npm run bench\` on ${report.cpus} cores, the servers among them, with Node ${report.node}; times are the median, the
least and the most of ${report.runs} cycles in a warm process, and mean something only beside others of the same table. All parts
took ${Math.round(report.tookSeconds / 60)} minutes.

${sections(report).join("\n\n")}

## How it is measured

- **Fleet**: each agent has two running rows with slots, a queued row, a schedule and a tag. 10,000 rows ended in the last
  half an hour (a sixth of them since the last cycle), the rest is history of 90 days. The memory holds two hours of finished runs.
- **Servers**: sqld over HTTP, redis-server behind the REST protocol, dynalite, dockerd: real, on the loopback, each in a
  process of its own. Before each cycle the table is put back to what it was, so that each run writes the same.
- **Cycle**: the bundle of a function, in a process of its own that is kept, as a warm function is. Three cycles are left out
  before the five that count. Its confirmation is measured in cycles that have a red to confirm, without their wait.
- **Floor**: the requests of such a cycle, recorded on the wire and sent again byte by byte over kept connections. Each is
  sent once those are answered that had been answered when the cycle sent it; answers are read and thrown away.
- **Plain loop**: one introspection, one SELECT, one count and one ZRANGE for each agent, a TTL for each slot, an exec of the
  same \`ps\` for each container, one after the other, with the same client libraries over kept connections. It runs three times after the
  cycles, and once at 10,000 agents, where it takes minutes.
- **Rows read** are judged against three times all of them together: live, newly ended, and those of the small tables.
- **Counts**: commands and bytes on the wire, rows as sqld reports them, units as DynamoDB's answers do. A hosted Redis may
  not count MULTI and EXEC; here they count.
- **Memory**: the most that a process held that ran nothing but cycles. With a limit means \`${LIMITS.join(" ")}\`, what
  fits in a function of 256 MB; without one V8 lets garbage lie while the machine has room.

## What the limits are

- **The floor.** A cycle's work beside its requests is decoding answers, checking, and hashing the ids that E-02 remembers.
  Most of it is done while a slower source is waited for, and that is where it meets the servers: they share two cores
  with it, so what the cycle computes then, they wait for. What can't be done earlier is the decoding of the last
  answer of Redis, the checks that need it, and the garbage collection that all of it causes. The parts that are left are those
  of the client libraries: an object for each Redis command, base64 for each of its strings, JSON for all.
- **Containers.** An exec starts a process in the container by way of containerd and runc, and costs the daemon CPU
  time that no client can save. Sixteen are under way at once; beyond the number of cores they wait for each other: where
  one exec after the other keeps half of the cores at work already, all of them can be no more than twice as fast (the
  table's last column). A daemon with more cores gains more, up to sixteen execs at once. Five containers and ten agents are
  bound by the same: nearly all of that cycle is Docker's.
- **10,000 agents over HTTP.** sqld refuses an answer above 10 MB; rows are packed, and what comes in then is in the table of counts. A
  refused batch is asked for again statement by statement, in one transaction.
`;
