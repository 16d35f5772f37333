/** `npm run chaos`: exits with 0 only if everything held. */
import { Command, InvalidArgumentError } from "commander";
import { EXIT, numberFrom, runProgram, stoppedByUser } from "../command-line.ts";
import { databaseOption } from "../local/database-option.ts";
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
    .addOption(databaseOption().default("sqlite"))
    .option("--only <parts>", `some of ${PART_NAMES.join(",")}`, partNames, PART_NAMES)
    .exitOverride();
  const { seed, ...rest } = command.parse().opts<Omit<ChaosOptions, "seed"> & { seed?: number }>();
  const options = { ...rest, seed: seed ?? Math.floor(Math.random() * 2 ** 31) };
  const onProgress = (line: string) => console.error(line);
  onProgress(`seed ${options.seed}`);
  const onPart = (report: PartReport) => {
    const failures = failuresOf(report).length;
    onProgress(`${report.title}: ${failures === 0 ? "everything held" : `${failures} did not hold`}`);
  };
  const reports = await runChaos({ ...options, signal: stoppedByUser(ChaosError), onProgress, onPart });
  console.log(renderChaos(reports, options));
  return reports.some((report) => failuresOf(report).length > 0) ? EXIT.broken : EXIT.held;
}

await runProgram(main, ChaosError);
