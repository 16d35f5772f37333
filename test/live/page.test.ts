/** The status page in a real Chromium, served by what `npm start` starts: an operator's steps, with and without JavaScript. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type LocalEnvironment, startEnvironment } from "../../infra/local/environment.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { NO_DEADLINE } from "../support/cycle.ts";
import { chromiumPath, describeLive, until } from "../support/live.ts";

const TOKEN = "admin-token-of-the-page-test";
const DESKTOP = { width: 1280, height: 800 };
const BAR_MS = 5 * 60_000;

describeLive(["chromium"], "the status page in a browser", () => {
  let environment: LocalEnvironment;
  let browser: Browser;
  const contexts: BrowserContext[] = [];
  /** The cookie of a viewer who has signed in. */
  let session: Awaited<ReturnType<BrowserContext["storageState"]>>;
  /** Messages of the page's console: refused styles or scripts, and errors. */
  const complaints: string[] = [];

  beforeAll(async () => {
    environment = await startEnvironment({
      port: 0,
      dockerHost: "unix:///nowhere/docker.sock",
      adminToken: TOKEN,
      variables: { CANARY_ENVIRONMENT: "staging" },
      confirmAfterMs: 300,
    });
    // An agent without any activity.
    await environment.platform.agents.create({
      name: "ruby",
      maxParallelTasks: 2,
      executionTimeoutSeconds: 600,
    });
    browser = await chromium.launch({ executablePath: chromiumPath()!, args: ["--no-sandbox"] });
    await writeADay();
    await cycle();
    const page = await open();
    await signIn(page);
    session = await page.context().storageState();
  });
  afterAll(async () => {
    await browser?.close();
    await environment?.close();
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close();
    expect(complaints.splice(0)).toEqual([]);
  });

  const cycle = () => runCycle(environment.canary, { trigger: "schedule" });

  /** Records a day of earlier cycles: S-01 was red for an hour, and nothing was read for another. */
  async function writeADay() {
    const nowMs = Date.now();
    for (let ago = 287; ago > 0; ago -= 1) {
      const statusOf = (id: string) => {
        if (id === "R-01" || (ago > 60 && ago < 64)) return "unknown" as const;
        return id === "S-01" && ago > 20 && ago < 33 ? ("red" as const) : ("green" as const);
      };
      const record = (id: string) => ({ status: statusOf(id), checked: 4, unseen: [], reason: null });
      const cycle = {
        snapshot_time: new Date(nowMs - ago * BAR_MS).toISOString(),
        trigger: "schedule",
        duration_ms: 100,
        checks_run: INVARIANTS.map(({ id }) => id),
        checks_off: [],
        sources_unavailable: ["docker: not configured"],
        violation_count: statusOf("S-01") === "red" ? 14 : 0,
        ...(statusOf("S-01") === "red" && {
          found: { "S-01": { violations: 14, first_violation_id: null, summary: "14 slots" } },
        }),
        verdicts: Object.fromEntries(INVARIANTS.map(({ id }) => [id, record(id)])),
        transitions: [],
        spreads: [],
        recoveries: [],
      };
      if (ago !== 200)
        await environment.canary.store.evidence.write(
          { cycle, violations: [], fullCycleAtMs: null },
          nowMs,
          NO_DEADLINE,
        );
    }
  }

  /** Sends a command to the platform's Redis. */
  async function redis(...command: (string | number)[]) {
    const { url, token } = environment.sources.redis;
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(command) });
    expect(await response.json()).not.toHaveProperty("error");
  }
  const SLOTS = ["over-1", "over-2", "over-3"];
  /** Gives an agent more slots than its cap, like a start that bypasses acquire. */
  async function overbook(agent: string) {
    const scoreSeconds = Date.now() / 1000 - 60;
    for (const id of SLOTS) {
      await redis("ZADD", `agent:slots:${agent}`, scoreSeconds, id);
      await redis("HSET", `agent:slot:${agent}:${id}`, "timeout_seconds", 600);
      await redis("EXPIRE", `agent:slot:${agent}:${id}`, 900);
    }
  }
  async function cure(agent: string) {
    for (const id of SLOTS) {
      await redis("ZREM", `agent:slots:${agent}`, id);
      await redis("DEL", `agent:slot:${agent}:${id}`);
    }
  }

  async function open(options: Parameters<Browser["newContext"]>[0] = {}): Promise<Page> {
    const context = await browser.newContext({ viewport: DESKTOP, ...options });
    contexts.push(context);
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // The browser logs the 401 of a wrong token.
      if (message.type() === "error" && !message.text().includes("401")) complaints.push(message.text());
    });
    page.on("dialog", (dialog) => {
      complaints.push(`a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    await page.goto(environment.url);
    return page;
  }
  async function signIn(page: Page) {
    await page.getByLabel("Token", { exact: true }).fill(TOKEN);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Invariants" }).waitFor();
  }
  /** Opens the first page as a viewer who signed in before. */
  async function openSignedIn(options: Parameters<typeof open>[0] = {}): Promise<Page> {
    const page = await open({ ...options, storageState: session });
    await page.getByRole("heading", { name: "Invariants" }).waitFor();
    return page;
  }
  const rowOf = (page: Page, id: string) => page.locator(`li.row#${id}`);
  const stateOf = (page: Page, id: string) => rowOf(page, id).locator(".state").textContent();
  const runFromPage = async (page: Page) => {
    await page.getByRole("button", { name: "Run a cycle" }).click();
    await page.getByText("The cycle is done").waitFor();
  };
  test("an operator's day: sign in, all rows, S-02 breaks, a cycle, red, its detail, the cure, a silence, sign out", async () => {
    const page = await open();
    expect(page.url()).toMatch(/\/sign-in$/);
    await page.getByLabel("Token", { exact: true }).fill("a guess");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("That is neither the admin token nor a read token.").waitFor();
    await signIn(page);

    expect(await page.locator("li.row").count()).toBe(INVARIANTS.length);
    expect(await stateOf(page, "S-02")).toBe("green");
    expect(await stateOf(page, "R-01")).toBe("unknown");
    expect(await page.title()).toMatch(/^\? 1 unknown · staging canary$/);

    await overbook("ruby");
    // Playwright can't read a page that is being left: the page itself records the button's text.
    await page.evaluate(`new MutationObserver(() => {
      sessionStorage.progressText = document.querySelector("form[data-progress]").textContent;
    }).observe(document.querySelector("form[data-progress]"), { subtree: true, childList: true })`);
    await page.getByRole("button", { name: "Run a cycle" }).click();
    await page.getByText(/The cycle is done: \d red, 1 unknown\./).waitFor();
    // A new red is read again after a delay, and the page counts the seconds.
    expect(await page.evaluate("sessionStorage.progressText")).toMatch(/^Running … [0-9]+ s$/);
    expect(page.url()).toBe(`${environment.url}/`);
    expect(await stateOf(page, "S-02")).toBe("red");
    expect(await page.title()).toMatch(/^● \d red, 1 unknown · staging canary$/);
    expect(await page.locator("link[rel=icon]").getAttribute("href")).toMatch(/icon-red/);
    await rowOf(page, "S-02").getByText("slot above the cap across 1 agent").waitFor();
    await rowOf(page, "S-02").getByRole("link", { name: "ruby", exact: true }).waitFor();
    const strip = await rowOf(page, "S-02").getByRole("img").getAttribute("aria-label");
    expect(strip).toMatch(/^S-02, last 24 hours: 1 red, 3 unknown, \d+ green, \d missing of 288$/);

    await rowOf(page, "S-02")
      .getByRole("link", { name: /Slot overbooking/ })
      .click();
    await page.getByText("The agent runs more tasks at once than it was sized for").waitFor();
    await page.getByText("Cycle by cycle").click();
    await page.locator(".violations:not(:has(.episode)) .violation summary").first().click();
    await page.getByText('"overbooked_by": ').waitFor();
    await page
      .getByText(/ZCARD\(agent:slots:ruby\) - drain sentinels = \d > max_parallel_tasks = 2/)
      .waitFor();
    await page.locator(".violation a[href^='/cycles/']").first().click();
    await page.getByRole("heading", { name: /^Cycle of/ }).waitFor();
    expect(await page.locator(".row.red").count()).toBeGreaterThanOrEqual(1);

    await page.getByRole("link", { name: "All invariants" }).click();
    await page.getByText("New silence").click();
    await page.locator("#silence select[name=invariant]").selectOption("S-02");
    await page.getByLabel("Subject").fill("ruby");
    await page.getByLabel("Reason").fill("resizing ruby");
    await page.getByRole("button", { name: "Silence", exact: true }).click();
    await page.getByText("It is silenced").waitFor();
    expect(await stateOf(page, "S-02")).toBe("silenced");
    await page.getByRole("button", { name: /^End silence/ }).click();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByText("The silence is back, as it was.").waitFor();
    expect(await stateOf(page, "S-02")).toBe("silenced");
    await page.getByRole("button", { name: /^End silence/ }).click();
    await page.getByText("The silence has ended").waitFor();
    expect(await stateOf(page, "S-02")).toBe("red");

    await cure("ruby");
    await runFromPage(page);
    expect(await stateOf(page, "S-02")).toBe("green");
    expect(await page.title()).toMatch(/^\? 1 unknown/);

    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token", { exact: true }).waitFor();
    await page.goBack();
    await until(async () => expect(page.url()).toMatch(/\/sign-in/));
    await page.goto(`${environment.url}/invariants/S-02`);
    expect(page.url()).toMatch(/\/sign-in\?to=/);
  });

  test("without JavaScript every step is the same", async () => {
    const page = await open({ javaScriptEnabled: false });
    await signIn(page);
    await overbook("ruby");
    try {
      await runFromPage(page);
      expect(await stateOf(page, "S-02")).toBe("red");
      await rowOf(page, "S-02")
        .getByRole("link", { name: /Slot overbooking/ })
        .click();
      await page.getByRole("link", { name: "Silence ruby" }).click();
      expect(await page.getByLabel("Subject").inputValue()).toBe("ruby");
      await page.getByLabel("Reason").fill("a test");
      await page.getByRole("button", { name: "Silence", exact: true }).click();
      await page.getByText("It is silenced").waitFor();
      await page.getByRole("button", { name: /^End silence/ }).click();
      await page.getByText("The silence has ended").waitFor();
      // Who is it, what do I type, when was it so before: all by links.
      await page.getByRole("navigation", { name: "Site" }).getByRole("link", { name: "Agents" }).click();
      await page.getByRole("link", { name: "ruby", exact: true }).click();
      await page.getByText("ZREM agent:slots:ruby").first().waitFor();
      await page.getByRole("link", { name: /^Runbook of S-02/ }).click();
      await page.getByRole("heading", { name: "Is it still so?" }).waitFor();
      await page.getByRole("navigation", { name: "Site" }).getByRole("link", { name: "Cycles" }).click();
      await page.getByRole("link", { name: "Older →" }).first().click();
      await page.getByRole("link", { name: "← Newer" }).first().click();
      await page.locator(".cycles a").first().click();
      await page.getByRole("heading", { name: /^Cycle of/ }).waitFor();
      await page.getByRole("link", { name: "All invariants" }).click();
      await rowOf(page, "S-02").locator(".spans a").last().click();
      await page.getByRole("heading", { name: "Cycles", exact: true }).waitFor();
    } finally {
      await cure("ruby");
    }
    await page.getByRole("link", { name: "All invariants" }).click();
    await runFromPage(page);
    expect(await stateOf(page, "S-02")).toBe("green");
    // There is no button that needs JavaScript.
    expect(await page.getByRole("button", { name: "Copy" }).count()).toBe(0);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Token", { exact: true }).waitFor();
  });

  test("while another cycle is in progress the page says so, and when to come back", async () => {
    const page = await openSignedIn();
    const { store } = environment.canary;
    await store.lease.acquire("another", Date.now(), 30_000);
    try {
      await page.getByRole("button", { name: "Run a cycle" }).click();
      await page
        .getByText(/Another cycle is in progress\. Nothing was started; try again in \d+ s\./)
        .waitFor();
    } finally {
      await store.lease.release("another");
    }
  });

  test("the command of a form can be copied, without a token in it", async () => {
    const page = await openSignedIn({ permissions: ["clipboard-read", "clipboard-write"] });
    await page.getByText("from a shell").first().click();
    await page.getByRole("button", { name: "Copy" }).first().click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const copied = await page.evaluate<string>("navigator.clipboard.readText()");
    expect(copied).toBe(
      `curl -X POST \\\n  -H "Authorization: Bearer $CANARY_TOKEN" \\\n  ${environment.url}/api/canary/run-cycle`,
    );
  });

  test("a tab that is left open keeps itself young; one that is being read says when it is old", async () => {
    const page = await open();
    await page.clock.install();
    await signIn(page);
    const loaded = page.waitForEvent("load");
    await page.clock.runFor(61_000);
    await loaded;
    await page.getByText("from a shell").first().click();
    await page.clock.runFor(17 * 60_000);
    await page.getByText("This page was loaded over 15 minutes ago.").waitFor();
    expect(await page.title()).toMatch(/^▲ old · /);
  });

  test("a link from another site leads a signed-in viewer to the page, not to the sign-in", async () => {
    const page = await openSignedIn();
    const elsewhere = environment.url.replace("127.0.0.1", "localhost");
    await page.route(`${elsewhere}/mail`, (route) =>
      route.fulfill({
        contentType: "text/html",
        body: `<a href="${environment.url}/invariants/S-02">alert</a>`,
      }),
    );
    await page.goto(`${elsewhere}/mail`);
    await page.getByRole("link", { name: "alert" }).click();
    await page.getByRole("heading", { name: /Slot overbooking/ }).waitFor();
  });

  test("by keyboard and by pointer each bar of a strip is a link with its time, state and count", async () => {
    const page = await openSignedIn({ timezoneId: "Asia/Kolkata" });
    const strip = rowOf(page, "S-01").locator(".strip");
    // One tab stop for the strip: the newest bar.
    expect(await strip.locator("a:not([tabindex='-1'])").count()).toBe(1);
    await strip.locator("a.at").focus();
    const nameOf = () => page.evaluate<string>("document.activeElement.getAttribute('aria-label')");
    expect(await nameOf()).toMatch(/^S-01 \d\d:\d\d UTC \(\d\d:\d\d.* local\): /);
    // A day of cycles, five minutes apart: some of the last three hours found something.
    for (let i = 0; i < 200 && !/: red, 14 violations$/.test(await nameOf()); i += 1)
      await page.keyboard.press("ArrowLeft");
    expect(await nameOf()).toMatch(/^S-01 .*: red, 14 violations$/);
    expect(await strip.locator(".tip").isVisible()).toBe(true);
    const time = await page.evaluate<string>("document.activeElement.getAttribute('href')");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: /^Cycle of/ }).waitFor();
    expect(new URL(page.url()).pathname).toBe(time);
    await page.getByText("14 violations:").waitFor();
    await page.getByRole("link", { name: "All invariants" }).click();
    const box = (await strip.boundingBox())!;
    const [x, y] = [box.x + (box.width * 200) / 288, box.y + box.height / 2];
    await page.mouse.move(x, y);
    const pointed = await strip.locator("a.at").getAttribute("href");
    expect(await strip.locator("a.at").boundingBox()).toMatchObject({ width: 24 });
    await page.mouse.click(x, y);
    await page.waitForURL(`**${pointed}`);
    await page.getByRole("heading", { name: /^Cycle of/ }).waitFor();
  });

  test("a time says on hover what the clock on the wall showed", async () => {
    const page = await openSignedIn({ timezoneId: "Asia/Kolkata", locale: "en-GB" });
    const time = page.locator("main time").first();
    const iso = await time.getAttribute("datetime");
    const local = new Date(iso!).toLocaleTimeString("en-GB", { timeZone: "Asia/Kolkata" });
    expect(await time.getAttribute("title")).toContain(local);
  });

  test("the keyboard alone: past the head to the content, and a cycle is run", async () => {
    const page = await open();
    await page.getByLabel("Token", { exact: true }).focus();
    await page.keyboard.type(TOKEN);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Invariants" }).waitFor();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toMatch(/Skip to the content/);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.textContent")).toBe("Run a cycle");
    await page.keyboard.press("Enter");
    await page.getByText("The cycle is done").waitFor();
  });

  describe("what the platform is called", () => {
    const HOSTILE = [
      "<script>document.title='owned'</script>",
      "<img src=x onerror=alert(1)>",
      '"><svg onload=alert(1)>',
      "' autofocus onfocus='alert(1)",
      "&lt;b&gt;&amp;",
      "שלום עולם",
      "مرحبا بالعالم",
      "null",
      "__proto__",
    ];

    test("names full of markup and quotes, and right-to-left ones, are shown as text, letter by letter", async () => {
      const page = await openSignedIn();
      for (const name of HOSTILE) await overbook(name);
      try {
        await runFromPage(page);
        await page.goto(`${environment.url}/invariants/L-03`);
        const shown = await page
          .locator("section:has(> h2:text-is('Red now')) li > a > bdi")
          .allTextContents();
        expect(shown.sort()).toEqual([...HOSTILE].sort());
        // Each name stays between its neighbours, whatever its direction.
        const places = await page.locator(".facts > li:has(.number):has(> a > bdi)").all();
        for (const place of places) {
          const [name, since] = [place.locator("> a > bdi"), place.locator(".number")];
          expect((await name.boundingBox())!.x).toBeLessThan((await since.boundingBox())!.x);
        }
        expect(places.length).toBe(HOSTILE.length);
        expect(await page.title()).not.toContain("owned");
        expect(await page.locator("main img, main script, main b:text('x')").count()).toBe(0);
        // The link to silence a subject leads to exactly that subject.
        await page.getByRole("link", { name: `Silence ${HOSTILE[1]}` }).click();
        expect(await page.getByLabel("Subject").inputValue()).toBe(HOSTILE[1]);
      } finally {
        for (const name of HOSTILE) await cure(name);
        await cycle();
      }
    });

    test("an override of direction turns nothing around", async () => {
      const page = await openSignedIn();
      const name = "agent\u202egnp.exe";
      await overbook(name);
      try {
        await runFromPage(page);
        const words = await rowOf(page, "L-03").locator(".words").innerText();
        expect(words).toContain("agent\\u202egnp.exe");
        expect(words).not.toMatch(/\u202e/);
      } finally {
        await cure(name);
        await cycle();
      }
    });
  });
});
