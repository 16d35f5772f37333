/** `npm run evidence`: runs the soaks and the clock jumps, and writes the results into docs/evidence.md. */
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { Argument, Command } from "commander";
import { loadLocal } from "../../shared/config/local.ts";
import { EXIT, runProgram, stoppedByUser } from "../command-line.ts";
import { findDocker } from "../local/docker.ts";
import { table, writeParts } from "../markdown.ts";
import { RELEASES } from "../platform/releases.ts";
import { CORRECTION_NAMES, CORRECTIONS } from "./corrections.ts";
import { SoakError } from "./harness.ts";
import { LOAD_KINDS } from "./load/churn.ts";
import { commandOf } from "./render.ts";
import { runSoak, type SoakOptions, type SoakReport } from "./soak.ts";

const PAGE = fileURLToPath(new URL("../../docs/evidence.md", import.meta.url));

/** The options of every run. A clock that jumps by more than a second makes G-03 red, and rightly. */
const USUAL = {
  seed: 20_261_123,
  scale: 1,
  jumpAheadMs: 900,
  jumpBackMs: 900,
  release: "today",
  kinds: LOAD_KINDS,
} as const;
const BUSY: SoakOptions = { ...USUAL, agentCount: 20, rate: 100, cycles: 2_000, breaks: 200, confirmMs: 100 };
const LARGE: SoakOptions = { ...USUAL, agentCount: 1_000, rate: 5, cycles: 100, breaks: 25, confirmMs: 300 };
/** Each break at least once, on the other database. */
const ON_POSTGRES: SoakOptions = { ...BUSY, database: "postgres", rate: 20, cycles: 200, breaks: 25 };
/** Without breaks: every red comes from the jumps, or from what is taken out. */
const JUMPING: SoakOptions = { ...BUSY, cycles: 400, breaks: 0, checksOff: ["G-03"] };
const ABLATED: SoakOptions = { ...BUSY, cycles: 400, breaks: 0, jumpAheadMs: 1_500, checksOff: ["G-03"] };

const JUMPS_MS: readonly (readonly [ahead: number, back: number])[] = [
  [0, 0],
  [1_500, 0],
  [3_000, 0],
  [10_000, 0],
  [0, 45_000],
  [0, 120_000],
];

type Soak = (options: SoakOptions) => Promise<SoakReport>;

/** Makes the function that runs a soak, and says how it went. */
const soakWith =
  (surroundings: Pick<SoakOptions, "docker" | "signal">): Soak =>
  async (options) => {
    console.error(commandOf({ options }));
    const report = await runSoak({ ...options, ...surroundings });
    const { falseReds, missed, voidBreaks, unknowns } = report.judgement;
    console.error(
      `  ${report.cycles} cycles in ${report.seconds.toFixed(0)} s: ${falseReds.length} false reds, ${missed.length} missed, ${unknowns.length} unknown`,
    );
    for (const problem of [...falseReds.slice(0, 10), ...missed, ...voidBreaks, ...unknowns])
      console.error(`  ${JSON.stringify(problem)}`);
    return report;
  };

const machine = ({ engines, options }: SoakReport): string =>
  `Measured on ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}, ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.version}; ${engines}; all in one process but the Redis${options.database === "postgres" ? " and the PostgreSQL" : ""}.`;

function soaksPart(reports: readonly SoakReport[]): string {
  const head =
    "release, platform, ended a second, cycles, breaks, true violations, false reds, missed, unknown, time";
  const rows = reports.map(({ options, judgement, ...report }) => [
    options.release,
    `${options.agentCount} agents`,
    report.endedPerSecond.toFixed(0),
    report.cycles,
    Object.values(report.breaksByName).reduce((sum, n) => sum + n, 0),
    judgement.trueReds,
    `**${judgement.falseReds.length}**`,
    `**${judgement.missed.length}**`,
    judgement.unknowns.length,
    `${report.seconds.toFixed(0)} s`,
  ]);
  const commands = reports.map((report) => `\`\`\`sh\n${commandOf(report)}\n\`\`\``);
  return [machine(reports[0]!), table(head.split(", "), rows), ...commands].join("\n\n");
}

const breaksPart = (reports: readonly SoakReport[]): string =>
  table(
    ["break", ...reports.map(({ options }) => `${options.release}, ${options.agentCount} agents`)],
    Object.keys(reports[0]!.breaksByName).map((name) => [
      name,
      ...reports.map((report) => report.breaksByName[name]!),
    ]),
  );

const jump = (ms: number): string => (ms === 0 ? "none" : `${ms / 1000} s`);

/** Measures the parts of the page, each of which is written at once: a run that is stopped keeps what it has. */
const PARTS = {
  async soaks(soak: Soak) {
    const reports: SoakReport[] = [];
    for (const options of [BUSY, LARGE])
      for (const release of RELEASES) reports.push(await soak({ ...options, release }));
    return { soaks: soaksPart(reports), breaks: breaksPart(reports) };
  },
  async postgres(soak: Soak) {
    return { postgres: soaksPart([await soak(ON_POSTGRES)]) };
  },
  async corrections(soak: Soak) {
    const rows: (string | number)[][] = [];
    for (const without of [undefined, ...CORRECTION_NAMES]) {
      const { judgement } = await soak({ ...ABLATED, ...(without && { without }) });
      const { title, invariants } = without ? CORRECTIONS[without] : { title: "nothing", invariants: "" };
      rows.push([title, invariants, judgement.falseReds.length]);
    }
    return { corrections: table(["taken out", "invariant", "false reds"], rows) };
  },
  async jumps(soak: Soak) {
    const rows: (string | number)[][] = [];
    for (const [jumpAheadMs, jumpBackMs] of JUMPS_MS) {
      const { churn, judgement } = await soak({ ...JUMPING, jumpAheadMs, jumpBackMs });
      const { falseReds, trueReds } = judgement;
      rows.push([jump(jumpAheadMs), jump(jumpBackMs), churn.jumps, falseReds.length, trueReds]);
    }
    return { jumps: table(["ahead", "back", "jumps", "false reds", "red by the letter"], rows) };
  },
} as const;
const PART_NAMES = Object.keys(PARTS) as (keyof typeof PARTS)[];

async function main(): Promise<number> {
  const { args } = new Command("npm run evidence --")
    .description(`Run the soaks and the clock jumps, and write the results into ${PAGE}`)
    .addArgument(
      new Argument("[parts...]", "which parts of the page").choices(PART_NAMES).default(PART_NAMES),
    )
    .exitOverride()
    .parse();
  const wanted = args.length > 0 ? args : PART_NAMES;
  const { dockerHost, dockerCertPath } = loadLocal([]);
  const docker = await findDocker(dockerHost, dockerCertPath);
  if ("absent" in docker) throw new SoakError(`B-08 needs containers: ${docker.absent}`);
  const soak = soakWith({ docker, signal: stoppedByUser(SoakError) });
  for (const name of PART_NAMES.filter((part) => wanted.includes(part))) {
    writeParts(PAGE, await PARTS[name](soak));
    console.error(`written: ${name}`);
  }
  return EXIT.held;
}

await runProgram(main, SoakError);
