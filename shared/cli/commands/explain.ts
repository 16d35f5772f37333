/** `canary explain`: what an invariant means, and what to type. */
import { plainJson } from "../../text.ts";
import { type Api, call } from "../client.ts";
import {
  type AddCommands,
  type AgentOption,
  type CommandContext,
  EXIT,
  type JsonOption,
  loadSchemas,
  pathWith,
  withAgent,
  withApi,
} from "../command.ts";
import type { Explained } from "../views/explain.ts";
import { readAgent } from "./agents.ts";

type Found = Pick<Explained, "found"> & { readonly guidance: Explained["guidance"] | null };

/** Asks the canary what it found of the agent: now, or when it was last red. */
async function findOf(context: CommandContext, api: Api, id: string, subject: string): Promise<Found> {
  const agent = await readAgent(api, subject);
  const { whenOf, sinceOf } = await import("../screen.ts");
  const screen = context.screen();
  const red = agent.red.find(({ invariant_id }) => invariant_id === id);
  if (red) {
    const { since, words, verify, fix } = red;
    return {
      found: [`${subject} is red ${sinceOf(screen, since)}${words ? `: ${words}` : ""}`],
      guidance: { verify, fix },
    };
  }
  const { ViolationsPage } = await loadSchemas();
  const path = pathWith("/api/canary/violations", { invariant_id: id, subject, limit: "1" });
  const [last] = (await call(api, path, ViolationsPage)).answer.violations;
  // An older canary does not know that parameter, and answers with what it has.
  if (last?.subject !== subject)
    return { found: [`${subject} is not red, and no violation of it is kept`], guidance: null };
  const [{ guidanceOf }, { findInvariant }, { wordsOf }, { readStatus }] = await Promise.all([
    import("../../invariants/guidance.ts"),
    import("../../invariants/index.ts"),
    import("../views/violations.ts"),
    import("./status.ts"),
  ]);
  const { database = "sqlite" } = await readStatus(api);
  return {
    found: [`${subject} is not red now; it was ${whenOf(screen, last.snapshot_time)}: ${wordsOf(last)}`],
    guidance: guidanceOf(findInvariant(id)!, last.observed_state, database),
  };
}

interface Options extends JsonOption, AgentOption {
  readonly verbose?: boolean;
}

async function explain(context: CommandContext, text: string, options: Options): Promise<void> {
  const [
    { invariantId },
    { findInvariant },
    { guidanceOf },
    { runbookOf },
    { renderExplained },
    { namedDatabase },
  ] = await Promise.all([
    import("../ids.ts"),
    import("../../invariants/index.ts"),
    import("../../invariants/guidance.ts"),
    import("../../runbooks.ts"),
    import("../views/explain.ts"),
    import("../../config/named-database.ts"),
  ]);
  const invariant = findInvariant(invariantId(text))!;
  const { id, title, severity, tier, impact, safe } = invariant;
  const subject = options.subject ?? options.agent;
  const { found, guidance } =
    subject === undefined
      ? { found: [], guidance: null }
      : await withApi(context, (api) => findOf(context, api, id, subject));
  const { verify, fix } =
    guidance ?? guidanceOf(invariant, null, context.env() === undefined ? namedDatabase() : null);
  const runbook = options.json || options.verbose ? runbookOf(id) : null;
  const fields = { invariant_id: id, title, severity, tier, subject: subject ?? null, found, impact };
  context.print(
    options.json
      ? plainJson({ ...fields, first: invariant.runbook, verify, fix, safe, runbook })
      : renderExplained({ invariant, guidance: { verify, fix }, found, runbook }, context.screen()),
  );
  context.done(EXIT.green);
}

export const addExplainCommand: AddCommands = (canary, context) => {
  withAgent(
    canary
      .command("explain")
      .description(
        "what an invariant means: what breaks, whether it is still so, what to type, and whether that is safe; without an agent it asks no canary",
      )
      .summary("what an invariant means, and what to type")
      .argument("<invariant>", "such as S-02"),
    "with the names that were found of this agent",
  )
    .option("-v, --verbose", "the whole runbook, too")
    .option("--json", "the same as an object and nothing else")
    .action((invariant: string, options: Options) => explain(context, invariant, options));
};
