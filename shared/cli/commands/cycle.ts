/** `canary cycle`: one cycle, now. */
import { plainJson } from "../../text.ts";
import type { CycleReport } from "../../wire/schemas/cycles.ts";
import { type Api, call } from "../client.ts";
import {
  type AddCommands,
  type CommandContext,
  EXIT,
  type JsonOption,
  loadSchemas,
  withApi,
} from "../command.ts";
import { CycleBusy } from "../errors.ts";
import type { ViewOptions } from "../screen.ts";

function exitCodeOf({ verdicts }: CycleReport): number {
  const statuses = Object.values(verdicts).map((v) => v.status);
  if (statuses.includes("red")) return EXIT.red;
  // No check ran: nothing was found green.
  return statuses.length === 0 || statuses.includes("unknown") ? EXIT.unknown : EXIT.green;
}

interface Options extends JsonOption, ViewOptions {
  readonly invariants?: string;
}

async function runCycle(context: CommandContext, { invariants, json, ...view }: Options): Promise<number> {
  const [{ CycleResponse }, { renderCycle }, { invariantIds }] = await Promise.all([
    loadSchemas(),
    import("../cycle-table.ts"),
    import("../ids.ts"),
  ]);
  const ids = invariants === undefined ? undefined : invariantIds("--invariants", invariants);
  const body = JSON.stringify(ids ? { invariants: ids } : {});
  const run = async (api: Api) => {
    const path = "/api/canary/run-cycle";
    const { answer: report, failed } = await call(api, path, CycleResponse, { method: "POST", body });
    context.print(json ? plainJson(report) : renderCycle(report, context.screen(view)));
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
    .description(
      "run one cycle: on the canary of --env or CANARY_URL, else here, on what the variables name; exits 0 green, 1 red, 2 unknown",
    )
    .option("--invariants <invariants>", "only these, separated by commas")
    .option("-v, --verbose", "every violation, and the query that shows it")
    .option("--json", "the run-cycle response and nothing else")
    .action(async (options) => context.done(await runCycle(context, options)));
};
