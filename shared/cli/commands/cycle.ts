/** `canary cycle`: one cycle, now. */
import type { CycleReport } from "../../wire/schemas.ts";
import { Busy, call, UsageError } from "../client.ts";
import { type AddCommands, type CommandContext, EXIT, withApi } from "../command.ts";

interface Options {
  readonly invariants?: string;
  readonly json?: boolean;
}

function exitCodeOf({ verdicts }: CycleReport): number {
  const statuses = Object.values(verdicts).map((v) => v.status);
  if (statuses.includes("red")) return EXIT.red;
  // Where no check ran at all, nothing was found green either.
  return statuses.length === 0 || statuses.includes("unknown") ? EXIT.unknown : EXIT.green;
}

async function runCycle(context: CommandContext, { invariants, json }: Options): Promise<number> {
  const ids = invariants
    ?.split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  if (ids?.length === 0) throw new UsageError("--invariants names none: give ids such as S-01,B-02");
  const body = JSON.stringify(ids ? { invariants: ids } : {});
  const [{ CycleResponse }, { renderCycle }] = await Promise.all([
    import("../../wire/schemas.ts"),
    import("../cycle-table.ts"),
  ]);
  return withApi(context, { needsState: false }, async (api) => {
    const path = "/api/canary/run-cycle";
    const { answer: report, failed } = await call(api, path, CycleResponse, { method: "POST", body });
    context.print(json ? JSON.stringify(report, null, 2) : renderCycle(report, context.colour));
    const code = exitCodeOf(report);
    return failed && code === EXIT.green ? EXIT.unknown : code;
  }).catch((error) => {
    if (!(error instanceof Busy)) throw error;
    console.error("cycle in progress: another run holds the lease, try again in a minute");
    return EXIT.unknown;
  });
}

export const addCycleCommand: AddCommands = (canary, context) => {
  canary
    .command("cycle")
    .description("run one cycle: on the canary of CANARY_URL, else here, on what the environment names")
    .option("--invariants <ids>", "only these, separated by commas")
    .option("--json", "the run-cycle response and nothing else")
    .action(async (options: Options) => context.done(await runCycle(context, options)));
};
