/** `npm run soak`: exits with 0 only without a false red, without a missed break and without an unknown. */
import { Command, Option } from "commander";
import { progressOn } from "../../shared/cli/progress.ts";
import { loadLocal } from "../../shared/config/local.ts";
import { plainJson } from "../../shared/text.ts";
import { EXIT, numberFrom, runProgram, stoppedByUser } from "../command-line.ts";
import { databaseOption } from "../local/database-option.ts";
import { findDocker } from "../local/docker.ts";
import { LocalError } from "../local/local-error.ts";
import { RELEASES } from "../platform/releases.ts";
import { CORRECTION_NAMES } from "./corrections.ts";
import { SoakError } from "./harness.ts";
import { isProven } from "./judge.ts";
import { LOAD_KINDS, type LoadKind } from "./load/churn.ts";
import { renderSoak } from "./render.ts";
import { runSoak, type SoakOptions } from "./soak.ts";

async function main(): Promise<number> {
  const command = new Command("npm run soak --")
    .description(
      "Let the canary look at a simulated platform at full churn, and judge each violation. Pull agents have containers where the Docker daemon of this machine, or of DOCKER_HOST, answers",
    )
    .addOption(
      new Option("--release <name>", "the release that is simulated").choices(RELEASES).default("today"),
    )
    .addOption(
      new Option(
        "--load <kinds...>",
        "the kinds of load, next to tasks, full queues, resizes and clock jumps",
      )
        .choices([...LOAD_KINDS, "none"])
        .default(LOAD_KINDS, "all"),
    )
    .addOption(
      new Option("--without <name>", "what is taken out of the canary, to see its false reds").choices(
        CORRECTION_NAMES,
      ),
    )
    .addOption(databaseOption().default("sqlite"))
    .option("--cycles <n>", "how many cycles, back to back", numberFrom(1, 1_000_000), 100)
    .option("--rate <n>", "executions a second", numberFrom(0.1, 1_000, { whole: false }), 20)
    .option("--agents <n>", "how many agents", numberFrom(1, 10_000), 20)
    .option("--breaks <n>", "how many breaks are made and cured", numberFrom(0, 100_000), 10)
    .option("--seed <n>", "repeats what was drawn in another run", numberFrom(0, 2 ** 31 - 1))
    .option(
      "--scale <n>",
      "how many times as fast the platform lives",
      numberFrom(0.1, 1_000, { whole: false }),
      1,
    )
    .option("--confirm-ms <n>", "the canary's wait before it reads again", numberFrom(0, 60_000), 300)
    .option(
      "--jump-ahead-ms <n>",
      "the largest jump ahead of the platform's clock",
      numberFrom(0, 10 ** 9),
      1_500,
    )
    .option("--jump-back-ms <n>", "the largest jump back", numberFrom(0, 10 ** 9), 45_000)
    .option("--json", "the report and nothing else")
    .exitOverride();
  const { json, agents, seed, load, ...rest } = command.parse().opts<
    Omit<SoakOptions, "agentCount" | "seed" | "kinds"> & {
      load: (LoadKind | "none")[];
      agents: number;
      seed?: number;
      json?: boolean;
    }
  >();
  const options = {
    ...rest,
    kinds: LOAD_KINDS.filter((kind) => load.includes(kind)),
    agentCount: agents,
    seed: seed ?? Math.floor(Math.random() * 2 ** 31),
  };
  if (options.breaks > 0 && agents < 5)
    throw new SoakError("--agents is too small for breaks: give 5 or more, or --breaks 0");
  const { dockerHost, dockerCertPath } = loadLocal([]);
  const progress = progressOn(process.stderr);
  const report = await runSoak({
    ...options,
    docker: await findDocker(dockerHost, dockerCertPath),
    signal: stoppedByUser(SoakError),
    onProgress: progress.say,
  }).finally(progress.clear);
  console.log(json ? plainJson(report) : renderSoak(report));
  return isProven(report.judgement) ? EXIT.held : EXIT.broken;
}

await runProgram(main, SoakError, LocalError);
