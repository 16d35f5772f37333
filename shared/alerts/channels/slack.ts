/** Slack, by an incoming webhook. */
import type { HeaderBlock, KnownBlock } from "@slack/types";
import { headerToken, matching, text } from "../../config/variable.ts";
import { send } from "../../http.ts";
import { cut } from "../../text.ts";
import type { Alert } from "../alert.ts";
import { type ChannelSpec, NotDelivered, type Send } from "./channel.ts";
import { headline, keyLine, moreLine } from "./message.ts";

const SLACK = {
  webhookUrl: text("SLACK_WEBHOOK_URL", "a Slack incoming webhook. A secret: anyone who has it can post", {
    secret: true,
    checks: [
      headerToken,
      matching(
        /^https?:\/\/[^\s/]+\/\S*$/,
        "is not an address: give the https:// address that Slack shows for the incoming webhook",
      ),
    ],
  }),
};

/** Slack's limits: characters of a header, of a section's text, of a context element, and elements of a context. */
const SLACK_LIMITS = { header: 150, section: 3000, context: 2000, elements: 10, blocks: 50 } as const;

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** Escapes Slack's markup. mrkdwn has no escape for its marks: a zero-width space on both sides keeps them from pairing. */
const escapeMrkdwn = (text: string) =>
  text
    .replace(/[&<>]/g, (character) => ENTITIES[character]!)
    .replace(/[*_~`]/g, (mark) => `\u200b${mark}\u200b`);

/** Cuts the text so that its escaped form, which is longer, fits. Never cuts through an entity. */
function escapedWithin(text: string, most: number): string {
  for (let length = Math.min(text.length, most); ; length = Math.floor(length * 0.9)) {
    const escaped = escapeMrkdwn(cut(text, length));
    if (escaped.length <= most) return escaped;
  }
}

/** Makes the body for an incoming webhook. */
export function slackMessage(alert: Alert): { text: string; blocks: KnownBlock[] } {
  const mrkdwn = (text: string) => ({ type: "mrkdwn", text, verbatim: true }) as const;
  const section = (text: string): KnownBlock => ({ type: "section", text: mrkdwn(text) });
  const header: HeaderBlock = {
    type: "header",
    // Plain text without emoji codes: a name like :fire: must stay a name.
    text: { type: "plain_text", text: cut(headline(alert), SLACK_LIMITS.header), emoji: false },
  };
  const blocks: KnownBlock[] = [header, section(escapedWithin(alert.summary, SLACK_LIMITS.section))];
  if (alert.lines.length > 0) {
    const each = Math.floor(SLACK_LIMITS.section / alert.lines.length) - 20;
    const lines = alert.lines.map((line) => `• ${escapedWithin(line, each)}`);
    blocks.push(section([...lines, moreLine(alert)].filter(Boolean).join("\n")));
  }
  if (alert.runbook !== null)
    blocks.push(section(`*What to do:* ${escapedWithin(alert.runbook, SLACK_LIMITS.section - 20)}`));
  const context = [alert.environment, ...alert.context, keyLine(alert)].slice(0, SLACK_LIMITS.elements - 1);
  const elements = context.map((line) => mrkdwn(escapedWithin(line, SLACK_LIMITS.context)));
  if (alert.statusUrl !== null) {
    const address = new URL(alert.statusUrl).href.replaceAll("&", "&amp;").replaceAll("|", "%7C");
    elements.push(mrkdwn(`<${address}|status>`));
  }
  blocks.push({ type: "context", elements });
  return {
    text: escapedWithin(`[${alert.environment}] ${headline(alert)}: ${alert.summary}`, SLACK_LIMITS.section),
    blocks,
  };
}

/** Slack answers with a word. */
const MAX_ANSWER_BYTES = 100_000;

/** Parses the header, which has seconds or a date, to ms. */
function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

async function post(url: string, message: object, signal: AbortSignal) {
  const { status, headers, body } = await send({
    url,
    method: "POST",
    headers: { "content-type": "application/json; charset=utf-8" },
    body: JSON.stringify(message),
    maxBytes: MAX_ANSWER_BYTES,
    // A post whose connection was reset may have arrived: the outbox sends it again later.
    isOnce: true,
    signal,
  });
  return { status, headers, body: body.toString("utf8").trim() };
}

const slackSender =
  (url: string): Send =>
  async (alerts, signal) => {
    const { status, headers, body } = await post(url, slackMessage(alerts[0]!), signal).catch((error) => {
      if (signal.aborted) throw new NotDelivered("slack: no answer in time");
      throw new NotDelivered(`slack: ${error.code ?? "the connection failed"}`);
    });
    // Slack answers 200 with another text for some faults: only "ok" confirms the message.
    if (status === 200 && body === "ok") return "HTTP 200 ok";
    const reason = /^[a-z_]{1,40}$/.test(body) ? ` ${body}` : "";
    throw new NotDelivered(`slack: HTTP ${status}${reason}`, {
      retryAfterMs: parseRetryAfter(headers["retry-after"] ?? null, Date.now()),
      refused: status === 400 || status === 413,
    });
  };

export const slack = {
  name: "slack",
  variables: SLACK,
  prefix: "SLACK",
  named: ["webhookUrl"],
  configure: ({ webhookUrl }) =>
    webhookUrl === null ? null : { send: slackSender(webhookUrl), together: 1, holdsOpen: false },
} as const satisfies ChannelSpec<typeof SLACK>;
