/** The channel of `npm start` where no other is configured: the message is printed, as Slack would get it. */
import type { KnownBlock } from "@slack/types";
import type { Send } from "../../shared/alerts/channels/channel.ts";
import { slackMessage } from "../../shared/alerts/channels/slack.ts";
import { printable } from "../../shared/text.ts";

/** Its name. */
export const TERMINAL = "terminal";

const ENTITIES: Readonly<Record<string, string>> = { "&lt;": "<", "&gt;": ">", "&amp;": "&" };

/** Reads Slack's markup as Slack shows it: links as their text and address. */
const shown = (mrkdwn: string): string =>
  mrkdwn
    .replace(/<([^|>]+)\|([^>]+)>/g, "$2 ($1)")
    .replace(/&(?:lt|gt|amp);/g, (entity) => ENTITIES[entity]!)
    .replaceAll("\u200b", "");

function textOf(block: KnownBlock): string {
  if (block.type === "header") return block.text.text;
  if (block.type === "section") return shown(block.text?.text ?? "");
  if (block.type === "context")
    return block.elements.map((element) => ("text" in element ? shown(element.text) : "")).join(" | ");
  return "";
}

/** Makes what prints each alert. @param print gets the text, whose names from the platform can't move a cursor */
export const terminalSender =
  (print: (text: string) => void): Send =>
  async (alert) => {
    const lines = slackMessage(alert)
      .blocks.map(textOf)
      .filter((text) => text !== "")
      .flatMap((text) => text.split("\n"));
    const marked = lines.map((line) => `  | ${printable(line)}`);
    print(["message (no channel is configured, so it is printed here):", ...marked, ""].join("\n"));
  };
