/** `canary violations`. */
import { type AddCommands, loadViews, show } from "../command.ts";

export const addViolationsCommand: AddCommands = (canary, context) => {
  canary
    .command("violations")
    .description("list violations, newest first")
    .option("--invariant <id>", "only of this invariant")
    .option("--severity <severity>", "critical, major or minor")
    .option("--tier <tier>", "A or B")
    .option("--since <time>", "from this time on (ISO 8601)")
    .option("--limit <n>", "at most this many, 1 to 1000", "20")
    .option("--json", "the response and nothing else")
    .action(async ({ invariant, severity, tier, since, limit, json }) => {
      const given = { invariant_id: invariant, severity, tier, start_time: since, limit };
      const query = new URLSearchParams(Object.entries(given).filter(([, value]) => value !== undefined));
      const { ViolationsPage: schema, renderViolations: render } = await loadViews();
      await show(context, { path: `/api/canary/violations?${query}`, schema, json, render });
    });
};
