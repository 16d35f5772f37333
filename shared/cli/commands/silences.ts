/** `canary silence`, `silences` and `unsilence`. */
import { formatInstant, parseDuration } from "../../time.ts";
import { UsageError } from "../client.ts";
import { type AddCommands, loadViews, show } from "../command.ts";

const PATH = "/api/canary/silences";

function parseLength(text: string): number {
  const ms = parseDuration(text, "mhd");
  if (ms) return ms;
  throw new UsageError(`--for ${text} is not a duration: give one such as 30m, 2h or 3d`);
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
    .action(async (invariant: string, { for: length, reason, subject, json }) => {
      const until = formatInstant(Date.now() + parseLength(length));
      const body = JSON.stringify({ invariant_id: invariant, subject, until, reason });
      const { SilenceSchema: schema, renderSilence: render } = await loadViews();
      await show(context, { path: PATH, init: { method: "POST", body }, schema, json, render });
    });
  canary
    .command("silences")
    .description("the silences in force")
    .option("--json", "the response and nothing else")
    .action(async ({ json }) => {
      const { SilencesList: schema, renderSilences: render } = await loadViews();
      await show(context, { path: PATH, schema, json, render });
    });
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
