/** `npm run chaos`: exits with 0 only if everything held. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import {
  type ChaosOptions,
  failuresOf,
  PART_NAMES,
  type PartName,
  type PartReport,
  runChaos,
} from "./chaos.ts";
import { ChaosError } from "./course.ts";
import { renderChaos } from "./render.ts";

const EXIT = { held: 0, broken: 1, usage: 254, crash: 255 } as const;

const numberFrom =
  (least: number, most: number, { whole = true } = {}) =>
  (text: string): number => {
    const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    throw new InvalidArgumentError(`give a ${whole ? "whole " : ""}number from ${least} to ${most}.`);
  };

function partNames(text: string): PartName[] {
  const names = text.split(",");
  const unknown = names.filter((name) => !PART_NAMES.includes(name as PartName));
  if (unknown.length === 0) return names as PartName[];
  throw new InvalidArgumentError(`there is no ${unknown.join(", ")}: give some of ${PART_NAMES.join(",")}.`);
}

async function main(): Promise<number> {
  const command = new Command("npm run chaos --")
    .description(
      "Kill canaries, let them meet, set their clocks apart and let DynamoDB fail, and account for every transition",
    )
    .option("--kills <n>", "how many kills -9", numberFrom(1, 2_000), 200)
    .option(
      "--minutes <n>",
      "how long two processes run; clocks and DynamoDB take 2/5 of it each",
      numberFrom(0.05, 120, { whole: false }),
      5,
    )
    .option("--seed <n>", "repeats what was drawn in another run", numberFrom(0, 2 ** 31 - 1))
    .option("--only <parts>", `some of ${PART_NAMES.join(",")}`, partNames, PART_NAMES)
    .exitOverride();
  try {
    const { seed, ...rest } = command.parse().opts<Omit<ChaosOptions, "seed"> & { seed?: number }>();
    const options = { ...rest, seed: seed ?? Math.floor(Math.random() * 2 ** 31) };
    const stopping = new AbortController();
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.once(name, () => stopping.abort(new ChaosError(`stopped by ${name} before its end`)));
    const onProgress = (line: string) => console.error(line);
    onProgress(`seed ${options.seed}`);
    const onPart = (report: PartReport) => {
      const failures = failuresOf(report).length;
      onProgress(`${report.title}: ${failures === 0 ? "everything held" : `${failures} did not hold`}`);
    };
    const reports = await runChaos({ ...options, signal: stopping.signal, onProgress, onPart });
    console.log(renderChaos(reports, options));
    return reports.some((report) => failuresOf(report).length > 0) ? EXIT.broken : EXIT.held;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.held : EXIT.usage;
    if (error instanceof ChaosError) {
      console.error(error.message);
      return EXIT.usage;
    }
    console.error(error);
    return EXIT.crash;
  }
}

// Set rather than called: what is still being written to a pipe must arrive.
process.exitCode = await main();
