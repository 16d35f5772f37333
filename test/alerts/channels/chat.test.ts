/** The form for a chat: what can be copied out of it is what the canary wrote, or it is not there. */
import { describe, expect, test } from "vitest";
import type { Alert } from "../../../shared/alerts/alert.ts";
import { publicationOf } from "../../../shared/alerts/channels/sns.ts";
import { ANY_ALERT } from "../../support/alert.ts";
import { brokeAlert } from "../../support/told.ts";

const PAGE = "https://canary.example.com/invariants/S-02";

interface Content {
  readonly description: string;
  readonly nextSteps: readonly string[];
}
const contentOf = (...alerts: Alert[]): Content =>
  JSON.parse(JSON.parse(publicationOf(alerts, "chat").Message).default).content;
const withFix = (...fix: string[]): Alert => ({
  ...ANY_ALERT,
  fix,
  links: { ...ANY_ALERT.links, invariant: PAGE },
});

describe("the commands in a chat", () => {
  test("have their notes with them", () => {
    const { nextSteps } = contentOf(
      withFix("# only where it has ended", "redis-cli DEL x", "redis-cli DEL y"),
    );
    expect(nextSteps).toEqual(["`# only where it has ended`\n`redis-cli DEL x`", "`redis-cli DEL y`"]);
  });

  test("are there where people have to choose one", () => {
    const { nextSteps } = contentOf(brokeAlert("S-02", ["ada"]));
    expect(nextSteps).toContain(
      "`# take the mark away before the lines of a run that has ended, and of no other`",
    );
    expect(nextSteps.filter((step) => step.includes("ZREM"))).toHaveLength(2);
  });

  test.each([
    "redis-cli DEL 'ada&bob'",
    "redis-cli DEL '<ada>'",
    "redis-cli DEL 'a`b'",
    `echo ${"x".repeat(350)}`,
  ])("are on the page where one would have to be changed: %s", (command) => {
    const { nextSteps } = contentOf(withFix("redis-cli DEL x", command));
    expect(nextSteps).toEqual([`S-02 commands: <${PAGE}|page>`]);
  });

  test("of many alerts are whole, or on the page, for each", () => {
    const long = withFix(...Array.from({ length: 5 }, (_, i) => `redis-cli DEL ${i}`));
    expect(contentOf(long, long, long).nextSteps).toEqual([
      ...long.fix.map((line) => `\`${line}\``),
      `S-02 commands: <${PAGE}|page>`,
      `S-02 commands: <${PAGE}|page>`,
    ]);
    const { nextSteps } = contentOf(...Array<Alert>(12).fill(long));
    expect(nextSteps).toHaveLength(10);
    expect(nextSteps.at(-1)).toBe("commands of 3 more alerts: see the status page");
  });
});

test("no name is markup in a chat", () => {
  const { description } = contentOf({
    ...ANY_ALERT,
    summary: "red: *ada* and [bob](https://x.example.com)",
    lines: ["*ada*: `~cut~"],
    names: ["*ada*"],
  });
  expect(description).toContain("red: `*ada*` and [bob] (https://x.example.com)");
  expect(description).toContain("• `*ada*`: '∼cut∼");
});
