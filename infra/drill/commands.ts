/** `canary drill`: breaks each invariant on purpose, and proves that the canary alerts once and recovers. */
import { type Command, Option } from "commander";
import type { CommandContext } from "../../shared/cli/command.ts";
import { progressOn } from "../../shared/cli/progress.ts";
import { loadLocal } from "../../shared/config/local.ts";
import { plainJson } from "../../shared/text.ts";
import { databaseOption } from "../local/database-option.ts";
import type { Backend } from "../platform/file-client.ts";
import type { Release } from "../platform/releases.ts";
import type { Call } from "./canary-api.ts";
import type { DrilledEnvironment } from "./environment.ts";

interface Options {
  invariants?: string;
  yes?: boolean;
  image?: string;
  release?: Release;
  database?: Backend;
  json?: boolean;
}

/** Listens for everything that can interrupt a drill. */
function interruption() {
  const controller = new AbortController();
  const left = new Set<string>();
  const interrupt = () => {
    if (controller.signal.aborted) {
      if (left.size > 0)
        console.error(`left as it is: ${[...left].join(", ")}, with its rows, slots and container`);
      process.exit(1);
    }
    console.error("interrupted: curing what was broken, wait for it (once more ends it at once)");
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  // The reader of the output may end, as `head` does: the cure must go on.
  const onClosed = () => controller.abort();
  for (const signal of signals) process.on(signal, interrupt);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", onClosed);
  return {
    signal: controller.signal,
    /** The agents that exist now. */
    left,
    end() {
      for (const signal of signals) process.off(signal, interrupt);
    },
  };
}

/** Reaches the canary that watches an environment; null where nothing says where it is. */
export type Connect = (environment: string) => Call | null;

/** Opens the environment that --env names. Ends with a usage error where the options are not enough for it. */
async function openEnvironment(
  env: string | undefined,
  { yes, image, release, database }: Options,
  command: Command,
  connect: Connect,
): Promise<DrilledEnvironment> {
  if (env === undefined) {
    const { openLocal } = await import("./local.ts");
    return openLocal({ ...loadLocal([]), ...(release && { release }), ...(database && { database }) });
  }
  const { findEnvironment } = await import("../environments.ts");
  const settings = findEnvironment(env);
  if (!yes)
    command.error(
      `this makes agents named canary-drill-… on ${env}, breaks them, alerts its operators, and removes them: add --yes`,
    );
  const call = connect(env);
  if (!call)
    return command.error(
      `CANARY_URL is missing: give the address of the canary that watches ${env}, there or in the file of profiles`,
    );
  const { openDeployed } = await import("./deployed.ts");
  return openDeployed({ environment: env, settings, call, image });
}

async function drill(
  { env: nameOf, done, print, screen }: CommandContext,
  options: Options,
  command: Command,
  connect: Connect,
): Promise<void> {
  const { invariants, yes, image, release, json } = options;
  const env = nameOf();
  if (env === undefined && (yes || image !== undefined))
    command.error("--yes and --image are of a deployed environment: name it with --env");
  const simulated =
    release !== undefined ? "--release" : options.database !== undefined ? "--database" : null;
  if (env !== undefined && simulated !== null)
    command.error(`${simulated} is of the platform that is simulated here: leave it or --env out`);
  // Loaded only for a drill, so that the help stays fast.
  const [{ DRILLED }, { exitCodeOf, faultsOf, runDrill }, { renderProof, renderSummary }, { invariantIds }] =
    await Promise.all([
      import("../faults/index.ts"),
      import("./drill.ts"),
      import("./report.ts"),
      import("../../shared/cli/ids.ts"),
    ]);
  const faults = faultsOf(
    DRILLED,
    invariants === undefined ? undefined : invariantIds("--invariants", invariants),
  );
  const { signal, left, end } = interruption();
  const progress = progressOn(process.stderr);
  try {
    progress.say("opening the environment");
    const environment = await openEnvironment(env, options, command, connect);
    try {
      progress.clear();
      if (!json) print(`a drill of ${faults.length} on ${environment.name}\n`);
      let proven = 0;
      const proofs = await runDrill({
        ...environment,
        faults,
        signal,
        onAgent: (agent) => {
          left.add(agent);
          progress.say(`${proven + 1} of ${faults.length}: ${agent}`);
        },
        onProof: (proof) => {
          proven += 1;
          left.delete(proof.agent);
          progress.clear();
          if (!json) print(renderProof(proof, screen()));
        },
      });
      print(json ? plainJson({ proofs }) : `\n${renderSummary(proofs, faults.length)}`);
      done(exitCodeOf(proofs, faults.length));
    } finally {
      progress.say("closing the environment");
      await environment.close();
    }
  } finally {
    progress.clear();
    end();
  }
}

/**
 * Adds the command. Its exit code is 0 where all are proven, 1 where one failed or was cut short, 2 where one can't be
 * provoked there or was not tried.
 */
export function addDrillCommand(canary: Command, context: CommandContext, connect: Connect): void {
  canary
    .command("drill")
    .description(
      "break each invariant on purpose, and prove that it alerts once and that its cure is seen: on the deployed environment of --env, else on one that is started here",
    )
    .option("--invariants <invariants>", "only these, separated by commas")
    .option("--yes", "yes, break things there: agents named canary-drill-…, and operators are alerted")
    .option("--image <image>", "with --env: what R-01's container is made of (default: as an agent's there)")
    .addOption(
      new Option("--release <name>", "without --env: the release of Trinity that is simulated").choices([
        "seed",
        "today",
      ]),
    )
    .addOption(databaseOption("without --env: "))
    .option("--json", "the proofs and nothing else")
    .action((options: Options, command: Command) => drill(context, options, command, connect));
}
