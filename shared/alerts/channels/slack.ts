/** Slack, by an incoming webhook. */
import type { HeaderBlock, KnownBlock } from "@slack/types";
import { headerToken, matching, text } from "../../config/variable.ts";
import { cut } from "../../text.ts";
import type { Alert } from "../alert.ts";
import { channelSpec, NotDelivered, type Send } from "./channel.ts";
import { headline, keyLine, moreLine } from "./message.ts";

const SLACK = {
  webhookUrl: text("SLACK_WEBHOOK_URL", {
    meaning: "a Slack incoming webhook. A secret: anyone who has it can post",
    secret: true,
    checks: [
      headerToken,
      matching(
        /^https?:\/\/[^\s/]+\/\S*$/,
        () => "is no address: give the https:// address that Slack shows for the incoming webhook",
      ),
    ],
  }),
};

/** Slack's limits: characters of a header, of a section's text, of a context element, and elements of a context. */
export const SLACK_LIMITS = { header: 150, section: 3000, context: 2000, elements: 10, blocks: 50 } as const;

/** Makes harmless what Slack would take for its own markup. */
function escapeMrkdwn(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return (
    text
      .replace(/[&<>]/g, (character) => entities[character]!)
      // mrkdwn has no escape for its marks; a zero-width space on both sides keeps them from pairing up.
      .replace(/[*_~`]/g, (mark) => `\u200b${mark}\u200b`)
  );
}

/** Escaping lengthens: the text is cut so that the escaped form fits, and never through an entity. */
function escapedWithin(text: string, most: number): string {
  for (let length = Math.min(text.length, most); ; length = Math.floor(length * 0.9)) {
    const escaped = escapeMrkdwn(cut(text, length));
    if (escaped.length <= most) return escaped;
  }
}

/** Makes what is posted to an incoming webhook. */
export function slackMessage(alert: Alert): { text: string; blocks: KnownBlock[] } {
  const header: HeaderBlock = {
    type: "header",
    // Plain text, but emoji codes: a name like :fire: must stay a name.
    text: {
      type: "plain_text",
      text: cut(headline(alert), SLACK_LIMITS.header),
      emoji: false,
    },
  };
  const section = (text: string): KnownBlock => ({
    type: "section",
    text: { type: "mrkdwn", text, verbatim: true },
  });
  const blocks: KnownBlock[] = [header, section(escapedWithin(alert.summary, SLACK_LIMITS.section))];
  if (alert.lines.length > 0) {
    const each = Math.floor(SLACK_LIMITS.section / alert.lines.length) - 20;
    const lines = alert.lines.map((line) => `• ${escapedWithin(line, each)}`);
    blocks.push(section([...lines, moreLine(alert)].filter(Boolean).join("\n")));
  }
  if (alert.runbook !== null)
    blocks.push(section(`*What to do:* ${escapedWithin(alert.runbook, SLACK_LIMITS.section - 20)}`));
  const context = [alert.environment, ...alert.context, keyLine(alert)].slice(0, SLACK_LIMITS.elements - 1);
  const elements = context.map((line) => ({
    type: "mrkdwn" as const,
    text: escapedWithin(line, SLACK_LIMITS.context),
    verbatim: true,
  }));
  if (alert.statusUrl !== null)
    elements.push({
      type: "mrkdwn",
      text: `<${new URL(alert.statusUrl).href.replaceAll("&", "&amp;").replaceAll("|", "%7C")}|status>`,
      verbatim: true,
    });
  blocks.push({ type: "context", elements });
  return {
    text: escapedWithin(`[${alert.environment}] ${headline(alert)}: ${alert.summary}`, SLACK_LIMITS.section),
    blocks,
  };
}

/** Gives the header's time in ms; the header has seconds, or a date. */
function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}

/** @param url the webhook's address, which is a secret: anyone who has it can post */
export function slackSender(url: string, now: () => number): Send {
  return async (alert, signal) => {
    let response: Response;
    let body: string;
    try {
      response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json; charset=utf-8" },
        body: JSON.stringify(slackMessage(alert)),
        redirect: "manual",
        signal,
      });
      body = (await response.text()).trim();
    } catch (error) {
      if (signal.aborted) throw new NotDelivered("slack: no answer in time");
      const { cause } = error as { cause?: { code?: string } };
      throw new NotDelivered(`slack: ${cause?.code ?? "the connection failed"}`);
    }
    // Slack answers 200 with another text for some faults; only this one means that the message is there.
    if (response.status === 200 && body === "ok") return;
    const said = /^[a-z_]{1,40}$/.test(body) ? ` ${body}` : "";
    throw new NotDelivered(`slack: HTTP ${response.status}${said}`, {
      retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), now()),
      refused: response.status === 400 || response.status === 413,
    });
  };
}

export const slack = channelSpec({
  name: "slack",
  variables: SLACK,
  configure: ({ webhookUrl }) => (webhookUrl === null ? null : slackSender(webhookUrl, Date.now)),
});
