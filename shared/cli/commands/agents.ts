/** `canary agents` and `canary agent`. */

import { plainJson } from "../../text.ts";
import type { AgentBody, AgentsBody } from "../../wire/schemas/agents.ts";
import type { Api } from "../client.ts";
import { call } from "../client.ts";
import {
  type AddCommands,
  type CommandContext,
  EXIT,
  type JsonOption,
  loadSchemas,
  show,
  withApi,
  withViewOptions,
} from "../command.ts";
import { UsageError } from "../errors.ts";
import type { ViewOptions } from "../screen.ts";

const PATH = "/api/canary/agents";
type Options = JsonOption & ViewOptions;

async function listAgents(context: CommandContext, { json, ...view }: Options): Promise<void> {
  const [{ AgentsPage: schema }, { renderAgents }] = await Promise.all([
    loadSchemas(),
    import("../views/agents.ts"),
  ]);
  const render = (agents: AgentsBody) => renderAgents(agents, context.screen(view));
  await show(context, { path: PATH, schema, json, render });
}

/** Reads one agent. @throws UsageError where there is none, with the name that was meant */
export async function readAgent(api: Api, name: string): Promise<AgentBody> {
  const { AgentSchema } = await loadSchemas();
  try {
    return (await call(api, `${PATH}/${encodeURIComponent(name)}`, AgentSchema)).answer;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const { noteOnAgent } = await import("../known-agents.ts");
    const note = await noteOnAgent(api, name);
    throw note === null ? error : new UsageError(note);
  }
}

const showAgent = (context: CommandContext, name: string, { json, ...view }: Options): Promise<void> =>
  withApi(context, async (api) => {
    const agent = await readAgent(api, name);
    const { renderAgent } = await import("../views/agents.ts");
    context.print(json ? plainJson(agent) : renderAgent(agent, context.screen(view)));
    context.done(EXIT.green);
  });

export const addAgentCommands: AddCommands = (canary, context) => {
  canary
    .command("agents")
    .description("every agent as the last full cycle saw it, the red ones first")
    .option("--utc", "instants instead of how long ago they were")
    .option("--json", "the response and nothing else")
    .action((options) => listAgents(context, options));
  withViewOptions(
    canary
      .command("agent")
      .description("one agent: what is red of it, what to type, its slots and its runs")
      .argument("<name>", "as canary agents shows it"),
    "all of its slots and runs",
  )
    .option("--json", "the response and nothing else")
    .action((name: string, options) => showAgent(context, name, options));
};
