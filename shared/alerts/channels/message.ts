/** An alert as Slack shows it, and as plain text for SNS and e-mail. */
import type { HeaderBlock, KnownBlock } from "@slack/types";
import { cut } from "../../text.ts";
import type { Alert } from "../alert.ts";

/** Slack's limits: characters of a header, of a section's text, of a context element, and elements of a context. */
export const SLACK_LIMITS = { header: 150, section: 3000, context: 2000, elements: 10, blocks: 50 } as const;

const SEVERITY_MARKS = { critical: "🚨", major: "⚠️", minor: "🟡" } as const;

/** @returns the text with what Slack would take for markup of its own made harmless */
function escapeMrkdwn(text: string): string {
  const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  return (
    text
      .replace(/[&<>]/g, (character) => entities[character]!)
      // mrkdwn has no escape for its marks; a zero-width space beside them keeps them from pairing up.
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

/** @returns the alert's first line: `🚨 S-02 Slot overbooking — critical` */
export function headline({ kind, invariantId, title, severity }: Alert): string {
  const name = invariantId === null ? title : `${invariantId} ${title}`;
  switch (kind) {
    case "broke":
      return `${SEVERITY_MARKS[severity]} ${name} — ${severity}`;
    case "spread":
      return `${SEVERITY_MARKS[severity]} ${name} — ${severity}, spreading`;
    case "reminder":
      return `${SEVERITY_MARKS[severity]} ${name} — ${severity}, still red`;
    case "recovered":
      return `✅ ${name} — recovered`;
    case "blind":
      return `🙈 ${name}`;
    case "sees":
      return `👀 ${name}`;
  }
}

const moreLine = ({ more }: Alert) => (more > 0 ? `… +${more} more` : null);
const keyLine = ({ key }: Alert) => `alert ${key}`;

/** @returns what is posted to an incoming webhook */
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

/** SNS takes a subject of 100 printable ASCII characters, and a message of 256 kB. */
export const SNS_LIMITS = { subject: 100, message: 256_000 } as const;

/** @returns subject and text of an e-mail */
export function plainMessage(alert: Alert): { subject: string; text: string } {
  const lines = [
    `[${alert.environment}] ${headline(alert)}`,
    "",
    alert.summary,
    ...(alert.lines.length > 0 ? ["", ...alert.lines.map((line) => `- ${line}`)] : []),
    moreLine(alert),
    ...(alert.runbook === null ? [] : ["", `What to do: ${alert.runbook}`]),
    "",
    ...alert.context,
    keyLine(alert),
    alert.statusUrl,
  ].filter((line) => line !== null);
  const subject = `[${alert.environment}] ${headline(alert)}`
    .replaceAll("—", "-")
    .replaceAll("–", "-")
    .replace(/[^\x20-\x7e]/g, "")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, SNS_LIMITS.subject);
  return { subject, text: lines.join("\n").slice(0, SNS_LIMITS.message) };
}
