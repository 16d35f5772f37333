/**
 * Every page in every state, in a real Chromium: axe finds nothing, nothing is wider than the screen, targets are large
 * enough. With SCREENSHOTS=1 it makes the pictures of the docs.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type ServerType, serve } from "@hono/node-server";
import type { AxeResults } from "axe-core";
import { type Browser, type BrowserContext, type CDPSession, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { useCanaries } from "../support/cycle.ts";
import { chromiumPath, describeLive } from "../support/live.ts";
import { pageStory, type Story } from "../support/page-story.ts";

const TOKEN = "admin-token-of-the-page-states";
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const PICTURES = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url));
const MAKES_PICTURES = process.env.SCREENSHOTS === "1";
const WIDTHS = { 1280: { width: 1280, height: 800 }, 375: { width: 375, height: 720 } } as const;
/** Nobody looks at the twentieth green row once more. */
const MAX_HEIGHT = 1_400;
/** What a finger can miss: all but what stands in the text of a runbook. */
const SMALL_TARGETS = `[...document.querySelectorAll("a, button, summary, input, select")]
  .filter((target) => target.checkVisibility() && !target.closest(".prose, .skip") && target.type !== "hidden")
  .filter((target) => Math.min(target.getBoundingClientRect().height, target.getBoundingClientRect().width) < 23.9)
  .map((target) => target.outerHTML.slice(0, 150))`;
const SCHEMES = ["light", "dark"] as const;

describeLive(["chromium"], "every page in every state", () => {
  const canaryOf = useCanaries();
  let story: Story;
  let server: ServerType;
  let url: string;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let devtools: CDPSession;

  beforeAll(async () => {
    const canary = await canaryOf();
    story = pageStory(canary);
    const deps = { ...canary.deps, alerts: { ...canary.deps.alerts, environment: "production" } };
    const app = createApp({
      canary: deps,
      runCycle: (request) => runCycle(deps, request),
      adminToken: TOKEN,
      logError: () => {},
    });
    const { port } = await new Promise<AddressInfo>((listening) => {
      server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, listening);
    });
    url = `http://127.0.0.1:${port}`;
    browser = await chromium.launch({ executablePath: chromiumPath()!, args: ["--no-sandbox"] });
    context = await browser.newContext({ timezoneId: "Europe/Paris" });
    page = await context.newPage();
    devtools = await context.newCDPSession(page);
    // The page's policy refuses other scripts: axe is injected by the debugger.
    await devtools.send("Page.setBypassCSP", { enabled: true });
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
  });

  /**
   * Runs axe and returns the violations of accessibility.
   * @param isWhole otherwise only what differs between screens is looked at
   */
  async function barriers(isWhole: boolean): Promise<string[]> {
    const runOnly = ["color-contrast", "target-size", "link-in-text-block", "scrollable-region-focusable"];
    const options = {
      resultTypes: ["violations"],
      ...(isWhole ? { rules: { "target-size": { enabled: true } } } : { runOnly }),
    };
    const results = await page.evaluate<AxeResults>(`axe.run(${JSON.stringify(options)})`);
    return results.violations
      .filter(({ impact }) => impact !== "minor")
      .flatMap(({ id, nodes }) =>
        nodes.slice(0, 5).map((node) => `${id}: ${node.html.slice(0, 200)} ${node.failureSummary}`),
      );
  }

  /** Saves a picture of the whole page: as WebP, which takes a third of a PNG's bytes. */
  async function take(name: string) {
    if (!MAKES_PICTURES) return;
    const { cssContentSize } = await devtools.send("Page.getLayoutMetrics");
    const size = page.viewportSize()!;
    const height = Math.min(Math.ceil(cssContentSize.height), MAX_HEIGHT);
    await page.setViewportSize({ ...size, height });
    const { data } = await devtools.send("Page.captureScreenshot", {
      format: "webp",
      quality: 40,
    });
    await page.setViewportSize(size);
    await mkdir(PICTURES, { recursive: true });
    await writeFile(`${PICTURES}${name}.webp`, Buffer.from(data, "base64"));
  }

  /** Looks at one page on each screen. */
  async function look(name: string, path: string) {
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(WIDTHS[1280]);
    await page.goto(url + path);
    await page.addScriptTag({ path: AXE });
    for (const [width, size] of Object.entries(WIDTHS))
      for (const colorScheme of SCHEMES) {
        await page.setViewportSize(size);
        await page.emulateMedia({ colorScheme });
        await take(`${name}-${width}-${colorScheme}`);
        const where = `${name} ${width} ${colorScheme}`;
        // The two between them have both widths and both schemes.
        const isWhole = width === "1280" && colorScheme === "light";
        if (isWhole || (width === "375" && colorScheme === "dark"))
          expect([where, await barriers(isWhole)]).toEqual([where, []]);
        expect([where, await page.evaluate<string[]>(SMALL_TARGETS)]).toEqual([where, []]);
        const tooWide = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
        expect([where, await page.evaluate<number>(tooWide)]).toEqual([where, 0]);
      }
  }

  test("the sign-in", async () => {
    await look("sign-in", "/sign-in");
    await page.getByLabel("Token", { exact: true }).fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Invariants" }).waitFor();
  });

  test("before the first cycle, and a page that is not there", async () => {
    await look("overview-empty", "/");
    await look("error", "/invariants/X-01");
  });

  test("all green", async () => {
    await story.green();
    await look("overview-green", "/");
    await look("invariant-green", "/invariants/S-02");
    await look("invariant-off", "/invariants/G-03");
    await look("agent-green", "/agents/atlas");
  });

  test("red: the first page, an invariant, the cycle, the list of cycles", async () => {
    const { snapshot_time } = await story.red();
    await look("overview-red", "/");
    // The first red is on a phone's first screen, whole.
    await page.setViewportSize(WIDTHS[375]);
    const first = (await page.locator("li.row.red").first().boundingBox())!;
    expect(first.y + first.height).toBeLessThan(WIDTHS[375].height);
    await look("invariant-red", "/invariants/S-01");
    await look("cycle", `/cycles/${snapshot_time}`);
    await look("cycles", "/cycles");
    await look("runbook", "/runbooks/S-01");
    await look("agents", "/agents");
    await look("agent-red", "/agents/nina-research");
  });

  test("silenced", async () => {
    await story.silenced();
    await look("overview-silenced", "/");
  });

  test("blind: sources can't be read, and what was red stays red", async () => {
    await story.blind();
    await look("overview-blind", "/");
  });

  test("unknown, with nothing red", async () => {
    await story.unknown();
    await look("overview-unknown", "/");
  });

  test("an agent that is gone, with its episodes", async () => {
    await story.withoutNina();
    await look("agent-gone", "/agents/nina-research");
    await look("invariant-recovered", "/invariants/S-01");
  });

  test("stale", async () => {
    story.stale();
    await look("overview-stale", "/");
  });
});
