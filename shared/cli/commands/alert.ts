/** `canary alert test`: sends one message by each channel. */
import pc from "picocolors";
import { plainJson, printable } from "../../text.ts";
import { call } from "../client.ts";
import { type AddCommands, type CommandContext, EXIT, type JsonOption, withApi } from "../command.ts";
import { wrap } from "../layout.ts";
import type { Screen } from "../screen.ts";
import { SYMBOLS } from "../symbols.ts";

interface Result {
  readonly channel: string;
  readonly ok: boolean;
  readonly answer: string;
}

function renderResults(results: readonly Result[], screen: Screen): string {
  const c = pc.createColors(screen.colour);
  if (results.length === 0) return "no channel: nobody is notified";
  return results
    .flatMap(({ channel, ok, answer }) => {
      const lines = wrap(
        printable(answer),
        screen.width,
        "    ",
        `${ok ? SYMBOLS.green : SYMBOLS.red} ${channel}  `,
      );
      return lines.map(ok ? c.green : c.red);
    })
    .join("\n");
}

async function testAlerts(
  context: CommandContext,
  { channel, json }: JsonOption & { readonly channel?: string },
): Promise<void> {
  const { AlertTestResponse } = await import("../../wire/alert-test.ts");
  const body = JSON.stringify(channel === undefined ? {} : { channel: channel.toLowerCase() });
  await withApi(context, async (api) => {
    const { answer } = await call(api, "/api/canary/alert-test", AlertTestResponse, { method: "POST", body });
    context.print(json ? plainJson(answer) : renderResults(answer.results, context.screen()));
    const isWell = answer.results.length > 0 && answer.results.every(({ ok }) => ok);
    context.done(isWell ? EXIT.green : EXIT.red);
  });
}

export const addAlertCommands: AddCommands = (canary, context) => {
  canary
    .command("alert")
    .description("the channels that operators are notified by")
    .command("test")
    .description(
      "send a test message, and say what each channel answered; exits 0 where all took it, 1 otherwise",
    )
    .option("--channel <channel>", "only by this one")
    .option("--json", "the response and nothing else")
    .action((options) => testAlerts(context, options));
};
