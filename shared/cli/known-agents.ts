/** The names of agents that the canary knows, for a name that finds nothing. */
import { didYouMean } from "../nearest.ts";
import { printable } from "../text.ts";
import { type Api, call } from "./client.ts";
import { loadSchemas } from "./command.ts";

/**
 * Says that no agent has that name, with the one that it may have meant.
 * @returns null where an agent has it, or nobody knows
 */
export async function noteOnAgent(api: Api, name: string): Promise<string | null> {
  const { AgentsPage } = await loadSchemas();
  // It is about a hint: what is wrong with the answer has been said, or does not matter.
  const page = await call(api, "/api/canary/agents", AgentsPage).catch(() => null);
  if (page === null || page.answer.seen_at === null || page.answer.left_out > 0) return null;
  const names = page.answer.agents.map((agent) => agent.name);
  if (names.includes(name)) return null;
  return printable(`no agent on the roster is called ${name}${didYouMean(name, names)}`);
}
