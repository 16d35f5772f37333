/** `canary silence`, `silences` and `unsilence`. */
import { formatInstant } from "../../time.ts";
import type { SilenceBody, SilencesBody } from "../../wire/schemas.ts";
import { type AddCommands, type CommandContext, type JsonOption, loadSchemas, show } from "../command.ts";

const PATH = "/api/canary/silences";

interface Options extends JsonOption {
  readonly for: string;
  readonly reason: string;
  readonly subject?: string;
}

async function silence(context: CommandContext, invariant: string, options: Options): Promise<void> {
  const [{ SilenceSchema: schema }, { renderSilence }, { invariantId }, { parseLength }] = await Promise.all([
    loadSchemas(),
    import("../views/silences.ts"),
    import("../ids.ts"),
    import("../moment.ts"),
  ]);
  const { for: length, reason, subject, json } = options;
  const until = formatInstant(Date.now() + parseLength("--for", length));
  const body = JSON.stringify({ invariant_id: invariantId(invariant), subject, until, reason });
  const render = (silence: SilenceBody) => renderSilence(silence, context.screen());
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
  canary
    .command("silence")
    .description("send no alerts of an invariant for a while; it is still checked and recorded")
    .argument("<invariant>", "such as S-02")
    .requiredOption("--for <time>", "how long, such as 30m, 2h or 3d")
    .requiredOption("--reason <text>", "why, for anyone who reads it at 3 a.m.")
    .option("--subject <agent>", "only this agent")
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
