/**
 * A digest as Slack's blocks. Everything is rich text or plain text, which Slack shows as it is: nothing in a name can be
 * markup, and nothing has to be escaped, so that what is copied is the name.
 */
import type {
  HeaderBlock,
  KnownBlock,
  RichTextBlock,
  RichTextElement,
  RichTextList,
  RichTextPreformatted,
  RichTextSection,
} from "@slack/types";
import { cut, plural } from "../../text.ts";
import type { Alert } from "../alert.ts";
import {
  type Digest,
  digestOf,
  headline,
  keyLine,
  linksIn,
  moreLine,
  moreSubjectsLine,
  splitAtNames,
} from "./message.ts";

/** Slack's limits: characters of a header, of a context element, of a text; elements of a context, and blocks. */
const SLACK_LIMITS = { header: 150, context: 2000, text: 3000, elements: 10, blocks: 50 } as const;
/** Slack names no limit for rich text. These keep to what it allows a section, and the whole to what people read. */
const BLOCK_CHARACTERS = 3000;
const ALL_CHARACTERS = 9000;
const MOST_OF_ONE = 8000;
/** With header, subjects and keys there are fewer than 50 blocks. */
const MAX_ALERTS = 36;
const MAX_CONTEXT = 8;

type Part = RichTextSection | RichTextList | RichTextPreformatted;

const plain = (text: string): RichTextElement => ({ type: "text", text });
const bold = (text: string): RichTextElement => ({ type: "text", text, style: { bold: true } });
const code = (text: string): RichTextElement => ({ type: "text", text, style: { code: true } });
const section = (...elements: RichTextElement[]): RichTextSection => ({
  type: "rich_text_section",
  elements,
});
const commands = (lines: readonly string[]): RichTextPreformatted => ({
  type: "rich_text_preformatted",
  elements: [{ type: "text", text: lines.join("\n") }],
});
const bullets = (items: readonly RichTextElement[][]): RichTextList => ({
  type: "rich_text_list",
  style: "bullet",
  elements: items.map((elements) => section(...elements)),
});

/** Marks the names in a text as code. */
const withNames = (text: string, names: readonly string[]): RichTextElement[] =>
  splitAtNames(text, names).map(({ piece, isName }) => (isName ? code(piece) : plain(piece)));

/** How many characters Slack shows of it. */
const lengthOf = (parts: readonly Part[]): number =>
  parts
    .flatMap((part) => part.elements.flatMap((e) => ("elements" in e ? e.elements : [e])))
    .reduce((sum, element) => sum + ("text" in element ? (element.text?.length ?? 0) : 0), 0);

/** What of an alert may be left out, the most useful first. The place says where it stands in the message. */
function extrasOf(
  alert: Alert,
): { readonly place: number; readonly parts: Part[]; readonly hasCommands?: boolean }[] {
  const { lines, names, impact, verify, fix, safe, runbook } = alert;
  const links = linksIn(alert).flatMap(([text, url], i): RichTextElement[] => [
    ...(i > 0 ? [plain(" · ")] : []),
    { type: "link", url, text },
  ]);
  const more = moreLine(alert);
  const shown = [...lines.map((line) => withNames(line, names)), ...(more === null ? [] : [[plain(more)]])];
  const under = (title: string, words: string | null, texts: readonly string[]): Part[] => [
    section(bold(title), ...(words === null ? [] : [plain(" "), ...withNames(words, names)])),
    ...(texts.length > 0 ? [commands(texts)] : []),
  ];
  return [
    { place: 6, parts: links.length > 0 ? [section(...links)] : [] },
    {
      place: 4,
      parts: fix.length > 0 || runbook !== null ? under("What to do:", runbook, fix) : [],
      hasCommands: fix.length > 0,
    },
    { place: 1, parts: impact === null ? [] : under("Impact:", impact, []) },
    { place: 2, parts: shown.length > 0 ? [bullets(shown)] : [] },
    { place: 3, parts: verify.length > 0 ? under("Is it still so?", null, verify) : [], hasCommands: true },
    { place: 5, parts: safe === null ? [] : under("Is it safe?", safe, []) },
  ].filter(({ parts }) => parts.length > 0);
}

/** What stands in place of commands that do not fit. */
const ELSEWHERE = { place: 5.5, parts: [section(plain("commands: see the page"))] as Part[] };

