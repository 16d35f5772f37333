/** `canary silence`, `silences` and `unsilence`. */

import { printable } from "../../text.ts";
import { formatInstant } from "../../time.ts";
import type { SilenceCreatedBody, SilencesBody } from "../../wire/schemas/silences.ts";
import {
  type AddCommands,
  type AgentOption,
  type CommandContext,
  type JsonOption,
  loadSchemas,
  show,
  withAgent,
} from "../command.ts";
import { UsageError } from "../errors.ts";
import { wrap } from "../layout.ts";

const PATH = "/api/canary/silences";

interface Options extends JsonOption, AgentOption {
  readonly for?: string;
  readonly untilRecovered?: boolean;
  readonly reason: string;
  readonly by?: string;
}

async function silence(context: CommandContext, invariant: string, options: Options): Promise<void> {
  const { for: length, untilRecovered, reason, subject, agent, by, json } = options;
  if (length === undefined && !untilRecovered)
    throw new UsageError("say when it ends: --for 2h, --until-recovered, or both for whichever is first");
  const [{ SilenceCreated: schema }, { renderSilence }, { invariantId }, { parseLength }] = await Promise.all(
    [loadSchemas(), import("../views/silences.ts"), import("../ids.ts"), import("../moment.ts")],
  );
  const body = JSON.stringify({
    invariant_id: invariantId(invariant),
    subject: subject ?? agent,
    ...(length !== undefined && { until: formatInstant(Date.now() + parseLength("--for", length)) }),
    ...(untilRecovered && { until_recovered: true }),
    reason,
    by,
  });
  const { width } = context.screen();
  const render = (silence: SilenceCreatedBody) =>
    [renderSilence(silence, context.screen()), ...(silence.note === null ? [] : [printable(silence.note)])]
      .flatMap((line) => wrap(line, width, "    ", ""))
      .join("\n");
  await show(context, { path: PATH, init: { method: "POST", body }, schema, json, render });
}

async function listSilences(context: CommandContext, { json, utc }: JsonOption & { readonly utc?: boolean }) {
  const [{ SilencesList: schema }, { renderSilences }] = await Promise.all([
    loadSchemas(),
    import("../views/silences.ts"),
  ]);
  const render = (silences: SilencesBody) => renderSilences(silences, context.screen({ utc }));
  await show(context, { path: PATH, schema, json, render });
}

export const addSilenceCommands: AddCommands = (canary, context) => {
  withAgent(
    canary
      .command("silence")
      .description("send no alerts of an invariant for a while; it is still checked and recorded")
      .argument("<invariant>", "such as S-02")
      .option("--for <time>", "how long, such as 30m, 2h or 3d")
      .option("--until-recovered", "until all that it covers has recovered")
      .requiredOption("--reason <text>", "why, for anyone who reads it at 3 a.m.")
      .option("--by <name>", "who says so, where the token does not"),
    "only this agent",
  )
    .option("--json", "the response and nothing else")
    .action((invariant: string, options) => silence(context, invariant, options));
  canary
    .command("silences")
    .description("the silences in force")
    .option("--utc", "instants instead of how long it is until they are")
    .option("--json", "the response and nothing else")
    .action((options) => listSilences(context, options));
  canary
    .command("unsilence")
    .description("end a silence: what is still red makes an alert with the next cycle")
    .argument("<id>", "as canary silences shows it")
    .action(async (id: string) => {
      const { z } = await import("zod");
      const path = `${PATH}/${encodeURIComponent(id)}`;
      const render = () => `silence ${id} has ended`;
      await show(context, { path, init: { method: "DELETE" }, schema: z.unknown(), render });
    });
};
