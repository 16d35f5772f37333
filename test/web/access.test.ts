/** Who calls, and what readers can't: API, pages, metrics and badge. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { HOUR_MS, type ScriptedCanary, slot, useCanaries } from "../support/cycle.ts";
import { slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const ADMIN = "correct-horse-battery-staple";
const READER = "read-only-horse-battery-staple";
const SHORT = "a-token-of-23-charact";
const hashOf = (token: string) => createHash("sha256").update(token).digest("hex");
const READ_TOKENS = [
  { name: "grafana", sha256: hashOf("another-token-of-a-reader") },
  { name: "ada", sha256: hashOf(READER) },
  { name: "lazy", sha256: hashOf(SHORT) },
];
const LEAKED = { slots: slotsOf({ alpha: [slot("e-1")] }) };
const ORIGIN = "https://canary.example.com";

type Options = Partial<Parameters<typeof createApp>[0]> & { readonly scripted?: ScriptedCanary };

async function appOf({ scripted, ...options }: Options = {}) {
  const canary = scripted ?? (await canaryOf());
  const app = createApp({
    canary: canary.deps,
    runCycle: (request) => runCycle(canary.deps, request),
    adminToken: ADMIN,
    readTokens: READ_TOKENS,
    logError: () => {},
    ...options,
  });
  const call = async (token: string, path: string, init: RequestInit = {}) =>
    app.request(path, { ...init, headers: { authorization: `Bearer ${token}`, ...init.headers } });
  return { app, canary, call };
}

// biome-ignore lint/suspicious/noExplicitAny: a test asks for fields that may not be there
const bodyOf = async (answer: Response): Promise<any> => answer.json();

/** A browser with its cookie. */
async function browserOf(options: Options = {}) {
  const made = await appOf(options);
  let cookie = "";
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { host: new URL(ORIGIN).host, cookie, ...init.headers };
    const response = await made.app.request(ORIGIN + path, { ...init, headers });
    cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return {
      status: response.status,
      location: response.headers.get("location"),
      text: await response.text(),
    };
  };
  const send = (path: string, fields: Record<string, string>) =>
    ask(path, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { "sec-fetch-site": "same-origin" },
    });
  const submit = async (path: string, fields: Record<string, string> = {}) => {
    const form_token = /name="form_token" value="([^"]+)"/.exec((await ask("/")).text)?.[1] ?? "";
    return send(path, { form_token, ...fields });
  };
  const take = (value: string) => {
    cookie = value;
  };
  return { ...made, ask, send, submit, cookie: () => cookie, take };
}

const silence = (more: object = {}) => ({
  method: "POST",
  body: JSON.stringify({ invariant_id: "S-01", until_recovered: true, reason: "known", ...more }),
});

/** The routes of the API: what reads, and what changes. */
async function routesOf() {
  const made = await appOf();
  const routes = made.app.routes
    .filter(({ method, path }) => method !== "ALL" && /^\/(api\/|openapi\.json$|metrics$)/.test(path))
    .map(({ method, path }) => ({ method, path }));
  return {
    ...made,
    reading: routes.filter(({ method }) => method === "GET"),
    changing: routes.filter(({ method }) => method !== "GET"),
  };
}

test("every changing route, walked with a read token: 403, and nothing has changed", async () => {
  const { changing, call, canary } = await routesOf();
  expect(changing.length).toBeGreaterThanOrEqual(3);
  for (const { method, path } of changing) {
    const answer = await call(READER, path.replace(/:\w+/g, "12345678"), { method });
    expect([method, path, answer.status]).toEqual([method, path, 403]);
    expect(await answer.json()).toEqual({
      code: "read_only",
      detail:
        "this token sees everything and changes nothing: use the admin token, or ask somebody who has it",
      request_id: expect.any(String),
    });
  }
  expect([(await call(READER, "/api/nothing", { method: "PUT" })).status, canary.reads]).toEqual([403, []]);
});

test("every reading route, walked with a read token: 200", async () => {
  const { reading, call, canary } = await routesOf();
  canary.set(LEAKED);
  const { violations, snapshot_time } = await canary.cycle();
  const { episodes } = await bodyOf(await call(READER, "/api/canary/episodes"));
  const real = (path: string) =>
    path
      .replace("episodes/:id", `episodes/${episodes[0].id}`)
      .replace("violations/:id", `violations/${violations[0]!.id}`)
      .replace(":name", "alpha")
      .replace(":time", snapshot_time);
  for (const { path } of reading)
    expect([path, (await call(READER, real(path))).status]).toEqual([path, 200]);
  expect(reading.map(({ path }) => path)).toEqual(expect.arrayContaining(["/metrics", "/api/canary/status"]));
});

test("a token that is short is nobody's, whatever its hash: 401; so is the hash itself", async () => {
  const { call } = await appOf();
  for (const token of [SHORT, hashOf(READER), `${READER}x`, READER.slice(0, -1)])
    expect((await call(token, "/api/canary/status")).status).toBe(401);
});

test("a silence says who made it: the name that the person gives, by header or body; else the admin", async () => {
  const { call, canary } = await appOf();
  canary.set(LEAKED);
  await canary.cycle();
  const byOf = async (init: RequestInit) =>
    (await bodyOf(await call(ADMIN, "/api/canary/silences", init))).by;
  expect(await byOf(silence())).toBe("admin");
  const headers = { "X-Canary-By": " ada\u00ad " };
  expect(await byOf({ ...silence(), headers })).toBe("ada");
  expect(await byOf({ ...silence({ by: "bob" }), headers })).toBe("bob");
  expect(await byOf(silence({ by: " \u202e " }))).toBe("admin");
  const long = await call(ADMIN, "/api/canary/silences", silence({ by: "x".repeat(61) }));
  expect([long.status, (await bodyOf(long)).detail]).toEqual([422, "by: give at most 60 characters"]);
  const { silences } = await canary.store.lease.read();
  expect(silences.map(({ by }) => by).sort()).toEqual(["ada", "admin", "admin", "bob"]);
});

