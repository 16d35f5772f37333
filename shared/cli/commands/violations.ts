/** `canary violations` and `canary violation`. */
import { Option } from "commander";
import { SEVERITIES } from "../../invariants/invariant.ts";
import { plainJson } from "../../text.ts";
import { call } from "../client.ts";
import {
  type AddCommands,
  type AgentOption,
  type CommandContext,
  EXIT,
  type JsonOption,
  loadSchemas,
  pathWith,
  show,
  withAgent,
  withApi,
  withTimeOptions,
  withViewOptions,
} from "../command.ts";
import { UsageError } from "../errors.ts";
import type { ViewOptions } from "../screen.ts";

const PATH = "/api/canary/violations";

interface Options extends JsonOption, ViewOptions, AgentOption {
  readonly invariant?: string;
  readonly severity?: string;
  readonly tier?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}

async function listViolations(context: CommandContext, options: Options): Promise<void> {
  const [{ ViolationsPage }, { renderViolations }, { invariantId }, { rangeOf }] = await Promise.all([
    loadSchemas(),
    import("../views/violations.ts"),
    import("../ids.ts"),
    import("../moment.ts"),
  ]);
  const { invariant, subject, agent = subject, severity, tier, since, until, limit, json, ...view } = options;
  const path = pathWith(PATH, {
    invariant_id: invariant && invariantId(invariant),
    subject: agent,
    severity,
    tier,
    ...rangeOf({ since, until }, Date.now()),
    limit,
  });
  await withApi(context, async (api) => {
    const { answer } = await call(api, path, ViolationsPage);
    context.print(json ? plainJson(answer) : renderViolations(answer, context.screen(view)));
    if (answer.violations.length === 0 && agent !== undefined) await context.hint(api, agent);
    context.done(EXIT.green);
  });
}

async function showViolation(
  context: CommandContext,
  id: string,
  { json, ...view }: JsonOption & ViewOptions,
) {
  if (!/^\d+$/.test(id))
    throw new UsageError(
      `${id} is no id of a violation: give one such as 20261123000021, as canary violations shows it`,
    );
  const [{ Violation: schema }, { renderViolation }] = await Promise.all([
    loadSchemas(),
    import("../views/violations.ts"),
  ]);
  const render = (violation: Parameters<typeof renderViolation>[0]) =>
    renderViolation(violation, context.screen(view));
  await show(context, { path: `${PATH}/${id}`, schema, json, render });
}

export const addViolationCommands: AddCommands = (canary, context) => {
  withViewOptions(
    withTimeOptions(
      withAgent(
        canary
          .command("violations")
          .description("list violations, newest first")
          .option("--invariant <invariant>", "only of this invariant"),
        "only of this agent",
      )
        .addOption(new Option("--severity <severity>", "only of this severity").choices(SEVERITIES))
        .addOption(new Option("--tier <tier>", "only of this tier").choices(["A", "B"])),
      "seen",
    ).option("--limit <n>", "at most this many, 1 to 1000", "20"),
    "the query that shows each",
  )
    .option("--json", "the response and nothing else")
    .action((options) => listViolations(context, options));
  canary
    .command("violation")
    .description("one violation in full")
    .argument("<id>", "as canary violations and the alert show it")
    .option("--utc", "instants instead of how long ago they were")
    .option("--json", "the response and nothing else")
    .action((id: string, options) => showViolation(context, id, options));
};
