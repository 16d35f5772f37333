import { describe, expect, test } from "vitest";
import { linksOf } from "../../shared/alerts/links.ts";

describe("links", () => {
  test("lead to the page of the invariant, its runbook, the agent and the cycle", () => {
    const links = linksOf("https://canary.example.com/");
    expect(links.status).toBe("https://canary.example.com/");
    expect(links.invariant("S-02")).toBe("https://canary.example.com/invariants/S-02");
    expect(links.runbook("S-02")).toBe("https://canary.example.com/runbooks/S-02");
    expect(links.agent("a/b<c>?")).toBe("https://canary.example.com/agents/a%2Fb%3Cc%3E%3F");
    expect(links.cycle("2026-11-23T12:00:00.000Z")).toBe(
      "https://canary.example.com/cycles/2026-11-23T12%3A00%3A00.000Z",
    );
  });

  test("keep the path of the status page, and leave its query to it", () => {
    const links = linksOf("https://example.com/canary?env=prod#top");
    expect(links.invariant("S-02")).toBe("https://example.com/canary/invariants/S-02");
  });

  test.each([
    [
      "https://github.com/o/r/blob/main/docs/runbooks",
      "https://github.com/o/r/blob/main/docs/runbooks/S-02.md",
    ],
    ["https://wiki.example.com/{id}?from=canary", "https://wiki.example.com/S-02?from=canary"],
  ])("lead to runbooks elsewhere: %s", (runbooksUrl, expected) => {
    expect(linksOf(null, runbooksUrl).runbook("S-02")).toBe(expected);
  });

  test.each(["https://host:99999/", "https://<your-host>/x"])(
    "are none under %s, and nothing fails",
    (address) => {
      const links = linksOf(address, address);
      expect([
        links.status,
        links.invariant("S-02"),
        links.runbook("S-02"),
        links.agent("ada"),
        links.cycle("t"),
      ]).toEqual(Array(5).fill(null));
    },
  );

  test("are none without a page", () => {
    const links = linksOf(null);
    expect([links.status, links.invariant("S-02"), links.runbook("S-02")]).toEqual([null, null, null]);
  });
});
