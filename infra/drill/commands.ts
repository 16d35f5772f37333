/** `canary drill`: breaks each invariant on purpose, and proves that the canary alerts once and recovers. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { loadLocal } from "../../shared/config/local.ts";
import { KNOWN_IDS, unknownIds } from "../../shared/invariants/index.ts";
import { plainJson } from "../../shared/text.ts";
import type { Release } from "../platform/releases.ts";
import type { Call } from "./canary-api.ts";
import type { DrilledEnvironment } from "./environment.ts";

interface Options {
  invariants?: string[];
  env?: string;
  yes?: boolean;
  image?: string;
  release?: Release;
  json?: boolean;
}

const colour = process.stdout.isTTY === true;
const print = (line: string) => process.stdout.write(`${line}\n`);

function parseIds(text: string): string[] {
  const ids = text
    .split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  const unknown = unknownIds(ids);
  if (unknown.length > 0)
    throw new InvalidArgumentError(`there is no invariant ${unknown.join(", ")}; ${KNOWN_IDS}`);
  if (ids.length === 0) throw new InvalidArgumentError("give ids such as S-01,B-02.");
  return ids;
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

/** Opens the environment that the options name. Ends with a usage error where they are not enough for it. */
async function openEnvironment(
  { env, yes, image, release }: Options,
  command: Command,
  connect: () => Call | null,
): Promise<DrilledEnvironment> {
  if (env === undefined) {
    const { openLocal } = await import("./local.ts");
    return openLocal({ ...loadLocal([]), ...(release && { release }) });
  }
  const { findEnvironment } = await import("../environments.ts");
  const settings = findEnvironment(env);
  if (!yes)
    command.error(
      `this makes agents named canary-drill-… on ${env}, breaks them, alerts its operators, and removes them: add --yes`,
    );
  const call = connect();
  if (!call)
    return command.error(`CANARY_URL is missing: give the address of the canary that watches ${env}`);
  const { openDeployed } = await import("./deployed.ts");
  return openDeployed({ environment: env, settings, call, image });
}

/**
 * Adds the command.
 * @param done gets the exit code: 0 all proven, 1 one failed or was cut short, 2 one can't be provoked there or was not tried
 * @param connect connects to the canary of CANARY_URL; null where that is not set
 */
export function addDrillCommand(
  canary: Command,
  done: (code: number) => void,
  connect: () => Call | null,
): void {
  canary
    .command("drill")
    .description("break each invariant on purpose, and prove that it alerts once and that its cure is seen")
    .option("--invariants <ids>", "only these, separated by commas", parseIds)
    .option("--env <name>", "on this deployed environment (default: on one that is started here)")
    .option("--yes", "yes, break things there: agents named canary-drill-…, and operators are alerted")
    .option("--image <image>", "with --env: what R-01's container is made of (default: as an agent's there)")
    .addOption(
      new Option("--release <name>", "without --env: the release of Trinity that is simulated")
        .choices(["seed", "today"])
        .conflicts("env"),
    )
    .option("--json", "the proofs and nothing else")
    .action(async (options: Options, command: Command) => {
      const { invariants, env, yes, image, json } = options;
      if (env === undefined && (yes || image !== undefined))
        command.error("--yes and --image are of a deployed environment: name it with --env");
      // Loaded only for a drill, so that the help stays fast.
      const [{ DRILLED }, { exitCodeOf, faultsOf, runDrill }, { renderProof, renderSummary }] =
        await Promise.all([import("../faults/index.ts"), import("./drill.ts"), import("./report.ts")]);
      const faults = faultsOf(DRILLED, invariants);
      const { signal, left, end } = interruption();
      try {
        const environment = await openEnvironment(options, command, connect);
        try {
          if (!json) print(`a drill of ${faults.length} on ${environment.name}\n`);
          const proofs = await runDrill({
            ...environment,
            faults,
            signal,
            onAgent: (agent) => left.add(agent),
            onProof: (proof) => {
              left.delete(proof.agent);
              if (!json) print(renderProof(proof, colour));
            },
          });
          print(json ? plainJson({ proofs }) : `\n${renderSummary(proofs, faults.length)}`);
          done(exitCodeOf(proofs, faults.length));
        } finally {
          await environment.close();
        }
      } finally {
        end();
      }
    });
}
