/** Reads a message as Slack shows it, and knows Slack's limits. */
import type { KnownBlock } from "@slack/types";
import { expect } from "vitest";
import type { SlackMessage } from "../../shared/alerts/channels/slack-blocks.ts";

interface Element {
  readonly type: string;
  readonly text?: string;
  readonly url?: string;
  readonly style?: { readonly code?: boolean; readonly bold?: boolean };
  readonly elements?: readonly Element[];
}

const leavesOf = (element: Element): Element[] => element.elements?.flatMap(leavesOf) ?? [element];
const richOf = (blocks: readonly KnownBlock[]): Element[] =>
  blocks.flatMap((block) => (block.type === "rich_text" ? (block.elements as unknown as Element[]) : []));
const textOf = (element: Element): string =>
  leavesOf(element)
    .map(({ text = "" }) => text)
    .join("");
const linesOf = (element: Element): string[] =>
  element.type === "rich_text_list"
    ? element.elements!.map((item) => `• ${textOf(item)}`)
    : textOf(element).split("\n");

/** What Slack shows of a message. */
export function readSlack({ blocks }: SlackMessage) {
  const [header] = blocks as [Extract<KnownBlock, { type: "header" }>];
  const rich = richOf(blocks);
  const leaves = rich.flatMap(leavesOf);
  const context = blocks.flatMap((block) =>
    block.type === "context" ? (block.elements as { text: string }[]).map(({ text }) => text) : [],
  );
  return {
    header: header.text,
    /** The lines of its body, commands and all. */
    lines: rich.flatMap(linesOf),
    /** What is shown as code. */
    codes: leaves.filter(({ style }) => style?.code).map(({ text }) => text!),
    /** The lines that can be copied into a shell. */
    commands: rich
      .filter(({ type }) => type === "rich_text_preformatted")
      .flatMap((one) => textOf(one).split("\n")),
    links: leaves.filter(({ type }) => type === "link").map(({ text, url }) => [text, url]),
    context,
    keys: context
      .flatMap((text) => text.split("\n"))
      .filter((line) => line.startsWith("alert "))
      .map((line) => line.slice("alert ".length)),
  };
}

/**
 * https://docs.slack.dev/reference/block-kit/blocks: what is longer is refused as `invalid_blocks`. Of rich text it names no
 * limit: the canary keeps to that of a section for each block, and to 13,000 characters for all.
 */
export function expectWithinSlacksLimits(message: SlackMessage): void {
  const { blocks, text } = message;
  expect(blocks.length).toBeLessThanOrEqual(50);
  const types = blocks.map(({ type }) => type);
  expect(types).toEqual(["header", ...types.slice(1, -1).map(() => "rich_text"), "context"]);
  expect(types.length).toBeGreaterThanOrEqual(3);
  const { header, context } = readSlack(message);
  expect([header.type, header.emoji]).toEqual(["plain_text", false]);
  expect(header.text.length).toBeGreaterThan(0);
  expect(header.text.length).toBeLessThanOrEqual(150);
  let all = 0;
  for (const block of blocks) {
    if (block.type !== "rich_text") continue;
    const leaves = (block.elements as unknown as Element[]).flatMap(leavesOf);
    const size = leaves.reduce((sum, leaf) => sum + (leaf.text?.length ?? 0), 0);
    expect(size).toBeLessThanOrEqual(3200);
    all += size;
    for (const leaf of leaves) {
      expect(["text", "link"]).toContain(leaf.type);
      expect(leaf.text?.length ?? 0).toBeGreaterThan(0);
      if (leaf.url !== undefined) expect(leaf.url.length).toBeLessThanOrEqual(3000);
    }
  }
  expect(all).toBeLessThanOrEqual(13_000);
  expect(context.length).toBeGreaterThan(0);
  expect(context.length).toBeLessThanOrEqual(10);
  for (const one of context) {
    expect(one.length).toBeGreaterThan(0);
    expect(one.length).toBeLessThanOrEqual(2000);
  }
  expect(text.length).toBeGreaterThan(0);
  // Slack cuts the text of a post at 40000, and asks for at most 4000.
  expect(text.length).toBeLessThanOrEqual(4000);
  expect(JSON.stringify(message)).not.toMatch(/undefined|NaN|\[object/);
}

/** Nothing of it is read as markup: not one text is mrkdwn, and the notification's has no tag. */
export function expectNoMarkup(message: SlackMessage): void {
  expect(JSON.stringify(message.blocks)).not.toContain('"mrkdwn"');
  expect(message.mrkdwn).toBe(false);
  expect(message.text).not.toMatch(/[<>]/);
  expect(message.text.replaceAll(/&(amp|lt|gt);/g, "")).not.toContain("&");
  for (const text of textsOf(message.blocks)) {
    expect(text).not.toMatch(/\p{Surrogate}/u);
    // Of the canary's own there is none: what is copied is the name.
    expect(text).not.toContain("\u200b");
  }
}

const textsOf = (value: unknown): string[] => {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
};
