/** The channel of `npm start` where no other is configured: the message is printed, as Slack would show it. */
import type { KnownBlock, RichTextBlock, RichTextElement } from "@slack/types";
import type { Transport } from "../../shared/alerts/channels/channel.ts";
import { slackMessage } from "../../shared/alerts/channels/slack-blocks.ts";
import { wrap } from "../../shared/cli/layout.ts";
import { printable } from "../../shared/text.ts";

const MARGIN = "  | ";
/** Before a command. It stays on its line, whole: it is there to be copied. */
const COMMAND = "    ";

/** Its name. */
export const TERMINAL = "terminal";

const inline = (elements: readonly RichTextElement[]): string =>
  elements
    .map((element) =>
      element.type === "link"
        ? `${element.text ?? element.url} (${element.url})`
        : element.type === "text"
          ? element.text
          : "",
    )
    .join("");

function richText({ elements }: RichTextBlock): string[] {
  return elements.flatMap((part) => {
    switch (part.type) {
      case "rich_text_section":
        return [inline(part.elements)];
      case "rich_text_list":
        return part.elements.map(
          (item) => `• ${"elements" in item ? inline(item.elements as RichTextElement[]) : ""}`,
        );
      case "rich_text_preformatted":
        return inline(part.elements)
          .split("\n")
          .map((line) => COMMAND + line);
      default:
        return [];
    }
  });
}

function textOf(block: KnownBlock): string[] {
  if (block.type === "header") return [block.text.text];
  if (block.type === "rich_text") return richText(block);
  if (block.type === "context")
    return [block.elements.map((element) => ("text" in element ? element.text : "")).join(" | ")];
  return [];
}

/**
 * Makes what prints each digest.
 * @param print gets the text, whose names from the platform can't move a cursor
 * @param width gives the columns that its lines may have
 */
export const terminalTransport = (print: (text: string) => void, width: () => number): Transport => ({
  together: "cycle",
  holdsOpen: false,
  async send(alerts) {
    const lines = slackMessage(alerts)
      .blocks.flatMap(textOf)
      .flatMap((text) => text.split("\n"));
    const columns = width();
    const marked = lines.map(printable).flatMap((line) => {
      if (line.startsWith(COMMAND)) return [MARGIN + line];
      return wrap(line, columns, line.startsWith("• ") ? `${MARGIN}  ` : MARGIN, MARGIN);
    });
    print(["message (no channel is configured, so it is printed here):", ...marked, ""].join("\n"));
    return "printed";
  },
});
