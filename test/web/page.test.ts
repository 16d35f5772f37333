/** The status page over a scripted canary: access, content, and forms. */
import fc from "fast-check";
import pMap from "p-map";
import { beforeAll, describe, expect, test } from "vitest";
import { memorySizes } from "../../shared/cycle/memory.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { findInvariant, INVARIANTS } from "../../shared/invariants/index.ts";
import { violationId } from "../../shared/store/table.ts";
import { CycleNotRun } from "../../shared/web/cycles.ts";
import { agentPath } from "../../shared/web/ui/texts.ts";
import type { CycleRecord } from "../../shared/wire/schemas/cycles.ts";
import type { ViolationRecord } from "../../shared/wire/schemas/violations.ts";
import { oneByOne } from "../support/alert.ts";
import { ANY_CHARACTER } from "../support/any-text.ts";
import {
  DAY_MS,
  HOUR_MS,
  MINUTE_MS,
  NO_DEADLINE,
  type ScriptedCanary,
  START_MS,
  slot,
  useCanaries,
} from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";
import { ORIGIN, pageBrowsers, rowsIn, TOKEN, textOf, titleIn } from "../support/page-browser.ts";
import { idsOffWithout } from "../support/registry.ts";

const canaryOf = useCanaries();
const { browserOf, signedIn } = pageBrowsers(canaryOf);
const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };
const COMMANDS = ["/run-cycle", "/silences", "/silences/end", "/silences/restore", "/sign-out"];

/** Notes each call of the canary's state from now on. */
function stateCallsOf({ deps }: ScriptedCanary): string[] {
  const calls: string[] = [];
  for (const [part, functions] of Object.entries(deps.store))
    for (const [name, call] of Object.entries(functions))
      Object.assign(functions, {
        [name]: (...args: unknown[]) => {
          calls.push(`${part}.${name}`);
          return (call as (...args: unknown[]) => unknown)(...args);
        },
      });
  return calls;
}

