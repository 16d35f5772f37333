/** `canary episodes` and `canary cycles`: what was, and how long. */
import { Option } from "commander";
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
import type { ViewOptions } from "../screen.ts";

interface TimeOptions extends JsonOption, ViewOptions {
  readonly since?: string;
  readonly until?: string;
  readonly limit: string;
}
interface EpisodeOptions extends TimeOptions, AgentOption {
  readonly all?: boolean;
  readonly open?: boolean;
  readonly invariant?: string;
}

async function listEpisodes(context: CommandContext, options: EpisodeOptions): Promise<void> {
  const [{ EpisodesPage }, { renderEpisodes }, { invariantId }, { rangeOf }] = await Promise.all([
    loadSchemas(),
    import("../views/episodes.ts"),
    import("../ids.ts"),
    import("../moment.ts"),
  ]);
  const { all, open, invariant, subject, agent = subject, since, until, limit, json, ...view } = options;
  // Whoever asks for a time wants what has ended in it, too.
  const isOpenOnly = open === true || (!all && since === undefined && until === undefined);
  const path = pathWith("/api/canary/episodes", {
    invariant_id: invariant && invariantId(invariant),
    subject: agent,
    open: isOpenOnly ? "true" : undefined,
    ...rangeOf({ since, until }, Date.now()),
    limit,
  });
  await withApi(context, async (api) => {
    const { answer } = await call(api, path, EpisodesPage);
    context.print(json ? plainJson(answer) : renderEpisodes(answer, isOpenOnly, context.screen(view)));
    if (answer.episodes.length === 0 && agent !== undefined) await context.hint(api, agent);
    context.done(EXIT.green);
  });
}

async function listCycles(context: CommandContext, options: TimeOptions): Promise<void> {
  const [{ CyclesPage: schema }, { renderCycles }, { rangeOf }] = await Promise.all([
    loadSchemas(),
    import("../views/cycles.ts"),
    import("../moment.ts"),
  ]);
  const { since, until, limit, json, ...view } = options;
  const path = pathWith("/api/canary/cycles", { ...rangeOf({ since, until }, Date.now()), limit });
  await show(context, { path, schema, json, render: (page) => renderCycles(page, context.screen(view)) });
}

export const addEpisodeCommands: AddCommands = (canary, context) => {
  withViewOptions(
    withTimeOptions(
      withAgent(
        canary
          .command("episodes")
          .description(
            "who is red in what, for how long, and the worst of it: one line for an agent's red of an invariant from begin to end",
          )
          .summary("who is red in what, and for how long")
          .option("--all", "those that have ended, too; --since and --until mean it as well")
          .addOption(new Option("--open", "only those that have not ended: the default").conflicts("all"))
          .option("--invariant <invariant>", "only of this invariant"),
        "only of this agent",
      ),
      "that began",
    ).option("--limit <n>", "at most this many, 1 to 1000", "50"),
    "with their ids",
  )
    .option("--json", "the response and nothing else")
    .action((options) => listEpisodes(context, options));
  withViewOptions(
    withTimeOptions(
      canary
        .command("cycles")
        .description("the result of each cycle, newest first: those of the last 24 hours"),
      "those",
    ).option("--limit <n>", "at most this many, 1 to 1000", "20"),
    "with their instants, and what could not be read",
  )
    .option("--json", "the response and nothing else")
    .action((options) => listCycles(context, options));
};
