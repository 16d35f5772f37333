/** `canary cycle`: one cycle, now. */
import { plainJson } from "../../text.ts";
import type { CycleReport } from "../../wire/schemas.ts";
import { type Api, CycleBusy, call, UsageError } from "../client.ts";
import { type AddCommands, type CommandContext, EXIT, loadViews, withApi } from "../command.ts";

function exitCodeOf({ verdicts }: CycleReport): number {
  const statuses = Object.values(verdicts).map((v) => v.status);
  if (statuses.includes("red")) return EXIT.red;
  // No check ran: nothing was found green.
  return statuses.length === 0 || statuses.includes("unknown") ? EXIT.unknown : EXIT.green;
}

async function runCycle(
  context: CommandContext,
  { invariants, json }: { readonly invariants?: string; readonly json?: boolean },
): Promise<number> {
  const ids = invariants
    ?.split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  if (ids?.length === 0) throw new UsageError("--invariants names none: give ids such as S-01,B-02");
  const body = JSON.stringify(ids ? { invariants: ids } : {});
  const { CycleResponse, renderCycle } = await loadViews();
  const run = async (api: Api) => {
    const path = "/api/canary/run-cycle";
    const { answer: report, failed } = await call(api, path, CycleResponse, { method: "POST", body });
    context.print(json ? plainJson(report) : renderCycle(report, context.colour));
    const code = exitCodeOf(report);
    return failed && code === EXIT.green ? EXIT.unknown : code;
  };
  return withApi(context, run, { needsState: false }).catch((error) => {
    if (!(error instanceof CycleBusy)) throw error;
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
    .action(async (options) => context.done(await runCycle(context, options)));
};