describe("who is let in", () => {
  test("every page and every form, walked: without a session the sign-in, and nothing is done", async () => {
    const { app, canary, ask, send } = await browserOf();
    const open = /^\/(sign-in|favicon\.ico|assets\/.*|api\/.*|openapi\.json|healthz|metrics|badge\.svg)$/;
    const routes = app.routes.filter(({ method, path }) => method !== "ALL" && !open.test(path));
    expect(new Set(routes.map(({ method, path }) => `${method} ${path}`))).toEqual(
      new Set([
        "GET /",
        "GET /invariants/:id",
        "GET /agents",
        "GET /agents/:name",
        "GET /runbooks/:id",
        "GET /cycles",
        "GET /cycles/:time",
        ...COMMANDS.map((path) => `POST ${path}`),
      ]),
    );
    for (const { method, path } of routes) {
      const real = path
        .replace(":name", "ruby")
        .replace(":id", "S-02")
        .replace(":time", "2026-11-23T10:05:00.000Z");
      const answer = method === "GET" ? await ask(real) : await send(real, { id: "12345678" });
      expect([path, answer.status, answer.location]).toEqual([
        path,
        303,
        method === "GET" && real !== "/" ? `/sign-in?to=${encodeURIComponent(real)}` : "/sign-in",
      ]);
      expect(answer.text).toBe("");
    }
    expect(canary.reads).toEqual([]);
  });

  test("the admin token once, and the page is there with a row for each invariant", async () => {
    const { signIn, ask } = await browserOf();
    const answer = await signIn();
    expect([answer.status, answer.location]).toEqual([303, "/"]);
    const set = answer.headers.get("set-cookie")!;
    expect(set).toMatch(/^__Host-canary=/);
    for (const part of ["HttpOnly", "Secure", "SameSite=Strict", "Path=/", "Max-Age=43200"])
      expect(set.split("; ")).toContain(part);
    expect(set).not.toContain(TOKEN);
    const page = await ask("/");
    expect(page.status).toBe(200);
    expect(page.headers.get("cache-control")).toBe("no-store");
    expect(rowsIn(page.text)).toHaveLength(INVARIANTS.length);
    expect(page.text).not.toContain(TOKEN);
  });

  test("a token that was pasted with a line's end is taken, and leads to the page that was asked for", async () => {
    const { signIn } = await browserOf();
    expect((await signIn(` ${TOKEN}\n`, { to: "/invariants/S-02" })).location).toBe("/invariants/S-02");
  });

  test.each([
    "//evil.example",
    "https://evil.example/",
    "/\\evil.example",
    "/invariants/../api",
    "javascript:x",
  ])("the sign-in leads nowhere else: %s", async (to) => {
    const { signIn } = await browserOf();
    expect((await signIn(TOKEN, { to })).location).toBe("/");
  });

  test.each(["", "wrong", `${TOKEN}x`, TOKEN.slice(1), TOKEN.toUpperCase()])(
    "the wrong token %j gives nothing, and is refused at once: nobody waits, and no state is read",
    async (token) => {
      const canary = await canaryOf();
      const calls = stateCallsOf(canary);
      const refused: string[] = [];
      const { signIn, ask } = await browserOf({ canary, onRefused: (c) => refused.push(c.req.path) });
      const answer = await signIn(token);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("set-cookie")).toBeNull();
      expect(textOf(answer.text)).toContain("That is neither the admin token nor a read token.");
      expect(answer.text.length).toBeLessThan(2_000);
      expect({ naps: canary.naps, calls, reads: canary.reads }).toEqual({ naps: [], calls: [], reads: [] });
      expect(refused).toEqual(["/sign-in"]);
      expect((await ask("/")).status).toBe(303);
    },
  );

  test("strangers who guess at every door read no state: the sign-in, pages, forms, the badge and the API", async () => {
    const canary = await canaryOf();
    const calls = stateCallsOf(canary);
    const refused: string[] = [];
    const { app, signIn } = await browserOf({ canary, onRefused: (c) => refused.push(c.req.path) });
    const doors = [...new Set(app.routes.map(({ path }) => path))].filter((path) => path.startsWith("/"));
    const open = /^\/(sign-in|favicon\.ico|assets\/.*|healthz|\*)$/;
    const closed = doors.filter((path) => !open.test(path));
    for (const path of closed)
      for (const method of ["GET", "POST", "DELETE"])
        await app.request(
          ORIGIN +
            path.replace(":name", "ruby").replace(":id", "S-02").replace(":time", "2026-11-23T10:05:00.000Z"),
          {
            method,
            headers: {
              host: "canary.example.com",
              authorization: "Bearer guess",
              cookie: "__Host-canary=1.2",
            },
          },
        );
    await signIn("guess");
    expect(closed.length).toBeGreaterThan(10);
    expect(refused.length).toBeGreaterThan(closed.length);
    expect({ naps: canary.naps, calls, reads: canary.reads }).toEqual({ naps: [], calls: [], reads: [] });
  });

  test("a session ends after twelve hours, whatever the browser does", async () => {
    const { ask, canary } = await signedIn();
    canary.advance(12 * HOUR_MS - 1);
    expect((await ask("/")).status).toBe(200);
    canary.advance(1);
    expect((await ask("/")).location).toBe("/sign-in");
  });

  test("a cookie that was changed, made up, or signed by another token is none", async () => {
    const { ask, cookie, takeCookie } = await signedIn();
    const good = cookie();
    const [name, value = ""] = good.split("=");
    const decoded = decodeURIComponent(value);
    const [payload = "", signature] = decoded.split(".");
    const session = JSON.parse(Buffer.from(payload, "base64url").toString());
    const forge = (change: object) =>
      `${Buffer.from(JSON.stringify({ ...session, ...change })).toString("base64url")}.${signature}`;
    const another = "another-token-that-is-long-enough";
    const other = await browserOf({ adminToken: another });
    await other.signIn(another);
    for (const forged of [
      `${name}=${encodeURIComponent(forge({ untilMs: session.untilMs + DAY_MS }))}`,
      `${name}=${encodeURIComponent(forge({ caller: { name: "ada", role: "admin" } }))}`,
      `${name}=${encodeURIComponent(`${decoded.slice(0, -4)}AAA=`)}`,
      `${name}=${encodeURIComponent(payload)}`,
      `${name}=`,
      `${name}=9999999999999.x.y`,
      other.cookie(),
      good.replace("__Host-", ""),
    ]) {
      takeCookie(forged);
      expect([forged, (await ask("/")).status]).toEqual([forged, 303]);
    }
    takeCookie(good);
    expect((await ask("/")).status).toBe(200);
  });

  test("a rotated admin token ends every session", async () => {
    const before = await signedIn();
    const after = await browserOf({ canary: before.canary, adminToken: "rotated-token-that-is-long-enough" });
    after.takeCookie(before.cookie());
    expect((await after.ask("/")).location).toBe("/sign-in");
  });

  test("a session opens no route of the API, and a token in a header no page", async () => {
    const { ask } = await signedIn();
    for (const path of ["/api/canary/status", "/metrics", "/openapi.json"])
      expect([path, (await ask(path)).status]).toEqual([path, 401]);
    const stranger = await browserOf();
    expect((await stranger.ask("/", { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(303);
  });

  test.each([
    ["http://127.0.0.1:8787", false],
    ["http://localhost:8787", false],
    ["http://[::1]:8787", false],
    ["http://10.0.0.7:8787", true],
    ["http://localhost.evil.example", true],
    ["https://localhost", true],
  ])("at %s the cookie is Secure: %s", async (origin, isSecure) => {
    const { app } = await browserOf();
    const response = await app.request(`${origin}/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ token: TOKEN }),
      headers: { host: new URL(origin).host, origin },
    });
    expect(response.status).toBe(303);
    expect(/; Secure/.test(response.headers.get("set-cookie")!)).toBe(isSecure);
  });

  test("signing out takes the cookie away", async () => {
    const { submit, ask } = await signedIn();
    const answer = await submit("/sign-out");
    expect([answer.status, answer.location]).toEqual([303, "/sign-in"]);
    expect(answer.headers.get("set-cookie")).toMatch(
      /^__Host-canary=; Max-Age=0; Path=\/; HttpOnly; Secure; SameSite=Strict/,
    );
    expect((await ask("/")).status).toBe(303);
  });

  test("a link in another site's page, which brings no strict cookie, asks once more from here", async () => {
    const { ask } = await browserOf();
    const answer = await ask("/invariants/S-02", { headers: { "sec-fetch-site": "cross-site" } });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('content="0;url=/invariants/S-02"');
    expect((await ask("/invariants/S-02", { headers: { "sec-fetch-site": "same-origin" } })).status).toBe(
      303,
    );
  });
});

describe("a form of another site does nothing", () => {
  const FORGED: [string, Record<string, string>, Record<string, string>][] = [
    ["without the session's token", { form_token: "" }, {}],
    ["with a token that was made up", { form_token: "A".repeat(43) }, {}],
    ["from another site", {}, { "sec-fetch-site": "cross-site" }],
    ["from a sibling", {}, { "sec-fetch-site": "same-site" }],
    ["typed into the address", {}, { "sec-fetch-site": "none" }],
  ];
  test.each(FORGED)("%s: 403", async (_, fields, headers) => {
    const { send, formToken, canary } = await signedIn();
    const token = await formToken();
    expect(token).toMatch(/^[\w-]{43}$/);
    for (const path of COMMANDS) {
      const answer = await send(
        path,
        { form_token: token, invariant: "S-02", length: "2h", reason: "x", ...fields },
        headers,
      );
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.headers.get("set-cookie")).toBeNull();
    }
    expect(canary.reads).toEqual([]);
    expect((await canary.store.lease.read()).silences).toEqual([]);
  });

  test("an old browser is judged by its Origin, and one that says neither is not believed", async () => {
    const { app, cookie, formToken } = await signedIn();
    const token = await formToken();
    const ends = async (headers: Record<string, string>) =>
      (
        await app.request(`${ORIGIN}/silences/end`, {
          method: "POST",
          body: new URLSearchParams({ form_token: token, id: "12345678" }),
          headers: { host: "canary.example.com", cookie: cookie(), ...headers },
        })
      ).status;
    expect(await ends({ origin: ORIGIN })).toBe(303);
    // Behind a proxy that ends TLS only the scheme differs.
    expect(await ends({ origin: "http://canary.example.com" })).toBe(303);
    for (const origin of ["https://evil.example", "https://canary.example.com.evil.example", "null", ""])
      expect([origin, await ends({ origin })]).toEqual([origin, 403]);
    expect(await ends({})).toBe(403);
  });

  test("nobody is signed in by another site's form", async () => {
    const { send } = await browserOf();
    const answer = await send("/sign-in", { token: TOKEN }, { "sec-fetch-site": "cross-site" });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([403, null]);
  });

  test("the token of one session's form is no other's", async () => {
    const [one, other] = [await signedIn(), await signedIn()];
    const answer = await one.send("/run-cycle", { form_token: await other.formToken() });
    expect(answer.status).toBe(403);
  });

  test("a form of 20 kB is not read", async () => {
    const { submit } = await signedIn();
    expect((await submit("/silences", { reason: "x".repeat(20_000) })).status).toBe(413);
  });
});

describe("what a page may load", () => {
  test("only from itself, into no frame, and nothing is written into it", async () => {
    const { ask, canary } = await signedIn();
    canary.set(LEAKED);
    const { snapshot_time } = await canary.cycle();
    for (const path of [
      "/",
      "/invariants/S-01",
      `/cycles/${snapshot_time}`,
      "/cycles",
      "/agents",
      "/agents/alpha",
      "/runbooks/S-01",
      "/sign-in",
      "/invariants/X-01",
    ]) {
      const { headers, text } = await ask(path);
      const policy = headers.get("content-security-policy")!;
      expect(policy.split("; ").sort()).toEqual([
        "base-uri 'none'",
        "default-src 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
      ]);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("referrer-policy")).toBe("same-origin");
      expect(text).not.toMatch(/<style|<script(?! src="\/assets\/)|<[^>]*\s(style|on\w+)=|javascript:/i);
    }
  });

  test("what it loads is there, kept for a year, and its address changes with the content", async () => {
    const { ask } = await browserOf();
    const { text } = await ask("/sign-in");
    const paths = [...text.matchAll(/"(\/assets\/[^"]+)"/g)].map(([, path]) => path!);
    expect(paths.map((path) => path.replace(/\.[0-9a-f]{12}\./, "."))).toEqual([
      "/assets/icon-off.svg",
      "/assets/page.css",
      "/assets/page.js",
    ]);
    for (const path of paths) {
      const asset = await ask(path);
      expect([path, asset.status]).toEqual([path, 200]);
      expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    }
    expect((await ask("/assets/page.000000000000.css")).status).toBe(401);
  });
});

describe("the first page", () => {
  test("before the first cycle it says so, loudly, and nothing is green", async () => {
    const { ask } = await signedIn();
    const { text } = await ask("/");
    expect(textOf(text)).toContain("Never checked.");
    expect(titleIn(text)).toBe("? never checked · test canary");
    expect(new Set(rowsIn(text).map(([, shown]) => shown))).toEqual(new Set(["unknown"]));
  });

  test("green, then red with since when, who, and in words; the tab says it; green again", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    const green = await ask("/");
    expect(titleIn(green.text)).toBe("✓ green · test canary");
    expect(green.text).toMatch(/rel="icon" href="\/assets\/icon-green\./);
    expect(textOf(green.text)).toContain("All green");

    canary.set(LEAKED);
    await canary.cycle();
    const red = await ask("/");
    expect(titleIn(red.text)).toBe("● 1 red · test canary");
    expect(red.text).toMatch(/rel="icon" href="\/assets\/icon-red\./);
    // The most urgent row comes first.
    expect(rowsIn(red.text)[0]).toEqual(["S-01", "red"]);
    expect(textOf(red.text)).toContain("since 10:10");
    expect(textOf(red.text)).toContain(
      "1 slot without a running row and 0 running rows without a slot across 1 agent alpha",
    );
    expect(red.text).toContain('aria-label="S-01, last 24 hours: 1 red, 1 green, 286 missing of 288"');

    canary.set({ slots: slotsOf({}) });
    await canary.cycle();
    const cured = await ask("/");
    expect(titleIn(cured.text)).toBe("✓ green · test canary");
    expect(cured.text).toContain('aria-label="S-01, last 24 hours: 1 red, 2 green, 285 missing of 288"');
  });

  test("a canary that has not checked for a quarter of an hour is stale, whatever it found", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    canary.advance(15 * MINUTE_MS - 1);
    expect((await ask("/")).text).not.toContain("Stale.");
    canary.advance(1);
    const { text } = await ask("/");
    expect(textOf(text)).toContain("Stale. The last full cycle was 15 min ago.");
    expect(titleIn(text)).toBe("▲ stale, green · test canary");
  });

  test("what is blind is unknown, with the reason; what is left out is off", async () => {
    const { ask, canary } = await signedIn();
    canary.leaveOut("docker", "off");
    canary.unread("slots", "redis: ETIMEDOUT");
    await canary.cycle();
    const { text } = await ask("/");
    const shown = Object.fromEntries(rowsIn(text));
    expect([shown["R-01"], shown["S-02"], shown["B-01"]]).toEqual(["off", "unknown", "green"]);
    expect(textOf(text)).toContain("Blind since 10:05: redis (ETIMEDOUT).");
    expect(textOf((await ask("/invariants/S-02")).text)).toMatch(
      /not judged since 10:05\s*: redis: ETIMEDOUT/,
    );
  });

  test("what is not run says why, on the first page, on its own, and on the cycle's", async () => {
    const { ask, canary } = await signedIn({ canary: await canaryOf({ checks: { off: ["S-03"] } }) });
    canary.leaveOut("docker", "off");
    const { snapshot_time } = await canary.cycle();
    for (const [id, reason] of [
      ["S-03", "off by CHECKS_OFF"],
      ["R-01", "docker: off"],
    ] as const) {
      const row = textOf((await ask("/")).text.split(`id="${id}"`)[1]!.split("</li>")[0]!);
      expect(row).toMatch(new RegExp(`off .* not run .*${reason}`));
      expect(textOf((await ask(`/invariants/${id}`)).text)).toContain(` off ${reason} `);
      expect(textOf((await ask(`/cycles/${snapshot_time}`)).text)).toMatch(new RegExp(`not run ${reason} `));
    }
    expect(textOf((await ask("/invariants/S-01")).text)).not.toMatch(/CHECKS_OFF|docker: off/);
  });

  test("an invariant's page shows the severity that it has here, and its own beside it", async () => {
    const checks = { severities: { "S-01": "minor" } } as const;
    const { ask } = await signedIn({ canary: await canaryOf({ checks }) });
    expect(textOf((await ask("/invariants/S-01")).text)).toContain(
      "tier A, minor (critical by default), reads",
    );
    expect(textOf((await ask("/invariants/S-02")).text)).toContain("tier A, critical, reads");
  });

  test("a page on which a check is off does not call all of it green", async () => {
    const { ask, canary } = await signedIn();
    canary.leaveOut("docker", "off");
    await canary.cycle();
    const { text } = await ask("/");
    const off = idsOffWithout("docker").length;
    expect(titleIn(text)).toBe(`✓ ${INVARIANTS.length - off} green, ${off} off · test canary`);
    expect(textOf(text)).not.toContain("All green");
  });

  test("sources with their latency, and alerts that wait", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    const text = textOf((await ask("/")).text);
    expect(text).toMatch(/sqlite \d+ ms .* redis \d+ ms .* docker \d+ ms/);
    expect(text).toContain("No channel: nobody is notified.");
  });

  test("before the first full cycle nobody is told that there is no channel", async () => {
    const { ask, canary } = await signedIn();
    expect(textOf((await ask("/")).text)).toContain("The next full cycle says which channels there are.");
    const slack = {
      ...canary.deps,
      alerts: { ...canary.deps.alerts, senders: { slack: oneByOne(async () => {}) } },
    };
    await runCycle(slack, { trigger: "schedule" });
    // What shows the page has no sender: the cycle has left the names.
    expect(textOf((await ask("/")).text)).toContain("All delivered, by slack.");
  });

  test("a silence of all that is red makes it silenced, of another subject not; the rest still counts", async () => {
    const { ask, submit, canary } = await signedIn();
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    await canary.cycle();
    const silence = (subject: string) =>
      submit("/silences", { invariant: "S-01", subject, length: "2h", reason: "resizing", back: "/" });
    expect((await silence("alpha")).location).toBe("/?said=silenced#silences");
    expect(rowsIn((await ask("/")).text)[0]).toEqual(["S-01", "red"]);
    await silence("beta");
    const { text } = await ask("/");
    expect(rowsIn(text)[0]).toEqual(["S-01", "silenced"]);
    expect(titleIn(text)).toBe("○ 1 silenced · test canary");
    canary.advance(2 * HOUR_MS);
    await canary.cycle();
    expect(rowsIn((await ask("/")).text)[0]).toEqual(["S-01", "red"]);
  });

  test("the state is down: 503 in words, with nothing of its address", async () => {
    const { ask, canary, logged } = await signedIn();
    canary.stateFails("lease.read");
    const { status, text } = await ask("/");
    expect(status).toBe(503);
    // The apostrophe is an entity in the page.
    expect(textOf(text)).toMatch(/The canary.+s state can.+t be read/);
    expect(text).not.toMatch(/10\.0\.0\.7|hunter2|ECONNREFUSED/);
    expect(logged).toHaveLength(1);
  });
});

describe("how many subjects each verdict looked at", () => {
  /** The text of an invariant's row. */
  const rowText = (html: string, id: string) =>
    textOf(new RegExp(`<li class="row[^"]*" id="${id}">(.*?)<div class="strip"`, "s").exec(html)![1]!);

  test("stands in its row of the first page, on its own page and on the cycle's: also that there was nothing", async () => {
    const { ask, canary } = await signedIn();
    const { snapshot_time } = await canary.cycle();
    const { text } = await ask("/");
    expect(rowText(text, "S-01")).toMatch(/ 2 checked $/);
    expect(rowText(text, "E-05")).toMatch(/ nothing to check $/);
    expect(textOf((await ask("/invariants/S-01")).text)).toMatch(/green since [^,]*, 2 checked/);
    expect(textOf((await ask("/invariants/E-05")).text)).toMatch(/green since [^,]*, nothing to check/);
    const cycle = textOf((await ask(`/cycles/${snapshot_time}`)).text);
    expect(cycle).toMatch(/S-01 Slot–row bijection 2 checked/);
    expect(cycle).toMatch(/E-05 Dispatched rows have a session nothing to check/);
    expect(cycle).not.toMatch(/\b0 checked/);
  });

  test("an invariant that could not be judged has checked none, which is not the same as nothing to check", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    canary.unread("slots", "redis: ETIMEDOUT");
    await canary.cycle();
    expect(rowText((await ask("/")).text, "S-01")).toMatch(/ none checked $/);
  });

  test("before the first cycle, or where it is off, nothing is said", async () => {
    const { ask, canary } = await signedIn();
    expect(textOf((await ask("/")).text)).not.toMatch(/\d checked|none checked|nothing to check/);
    canary.leaveOut("docker", "off");
    await canary.cycle();
    expect(rowText((await ask("/")).text, "R-01")).not.toContain("check");
  });

  test("a memory of a version that did not count says nothing, until the next cycle", async () => {
    const { ask, canary } = await signedIn();
    await canary.cycle();
    const { lease } = canary.store;
    const taken = await lease.acquire("the-test", canary.now(), 60_000);
    if (!("memory" in taken)) throw new Error("the lease is taken");
    const states = Object.fromEntries(
      Object.entries(taken.memory.states).map(([id, { checked: _none, ...state }]) => [id, state]),
    );
    const sizes = memorySizes({ ...taken.memory, states }, []);
    await lease.commit(taken, sizes, { release: true, nowMs: canary.now() });
    const { text } = await ask("/");
    expect(rowsIn(text)).toContainEqual(["S-01", "green"]);
    expect(rowText(text, "S-01")).not.toContain("check");
    await canary.cycle();
    expect(rowText((await ask("/")).text, "S-01")).toMatch(/ 2 checked $/);
  });
});

describe("a red that can't be looked at", () => {
  test("is red on every page, with its reason on the cycle's", async () => {
    const { ask, canary, submit } = await signedIn();
    canary.set(LEAKED);
    await canary.cycle();
    canary.set({ slots: slotsOf({}, ["alpha"]) });
    const { snapshot_time } = await canary.cycle();
    expect(rowsIn((await ask("/")).text)).toContainEqual(["S-01", "red"]);
    const cycle = (await ask(`/cycles/${snapshot_time}`)).text;
    expect(cycle).toMatch(/<li class="row red">.{0,900}still red but not seen: alpha/s);
    expect((await submit("/run-cycle", { back: "/" })).location).toBe("/?said=ran");
  });
});

describe("one invariant, and one cycle", () => {
  test("what it means, what to do, and each violation with what was seen and the query", async () => {
    const { ask, canary } = await signedIn();
    canary.set(LEAKED);
    const { snapshot_time, violations } = await canary.cycle();
    const { status, text } = await ask("/invariants/S-01");
    const { impact, runbook } = findInvariant("S-01")!;
    expect(status).toBe(200);
    for (const words of [impact, runbook, violations[0]!.signal_query, "1 violation on 1 of 90 days"])
      expect(textOf(text)).toContain(words.replaceAll("'", "&#39;"));
    expect(text).toContain("&quot;in_redis_only&quot;: [");
    expect(text).toContain(`href="/cycles/${snapshot_time}"`);
    expect(titleIn(text)).toBe("● 1 red · S-01 Slot–row bijection · test canary");
  });

  test("its violations over days, page after page, each once, though others are red all the time", async () => {
    const { ask, canary, signIn } = await signedIn();
    const seen: string[] = [];
    const found: string[] = [];
    for (let day = 0; day < 3; day += 1) {
      for (let cycle = 0; cycle < 14; cycle += 1) {
        canary.set({ slots: slotsOf(cycle % 2 ? { alpha: [slot("e-1")] } : {}) });
        const { violations } = await canary.cycle();
        found.push(...violations.map((v) => String(v.id)));
      }
      canary.advance(DAY_MS);
    }
    await signIn();
    for (let path = "/invariants/S-01"; path; ) {
      const { text } = await ask(path);
      seen.push(...[...text.matchAll(/, violation (\d+)/g)].map(([, id]) => id!));
      path = /<a href="([^"]+before=[^"]+)">Older/.exec(text)?.[1] ?? "";
    }
    expect(found).toHaveLength(21);
    expect(seen).toEqual(found.reverse());
  });

  test("what was found on the day on which the last 24 hours begin, before they do, can be reached", async () => {
    const { ask, canary, signIn } = await signedIn();
    const found: string[] = [];
    // At noon of the next day only the second of these is within the last 24 hours.
    for (const hours of [5, 21]) {
      canary.set({ slots: slotsOf({ alpha: [slot("e-1")] }) });
      found.push(...(await canary.cycle()).violations.map((v) => String(v.id)));
      canary.set({ slots: slotsOf({}) });
      await canary.cycle();
      canary.advance(hours * HOUR_MS);
    }
    await signIn();
    const { text } = await ask("/invariants/S-01");
    expect(text).toContain(`, violation ${found[1]}`);
    expect(text).not.toContain(`, violation ${found[0]}`);
    const older = /<a href="([^"]+before=[^"]+)">Older/.exec(text)?.[1] ?? "no link";
    expect((await ask(older)).text).toContain(`, violation ${found[0]}`);
  });

  test("one cycle, whole", async () => {
    const { ask, canary } = await signedIn();
    canary.unread("zombies", "docker: ETIMEDOUT");
    await canary.cycle();
    canary.set(LEAKED);
    const { snapshot_time } = await canary.cycle();
    const { status, text } = await ask(`/cycles/${snapshot_time}`);
    expect(status).toBe(200);
    for (const words of [
      "triggered by schedule",
      "found 1 violation",
      "S-01 broke",
      "alpha: 1 slot, 0 running rows; in Redis only: e-1; in SQL only: none",
      "docker: ETIMEDOUT",
      "2 checked",
    ])
      expect(textOf(text)).toContain(words);
  });

  test.each([
    "/invariants/X-99",
    "/invariants/s-01",
    "/cycles/2026-11-23T10:05:00.000Z",
    "/cycles/yesterday",
    "/cycles/%00",
  ])("%s is not there: 404 in words", async (path) => {
    const { ask } = await signedIn();
    const { status, text } = await ask(path);
    expect([status, /There is no such (invariant|cycle)/.test(text)]).toEqual([404, true]);
  });
});

describe("acting", () => {
  test("a cycle is run, and the result is put in words", async () => {
    const { submit, ask, canary } = await signedIn();
    canary.set(LEAKED);
    const answer = await submit("/run-cycle", { back: "/" });
    expect([answer.status, answer.location]).toEqual([303, "/?said=ran"]);
    expect(textOf((await ask(answer.location!)).text)).toContain("The cycle is done: 1 red.");
    const [cycle] = await canary.store.history.outlineCycles(
      { startMs: START_MS, endMs: canary.now(), nowMs: canary.now() },
      ["S-01"],
    );
    expect(cycle).toMatchObject({ trigger: "page" });
  });

  test("while another cycle is in progress it says so, and for how long", async () => {
    const { submit, ask, canary } = await signedIn();
    await canary.store.lease.acquire("another", canary.now(), 42_000);
    const answer = await submit("/run-cycle", { back: "/" });
    expect(answer.status).toBe(303);
    expect(textOf((await ask(answer.location!)).text)).toMatch(
      /Another cycle is in progress\. Nothing was started; try again in \d+ s\./,
    );
    expect(canary.reads).toEqual([]);
  });

  test("a cycle of another function whose outcome is not known is no success either", async () => {
    const why = "the cycle function did not answer in time";
    const runCycle = () => Promise.reject(new CycleNotRun(504, "cycle_unanswered", why));
    const { submit } = await signedIn({ runCycle });
    const { status, text } = await submit("/run-cycle", { back: "/" });
    expect(status).toBe(504);
    expect(textOf(text)).toContain(why);
  });

  test("a cycle that could not be written is no success", async () => {
    const { submit, canary } = await signedIn();
    canary.stateFails("lease.commit");
    const answer = await submit("/run-cycle", { back: "/" });
    expect(answer.status).toBe(503);
    expect(textOf(answer.text)).toContain("The cycle is not remembered");
  });

  test("a silence until a time in UTC; ended before its time; and a second end finds none", async () => {
    const { submit, ask, canary } = await signedIn();
    await submit("/silences", {
      invariant: "S-02",
      subject: "alpha",
      length: "2h",
      until: "2026-11-24T08:30",
      reason: " resizing ",
      back: "/invariants/S-02",
    });
    const [silence] = (await canary.store.lease.read()).silences;
    expect(silence).toMatchObject({
      invariantId: "S-02",
      subject: "alpha",
      untilMs: Date.parse("2026-11-24T08:30Z"),
      reason: "resizing",
    });
    const page = await ask("/");
    expect(textOf(page.text)).toMatch(/alpha , until 11-24 08:30 : resizing/);
    const ended = await submit("/silences/end", { id: silence!.id, back: "/" });
    expect(textOf((await ask(ended.location!)).text)).toContain("The silence has ended.");
    const gone = await submit("/silences/end", { id: silence!.id, back: "/" });
    expect(textOf((await ask(gone.location!)).text)).toContain("That silence had already ended.");
  });

  test.each([
    ["no reason", { reason: " " }, /say why/],
    ["a time that is over", { until: "2026-11-22T08:30" }, /next 90 days/],
    ["a time that is none", { until: "tomorrow" }, /ISO 8601/],
    ["a length that was not offered", { length: "900d" }, /ISO 8601/],
    ["an invariant that there is not", { invariant: "X-99" }, /there is no such invariant/],
  ])("a silence with %s: 422 says it, and what was typed is still there", async (_, fields, says) => {
    const { submit, canary } = await signedIn();
    const typed = {
      invariant: "S-02",
      subject: "al<b>pha",
      length: "8h",
      reason: "resizing",
      back: "/",
      ...fields,
    };
    const { status, text } = await submit("/silences", typed);
    expect(status).toBe(422);
    expect(textOf(text)).toMatch(says);
    expect(text).toContain('value="al&lt;b&gt;pha"');
    expect((await canary.store.lease.read()).silences).toEqual([]);
  });

  test("a form of an invariant that is not there any more comes back on the first page", async () => {
    const { submit } = await signedIn();
    const { status, text } = await submit("/silences", { invariant: "S-02", back: "/invariants/X-99" });
    expect([status, titleIn(text)]).toEqual([422, "? never checked · test canary"]);
    expect(textOf(text)).toContain("It was not silenced.");
  });

  test("whatever a form says, about the page to go back to or anything else: an own page or a 422, never a 5xx", async () => {
    const { send, formToken, ask, cookie, takeCookie, logged } = await signedIn();
    const [form_token, session] = [await formToken(), cookie()];
    const characters = (from: string, minLength: number) =>
      fc.string({ unit: fc.constantFrom(...from), minLength, maxLength: 32 });
    const number = (most: number, digits: number) =>
      fc.integer({ min: 0, max: most }).map((n) => String(n).padStart(digits, "0"));
    const address = fc.oneof(
      fc.string({ unit: ANY_CHARACTER }),
      characters("0123456789TZ:.-", 8).map((time) => `/cycles/${time}`),
      fc
        .tuple(
          number(9_999, 4),
          number(13, 2),
          number(32, 2),
          number(25, 2),
          fc.constantFrom("Z", "-23:59", "+01"),
        )
        .map(([year, month, day, hour, zone]) => `/cycles/${year}-${month}-${day}T${hour}:30${zone}`),
      fc
        .tuple(fc.constantFrom("A", "S", "Z"), number(99, 2))
        .map(([letter, n]) => `/invariants/${letter}-${n}`),
      fc.constantFrom(
        "",
        "/",
        "//evil.example",
        "/\\evil.example",
        "/sign-in",
        "/cycles/",
        "__proto__",
        "constructor",
      ),
    );
    const input = fc.record({
      back: address,
      invariant: fc.constantFrom("S-02", "X-99", ""),
      reason: fc.oneof(fc.string({ unit: ANY_CHARACTER }), fc.constant("")),
      length: fc.constantFrom("2h", "toString", ""),
      until: address,
      id: fc.oneof(fc.string({ unit: ANY_CHARACTER }), fc.constant("12345678")),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          { weight: 5, arbitrary: fc.constant("/silences") },
          { weight: 1, arbitrary: fc.constantFrom("/silences/end", "/sign-in", "/run-cycle") },
        ),
        input,
        async (path, fields) => {
          // The sign-in begins another session, whose forms have another token.
          takeCookie(session);
          const answer = await send(path, { form_token, to: fields.back, token: TOKEN, ...fields });
          if (answer.location === null) {
            expect(answer.status).toBe(422);
            expect(textOf(answer.text)).toContain("It was not silenced.");
            return;
          }
          expect(answer.location).toMatch(/^\/((invariants|cycles)\/[\w:.-]+)?([?#].*)?$/);
          expect((await ask(answer.location)).status).toBeLessThan(500);
        },
      ),
      { numRuns: 50 },
    );
    expect(logged).toEqual([]);
  });

  test("a page loads itself again each minute; one cycle and the answer to a form do not", async () => {
    const { ask, submit, canary } = await signedIn();
    const { snapshot_time } = await canary.cycle();
    const reloads = ({ text }: { text: string }) => text.includes("<body data-reloads");
    for (const path of ["/", "/invariants/S-01", "/invariants/X-99"])
      expect([path, reloads(await ask(path))]).toEqual([path, true]);
    for (const path of [`/cycles/${snapshot_time}`, "/sign-in"])
      expect([path, reloads(await ask(path))]).toEqual([path, false]);
    expect(reloads(await submit("/silences", { invariant: "S-02", back: "/" }))).toBe(false);
    canary.stateFails("lease.read");
    expect(reloads(await ask("/"))).toBe(true);
  });

  test("nobody can write a text of their own into the page by a link", async () => {
    const { ask } = await signedIn();
    for (const query of [
      "said=%3Cb%3Ehacked",
      "said=constructor",
      "said=ran&red=hacked",
      "said=busy&wait=hacked",
    ])
      expect((await ask(`/?${query}`)).text).not.toContain("hacked");
  });

  test("the commands to copy carry no token but the shell's", async () => {
    const { ask } = await signedIn();
    const { text } = await ask("/");
    expect(text).toContain("curl -X POST \\\n  -H &quot;Authorization: Bearer $CANARY_TOKEN&quot; \\\n");
    expect(text).toContain(`${ORIGIN}/api/canary/run-cycle`);
  });
});

describe("texts of the platform are shown as text", () => {
  const HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></textarea><b>",
    "<!-- --><![CDATA[ ]]>",
    "&lt;b&gt;&amp;&#x3c;",
    "javascript:alert(1)",
    "$(touch x) `id` '; rm -rf /",
    "‮gnp.exe⁦",
    "שלום עולם",
    "مرحبا",
    "a\u0000b\u0007c\u001b[31m",
    "line\nbreak\ttab",
    "null",
    "undefined",
    "__proto__",
    "0",
    " ",
    "\ud83d\ude80",
    "\ufffd",
    "x".repeat(5_000),
  ];
  const tagsOf = (html: string) => [...html.matchAll(/<\/?[a-z!][\w-]*/gi)].map(([tag]) => tag);

  async function pagesFor(name: string) {
    const browser = await signedIn({ environment: name });
    const { canary, submit, ask } = browser;
    canary.set({ roster: rosterOf({ [name]: {} }), slots: slotsOf({ [name]: [slot(name)] }) });
    canary.unread("zombies", `docker: ${name}`);
    const { snapshot_time } = await canary.cycle();
    await submit("/silences", {
      invariant: "S-01",
      subject: name,
      length: "2h",
      reason: `x${name}`.slice(0, 200),
    });
    const paths = [
      "/",
      "/invariants/S-01",
      `/invariants/S-01?${new URLSearchParams({ subject: name })}`,
      `/cycles/${snapshot_time}`,
      agentPath(name),
      "/agents",
    ];
    return Promise.all(paths.map(async (path) => (await ask(path)).text));
  }

  let harmless: readonly string[];
  beforeAll(async () => {
    harmless = await pagesFor("harmless");
  });

  test.each(HOSTILE)("%j makes no tag, no attribute and no line of its own", async (name) => {
    for (const [i, html] of (await pagesFor(name)).entries()) {
      // A blank name counts as empty, and a name of 5,000 letters is too long for a silence.
      if (name.trim() !== "" && name.length <= 200) expect(tagsOf(html)).toEqual(tagsOf(harmless[i]!));
      expect(html).not.toMatch(/<(script>|img|svg onload)/);
      // A form field keeps the original text: its direction marks affect only the field.
      expect(html.replace(/ value="[^"]*"/g, "").replaceAll("\n", "")).not.toMatch(
        /\p{Cc}|[\u202a-\u202e\u2066-\u2069]/u,
      );
    }
  });

  test("right-to-left text stands apart from the text next to it, and an override is shown as its code", async () => {
    const [page] = await pagesFor("שלום");
    expect(page).toContain('<bdi dir="auto">שלום</bdi>');
    const [overridden] = await pagesFor("a‮b");
    expect(overridden).toContain('<bdi dir="auto">a\\u202eb</bdi>');
  });
});

test("runbooks are where the configuration says, for pages as for alerts, and pages of this site otherwise", async () => {
  const canary = await canaryOf();
  canary.set(LEAKED);
  await canary.cycle();
  const linksAt = async (browser: Awaited<ReturnType<typeof signedIn>>) =>
    Promise.all(
      ["/invariants/S-01", "/agents/alpha"].map(
        async (path) => /<a href="([^"]*)"[^>]*>Runbook/.exec((await browser.ask(path)).text)?.[1],
      ),
    );
  expect(await linksAt(await signedIn({ canary }))).toEqual(["/runbooks/S-01", "/runbooks/S-01"]);
  const runbooksUrl = "https://wiki.example.com/canary/{id}";
  Object.assign(canary.deps, { alerts: { ...canary.deps.alerts, runbooksUrl } });
  const there = "https://wiki.example.com/canary/S-01";
  expect(await linksAt(await signedIn({ canary }))).toEqual([there, there]);
});

describe("a platform where everything is red", () => {
  /** Records a day of 288 cycles with 1,000 violations each. Only the last cycles have their violations. */
  async function withThousandRed() {
    const browser = await signedIn();
    const { canary } = browser;
    const names = Array.from({ length: 1_000 }, (_, i) => `agent-${i}-of-a-fleet-with-long-names`);
    canary.set({
      slots: slotsOf(Object.fromEntries(names.map((name) => [name, [slot(`execution-of-${name}`)]]))),
    });
    const { snapshot_time } = await canary.cycle();
    const write = async (i: number) => {
      const time = new Date(Date.parse(snapshot_time) - i * 5 * MINUTE_MS).toISOString();
      const cycle: CycleRecord = {
        snapshot_time: time,
        trigger: "schedule",
        duration_ms: 900,
        checks_run: INVARIANTS.map(({ id }) => id),
        checks_off: [],
        sources_unavailable: [],
        violation_count: 0,
        // The worst case for the uptime bars: neighbours always differ.
        verdicts: Object.fromEntries(
          INVARIANTS.map(({ id }) => [
            id,
            { status: i % 2 ? "red" : "unknown", checked: 1_000, unseen: [], reason: null },
          ]),
        ),
        transitions: [],
        found: Object.fromEntries(
          INVARIANTS.map(({ id }) => [
            id,
            { violations: 1_000 + (i % 7), first_violation_id: null, summary: `${i} agents` },
          ]),
        ),
        spreads: [],
        recoveries: [],
        source_latency_ms: { sqlite: 90 + i, queue_counts: 80, redis: 400 - i, docker: 1_000 },
        red_subjects: 1_000 - i,
      };
      await canary.store.evidence.write(
        { cycle, violations: [], fullCycleAtMs: null },
        canary.now(),
        NO_DEADLINE,
      );
    };
    const each = Array.from({ length: 287 }, (_, i) => i + 1);
    await pMap(each, write, { concurrency: 4 });
    return { ...browser, snapshot_time };
  }

  test("each page stays below 200 kB, says how many more there are, and asks a bounded number of times", async () => {
    const { ask, canary, snapshot_time } = await withThousandRed();
    let requests = 0;
    const measured: { path: string; bytes: number; requests: number; ms: number }[] = [];
    canary.client.middlewareStack.add(
      (next) => (args) => {
        requests += 1;
        return next(args);
      },
      { step: "finalizeRequest", name: "count", priority: "high" },
    );
    for (const [path, more, most] of [
      ["/", "and 992 more", 4],
      ["/invariants/L-03", "and 975 more", 10],
      ["/invariants/S-01", "Slot", 8],
      [`/cycles/${snapshot_time}`, "and 975 more", 8],
      ["/cycles", "Older", 17],
      ["/agents", "page 1 of 11", 4],
      ["/agents/agent-1-of-a-fleet-with-long-names", "Red now", 8],
    ] as const) {
      requests = 0;
      const startedAt = performance.now();
      const { status, text } = await ask(path);
      expect(status).toBe(200);
      expect(textOf(text)).toContain(more);
      const bytes = Buffer.byteLength(text);
      measured.push({ path, bytes, requests, ms: Math.round(performance.now() - startedAt) });
      expect([path, bytes < 200_000, bytes]).toEqual([path, true, bytes]);
      expect([path, requests <= most, requests]).toEqual([path, true, requests]);
    }
    // The time is for who reads it: a loaded machine is no fault of a page.
    console.table(measured);
  });

  test("violations with all that a record can hold stay below 200 kB too", async () => {
    const { ask, canary } = await signedIn();
    const time = new Date(canary.now()).toISOString();
    const violations: ViolationRecord[] = Array.from({ length: 100 }, (_, i) => ({
      id: violationId(time.slice(0, 10), i + 1),
      invariant_id: "S-01",
      tier: "A",
      severity: "critical",
      subject: '"<&>'.repeat(500),
      snapshot_time: time,
      observed_state: { in_redis_only: Array.from({ length: 500 }, () => '"<&>'.repeat(20)) },
      signal_query: '"<&>'.repeat(2_000),
    }));
    const cycle: CycleRecord = {
      snapshot_time: time,
      trigger: "schedule",
      duration_ms: 1,
      checks_run: ["S-01"],
      checks_off: [],
      sources_unavailable: [],
      violation_count: 100,
      found: {
        "S-01": { violations: 100, first_violation_id: violations[0]!.id, summary: '"<&>'.repeat(150) },
      },
      verdicts: {},
      transitions: [],
      spreads: [],
      recoveries: [],
    };
    await canary.store.evidence.write({ cycle, violations, fullCycleAtMs: null }, canary.now(), NO_DEADLINE);
    for (const path of [`/cycles/${time}`, "/invariants/S-01"]) {
      const { status, text } = await ask(path);
      expect(status).toBe(200);
      expect([path, Buffer.byteLength(text) < 200_000, Buffer.byteLength(text)]).toEqual([
        path,
        true,
        expect.any(Number),
      ]);
    }
  });
});

describe("the badge", () => {
  test("is for who has a session or the token, and for everybody only where that was said", async () => {
    const stranger = await browserOf();
    const refused = await stranger.ask("/badge.svg");
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    expect((await stranger.ask("/badge.svg", { headers: { authorization: "Bearer wrong" } })).status).toBe(
      401,
    );
    expect((await stranger.ask("/badge.svg", { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(
      200,
    );
    expect((await (await signedIn()).ask("/badge.svg")).status).toBe(200);
    const open = await browserOf({ publicBadge: true });
    const shown = await open.ask("/badge.svg");
    expect(shown.status).toBe(200);
    // Without this header browsers refuse it to pages of other sites.
    const policy = "cross-origin-resource-policy";
    expect([shown, refused].map(({ headers }) => headers.get(policy))).toEqual([
      "cross-origin",
      "same-origin",
    ]);
    expect((await open.ask("/")).status).toBe(303);
  });

  test("shows the state and no more: how many are red, not which", async () => {
    const { ask, canary } = await browserOf({ publicBadge: true, environment: 'p<r>"od' });
    const words = async () => {
      const { headers, text } = await ask("/badge.svg");
      expect(headers.get("content-type")).toMatch(/^image\/svg\+xml/);
      return /<title>(.*)<\/title>/.exec(text)![1];
    };
    expect(await words()).toBe("p&lt;r&gt;&quot;od canary: never checked");
    await canary.cycle();
    expect(await words()).toMatch(/: green$/);
    canary.set(LEAKED);
    await canary.cycle();
    expect(await words()).toMatch(/: 1 red$/);
    expect((await ask("/badge.svg")).text).not.toMatch(/alpha|S-01/);
    canary.advance(HOUR_MS);
    expect(await words()).toMatch(/: stale, 1 red$/);
    canary.stateFails("lease.read");
    expect(await words()).toMatch(/: unknown$/);
  });
});

describe("GET /metrics", () => {
  const scrape = async (browser: Awaited<ReturnType<typeof browserOf>>) =>
    browser.ask("/metrics", { headers: { authorization: `Bearer ${TOKEN}` } });

  test("each invariant's status, red subjects, the cycle's age, sources and alerts, as Prometheus reads them", async () => {
    const browser = await browserOf({ environment: 'a"b\\c\nd' });
    const { canary } = browser;
    canary.set({ slots: slotsOf({ alpha: [slot("e-1")], beta: [slot("e-2")] }) });
    await canary.cycle();
    canary.advance(60_000);
    const { status, headers, text } = await scrape(browser);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const lines = text.split("\n");
    for (const line of [
      'trinity_canary_info{environment="a\\"b\\\\c\\nd"} 1',
      'trinity_canary_invariant_status{invariant="S-01",severity="critical",status="red"} 1',
      'trinity_canary_invariant_status{invariant="S-01",severity="critical",status="green"} 0',
      'trinity_canary_invariant_status{invariant="S-02",severity="critical",status="green"} 1',
      'trinity_canary_red_subjects{invariant="S-01"} 2',
      'trinity_canary_red_subjects{invariant="S-02"} 0',
      'trinity_canary_checked_subjects{invariant="S-01"} 2',
      'trinity_canary_checked_subjects{invariant="E-05"} 0',
      "trinity_canary_alerts_pending 0",
      "trinity_canary_sources_unavailable 0",
    ])
      expect(lines).toContain(line);
    expect(text).toMatch(/^trinity_canary_source_latency_seconds\{source="redis"\} [\d.]+$/m);
    expect(Number(/^trinity_canary_last_cycle_age_seconds (\S+)/m.exec(text)![1])).toBeGreaterThanOrEqual(60);
  });

  test("a cycle of a clock that is ahead is infinitely old, so that an alert on the age fires", async () => {
    const browser = await browserOf({});
    browser.canary.advance(60 * MINUTE_MS);
    await browser.canary.cycle();
    browser.canary.advance(-60 * MINUTE_MS);
    const { text } = await scrape(browser);
    expect(text).toContain("\ntrinity_canary_last_cycle_age_seconds +Inf\n");
  });

  test("nothing says how many were checked before the first cycle, or of a check that is off", async () => {
    const browser = await browserOf();
    const { canary } = browser;
    expect((await scrape(browser)).text).not.toMatch(/^trinity_canary_checked_subjects\{/m);
    await canary.cycle();
    canary.leaveOut("docker", "off");
    await canary.cycle();
    const { text } = await scrape(browser);
    expect(text).toMatch(/^trinity_canary_checked_subjects\{invariant="S-01"\} 2$/m);
    expect(text).not.toMatch(/^trinity_canary_checked_subjects\{invariant="R-01"/m);
  });

  test("an environment's own severity is the label, and what it turns off is off", async () => {
    const checks = { off: ["R-01"], severities: { "S-01": "minor" } } as const;
    const { text } = await scrape(await browserOf({ canary: await canaryOf({ checks }) }));
    expect(text).toMatch(/^trinity_canary_invariant_status\{invariant="R-01",.*status="off"\} 1$/m);
    expect(text).toMatch(/^trinity_canary_invariant_status\{invariant="S-01",severity="minor",/m);
  });

  test("is well formed: help and type before each family's samples, no line twice, a line's end at the end", async () => {
    const browser = await browserOf();
    await browser.canary.cycle();
    const { text } = await scrape(browser);
    expect(text.endsWith("\n")).toBe(true);
    const lines = text.trimEnd().split("\n");
    let family = "";
    const samples = new Set<string>();
    for (const [i, line] of lines.entries()) {
      const [, name] = /^# HELP (\w+) \S/.exec(line) ?? [];
      if (name) {
        family = name;
        expect(lines[i + 1]).toBe(`# TYPE ${name} gauge`);
      } else if (!line.startsWith("# TYPE")) {
        const [, sample, labels = ""] =
          /^(\w+)(\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\})? -?[\d.]+(?:e[+-]?\d+)?$/.exec(line) ?? [];
        expect([line, sample]).toEqual([line, family]);
        expect(samples.has(sample + labels)).toBe(false);
        samples.add(sample + labels);
      }
    }
    expect(samples.size).toBeGreaterThan(60);
  });

  test("before the first cycle there is no age that could be taken for a young one", async () => {
    const { text } = await scrape(await browserOf());
    expect(text).toContain("# TYPE trinity_canary_last_cycle_age_seconds gauge\n#");
    expect(text).toContain('status="unknown"} 1');
  });
});

describe("where IAM checks who calls", () => {
  const signed = { event: { requestContext: { authorizer: { iam: {} } } } };

  test("a signature that AWS has checked opens the pages, nobody signs in, and nothing is there without one", async () => {
    const { app, canary } = await browserOf({ adminToken: null, publicBadge: true });
    await canary.cycle();
    const ask = (path: string, env: object, init: RequestInit = {}) => app.request(ORIGIN + path, init, env);
    const page = await ask("/", signed);
    expect(page.status).toBe(200);
    expect(await page.text()).not.toMatch(/Sign out|form_token/);
    for (const path of ["/", "/badge.svg", "/metrics", "/invariants/S-01", "/sign-in"])
      expect([path, (await ask(path, {})).status]).toEqual([path, 401]);
    expect((await ask("/sign-in", signed)).status).toBe(404);
    expect((await ask("/badge.svg", signed)).status).toBe(200);
    const run = (headers: Record<string, string>) =>
      ask("/run-cycle", signed, { method: "POST", body: new URLSearchParams({ back: "/" }), headers });
    const before = canary.reads.length;
    expect((await run({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await run({})).status).toBe(403);
    expect(canary.reads.length).toBe(before);
    expect((await run({ "sec-fetch-site": "same-origin" })).status).toBe(303);
    expect(canary.reads.length).toBeGreaterThan(before);
  });
});