/** Makes the parts of one alert, within that many characters. */
function partsOf(alert: Alert, room: number, isOnly: boolean): Part[] {
  const title = isOnly ? [] : [bold(cut(headline(alert), SLACK_LIMITS.header)), plain("\n")];
  const summary = cut(alert.summary, Math.max(40, room - 100));
  const first = { place: 0, parts: [section(...title, ...withNames(summary, alert.names))] as Part[] };
  const chosen = [first];
  let left = room - lengthOf(first.parts);
  for (const extra of extrasOf(alert)) {
    const size = lengthOf(extra.parts);
    if (size > left) {
      if (extra.hasCommands) chosen.push(ELSEWHERE);
      continue;
    }
    chosen.push(extra);
    left -= size;
  }
  return [...new Set(chosen)].sort((a, b) => a.place - b.place).flatMap(({ parts }) => parts);
}

/** Puts the parts into as few blocks as may hold them. */
function blocksOf(parts: readonly Part[]): RichTextBlock[] {
  const blocks: Part[][] = [];
  for (const part of parts) {
    const last = blocks.at(-1);
    if (last && lengthOf([...last, part]) <= BLOCK_CHARACTERS) last.push(part);
    else blocks.push([part]);
  }
  return blocks.map((elements) => ({ type: "rich_text", elements }));
}

function subjectsOf(digest: Digest): RichTextBlock[] {
  if (digest.subjects.length === 0) return [];
  const more = moreSubjectsLine(digest);
  const lines = digest.subjects.map(({ subject, ids }) => [code(subject), plain(`: ${ids.join(", ")}`)]);
  return blocksOf([bullets([...lines, ...(more === null ? [] : [[plain(more)]])])]);
}

/** The keys of all alerts, as many to an element as it may hold. */
function keysOf(alerts: readonly Alert[]): string[] {
  const elements: string[] = [];
  for (const line of alerts.map(keyLine)) {
    const last = elements.at(-1);
    if (last !== undefined && last.length + line.length < SLACK_LIMITS.context)
      elements[elements.length - 1] = `${last}\n${line}`;
    else elements.push(cut(line, SLACK_LIMITS.context));
  }
  return elements;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };

/** The text of the notification on a phone. Slack reads entities in it, and with `mrkdwn: false` no other markup. */
function notificationOf(text: string): string {
  for (let length: number = SLACK_LIMITS.text; ; length = Math.floor(length * 0.9)) {
    const readable = cut(text, length).replace(/[&<>]/g, (character) => ENTITIES[character]!);
    if (readable.length <= SLACK_LIMITS.text) return readable;
  }
}

export interface SlackMessage {
  readonly text: string;
  readonly mrkdwn: false;
  readonly blocks: readonly KnownBlock[];
}

/** Makes the body for an incoming webhook. @param sent the alerts of one cycle, at least one */
export function slackMessage(sent: readonly Alert[]): SlackMessage {
  const digest = digestOf(sent);
  const { alerts, environment } = digest;
  const shown = alerts.slice(0, MAX_ALERTS);
  const header: HeaderBlock = {
    type: "header",
    // Plain text without emoji codes: a name like :fire: must stay a name.
    text: { type: "plain_text", text: cut(digest.headline, SLACK_LIMITS.header), emoji: false },
  };
  const room = Math.min(MOST_OF_ONE, Math.floor(ALL_CHARACTERS / shown.length));
  const left = alerts.length - shown.length;
  const [first] = alerts;
  const context = [
    environment,
    ...(alerts.length === 1 ? first!.context : first!.context.filter((line) => line.startsWith("snapshot "))),
    ...(left > 0 ? [`${plural(left, "more alert")}: see the status page`] : []),
  ].slice(0, MAX_CONTEXT);
  return {
    text: notificationOf(`[${environment}] ${digest.headline}: ${first!.summary}`),
    mrkdwn: false,
    blocks: [
      header,
      ...subjectsOf(digest),
      ...shown.flatMap((alert) => blocksOf(partsOf(alert, room, alerts.length === 1))),
      {
        type: "context",
        elements: [...context, ...keysOf(alerts)].slice(0, SLACK_LIMITS.elements).map((text) => ({
          type: "plain_text",
          text: cut(text, SLACK_LIMITS.context),
          emoji: false,
        })),
      },
    ],
  };
}