test("where the function URL checks signatures the caller's ARN is the name, also beside one that is given", async () => {
  const { app, canary } = await appOf({ adminToken: null });
  canary.set(LEAKED);
  await canary.cycle();
  const arn = "arn:aws:sts::123456789012:assumed-role/operators/ada";
  const iamOf = (userArn?: string) => ({ event: { requestContext: { authorizer: { iam: { userArn } } } } });
  const byOf = async (more: object, userArn?: string) => {
    const init = { ...silence(more), headers: { "X-Canary-By": "mallory" } };
    return (await bodyOf(await app.request("/api/canary/silences", init, iamOf(userArn)))).by;
  };
  expect(await byOf({}, arn)).toBe(arn);
  expect(await byOf({ by: "Ada" }, arn)).toBe(`Ada (${arn})`);
  expect(await byOf({})).toBe("signed");
  expect((await app.request("/", {}, iamOf(arn))).status).toBe(200);
});

/** Every page and every form of the site, walked. */
function siteOf({ app }: Awaited<ReturnType<typeof browserOf>>, real: Readonly<Record<string, string>>) {
  const isOfSite = /^\/(?!api\/|openapi\.json|healthz|metrics|mcp|assets\/|favicon|sign-in)/;
  const routes = app.routes.filter(({ method, path }) => method !== "ALL" && isOfSite.test(path));
  const paths = (wanted: string) => [
    ...new Set(routes.filter(({ method }) => method === wanted).map(({ path }) => path)),
  ];
  return {
    pages: paths("GET").map((path) => path.replace(/:\w+/, (name) => real[name] ?? name)),
    forms: paths("POST").filter((path) => path !== "/sign-out"),
  };
}

test("a reader signs in, sees every page, finds no form that changes something, and sends none that does", async () => {
  const browser = await browserOf();
  const { ask, send, submit, canary } = browser;
  canary.set(LEAKED);
  const { snapshot_time } = await canary.cycle();
  const silenced = { id: "0badcafe", invariantId: "S-01", subject: null, reason: "x", createdAtMs: 1 };
  await canary.deps.store.silences.put({ ...silenced, untilMs: canary.now() + HOUR_MS }, canary.now());
  expect((await send("/sign-in", { token: READER, to: "/" })).location).toBe("/");
  const { pages, forms } = siteOf(browser, { ":id": "S-01", ":name": "alpha", ":time": snapshot_time });
  expect(pages).toEqual(expect.arrayContaining(["/", "/agents/alpha", "/invariants/S-01", "/badge.svg"]));
  for (const path of pages) {
    const { status, text } = await ask(path);
    const found = [...text.matchAll(/<form method="post" action="([^"]+)"/g)].map(([, action]) => action);
    expect([path, status, found.filter((action) => action !== "/sign-out")]).toEqual([path, 200, []]);
    // Nor what leads to a form, or to a command that is refused.
    const refused = /#silence"|curl -X (POST|DELETE)[^<]*\/api\/canary/.exec(text)?.[0];
    expect([path, refused]).toEqual([path, undefined]);
  }
  expect(forms).toEqual(
    expect.arrayContaining(["/run-cycle", "/silences", "/silences/end", "/silences/restore"]),
  );
  const reads = canary.reads.length;
  for (const path of forms) {
    const answer = await submit(path, { id: "0badcafe", invariant: "S-01", length: "2h", reason: "x" });
    expect([path, answer.status]).toEqual([path, 403]);
    expect(answer.text).toContain("this token sees everything and changes nothing");
  }
  expect([canary.reads.length, (await canary.store.lease.read()).silences.length]).toEqual([reads, 1]);
  expect((await submit("/sign-out")).location).toBe("/sign-in");
});

test("a read token that is taken back, or another one of that name, ends its sessions; the others stay", async () => {
  const first = await browserOf();
  await first.send("/sign-in", { token: READER });
  const [, , lazy] = READ_TOKENS;
  const renewed = { name: "ada", sha256: hashOf("a-new-token-of-ada-with-24") };
  for (const [readTokens, status] of [
    [READ_TOKENS, 200],
    [[READ_TOKENS[1]!], 200],
    [[lazy!], 303],
    [[renewed], 303],
    [[], 303],
  ] as const) {
    const after = await browserOf({ scripted: first.canary, readTokens });
    after.take(first.cookie());
    expect((await after.ask("/")).status).toBe(status);
  }
});

test("a name given at the sign-in stands in the silences of that session; a reader's name is the token's", async () => {
  const { send, submit, canary, ask } = await browserOf();
  canary.set(LEAKED);
  await canary.cycle();
  await send("/sign-in", { token: ADMIN, name: "Zoë <b>" });
  const fields = { invariant: "S-01", length: "recovers", reason: "known", back: "/" };
  expect((await submit("/silences", fields)).location).toBe("/?said=silenced#silences");
  expect((await canary.store.lease.read()).silences[0]).toMatchObject({
    by: "Zoë <b>",
    untilRecovered: true,
  });
  const { text } = await ask("/");
  expect(text).toContain("until it recovers");
  expect(text).toContain("Zoë &lt;b&gt;");
});
