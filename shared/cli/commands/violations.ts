/** `canary violations` and `canary violation`. */
import type { Command } from "commander";
import { SEVERITIES } from "../../invariants/invariant.ts";
import {
  type AddCommands,
  type CommandContext,
  type JsonOption,
  loadSchemas,
  pathWith,
  show,
  withViewOptions,
} from "../command.ts";
import { UsageError } from "../errors.ts";
import type { ViewOptions } from "../screen.ts";

const PATH = "/api/canary/violations";

/** The options that narrow a list to a time. */
export const withTimeOptions = (command: Command): Command =>
  command
    .option("--since <time>", "from this time on: 30m, 2h, 3d, or an instant (ISO 8601)")
    .option("--until <time>", "up to this time");

interface Options extends JsonOption, ViewOptions {
  readonly invariant?: string;
  readonly agent?: string;
  readonly severity?: string;
  readonly tier?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}

async function listViolations(context: CommandContext, options: Options): Promise<void> {
  const [{ ViolationsPage: schema }, { renderViolations }, { invariantId }, { parseMoment }] =
    await Promise.all([
      loadSchemas(),
      import("../views/violations.ts"),
      import("../ids.ts"),
      import("../moment.ts"),
    ]);
  const { invariant, agent, severity, tier, since, until, limit, json, ...view } = options;
  const nowMs = Date.now();
  const path = pathWith(PATH, {
    invariant_id: invariant && invariantId(invariant),
    subject: agent,
    severity: severity?.toLowerCase(),
    tier: tier?.toUpperCase(),
    start_time: since && parseMoment("--since", since, nowMs),
    end_time: until && parseMoment("--until", until, nowMs),
    limit,
  });
  await show(context, { path, schema, json, render: (page) => renderViolations(page, context.screen(view)) });
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
      canary
        .command("violations")
        .description("list violations, newest first")
        .option("--invariant <id>", "only of this invariant")
        .option("--agent <name>", "only of this agent")
        .option("--severity <severity>", SEVERITIES.join(", "))
        .option("--tier <tier>", "A or B"),
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
