/** Silences as operators make them: until the recovery, of names that there are, and undone. */
import { expect, test } from "vitest";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { createApp } from "../../shared/web/app.ts";
import { SilenceCreated } from "../../shared/wire/schemas/silences.ts";
import {
  alertsOf,
  HOUR_MS,
  MINUTE_MS,
  type ScriptedCanary,
  slot,
  taken,
  useCanaries,
} from "../support/cycle.ts";
import { slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const TOKEN = "correct-horse-battery-staple";
const ORIGIN = "https://canary.example.com";
const leaked = (...agents: string[]) => ({
  slots: slotsOf(Object.fromEntries(agents.map((agent, i) => [agent, [slot(`e-${i}`)]]))),
});

async function apiOf() {
  const canary = await canaryOf();
  const app = createApp({
    canary: canary.deps,
    runCycle: (request) => runCycle(canary.deps, request),
    adminToken: TOKEN,
    logError: () => {},
  });
  const headers = { authorization: `Bearer ${TOKEN}`, "x-canary-by": "ada" };
  const silence = async (more: object) => {
    const body = JSON.stringify({ invariant_id: "S-01", reason: "known", ...more });
    const answer = await app.request("/api/canary/silences", { method: "POST", headers, body });
    // biome-ignore lint/suspicious/noExplicitAny: a test asks for fields that may not be there
    return { status: answer.status, body: (await answer.json()) as any };
  };
  return { app, canary, silence, headers };
}
const subjectsOf = async ({ store }: ScriptedCanary) =>
  (await store.lease.read()).silences.map(({ subject }) => subject);

test("alpha is acknowledged: nobody hears of it until it recovers, which takes the silence away", async () => {
  const { canary, silence } = await apiOf();
  const sent = alertsOf(canary, { onRecovery: true });
  canary.set(leaked("alpha", "beta"));
  await canary.cycle();
  expect(taken(sent)).toEqual(["broke S-01 critical"]);
  const made = await silence({ subject: "alpha", until_recovered: true });
  expect([made.status, SilenceCreated.safeParse(made.body).success]).toEqual([201, true]);
  expect(made.body).toMatchObject({ until: null, until_recovered: true, by: "ada", note: null });
  await canary.cycle();
  expect([taken(sent), await subjectsOf(canary)]).toEqual([[], ["alpha"]]);

  canary.set(leaked("beta"));
  await canary.cycle();
  expect([taken(sent), await subjectsOf(canary)]).toEqual([[], []]);
  canary.set(leaked("beta", "alpha"));
  await canary.cycle();
  expect(taken(sent)).toEqual(["spread S-01 critical"]);
});

test("a cycle whose commit fails ends no silence", async () => {
  const { canary, silence } = await apiOf();
  canary.set(leaked("alpha"));
  await canary.cycle();
  await silence({ subject: "alpha", until_recovered: true });
  canary.set(leaked());
  canary.stateFails("lease.commit");
  await canary.statelessCycle();
  canary.stateRecovers();
  expect(await subjectsOf(canary)).toEqual(["alpha"]);
  await canary.cycle();
  expect(await subjectsOf(canary)).toEqual([]);
});

test("one that is made while the cycle runs in which alpha recovers ends with the next one", async () => {
  const { canary, silence } = await apiOf();
  canary.set(leaked("alpha"));
  await canary.cycle();
  canary.set(leaked());
  canary.when("redis", async () => {
    canary.when("redis");
    expect((await silence({ subject: "alpha", until_recovered: true })).status).toBe(201);
  });
  await canary.cycle();
  expect(await subjectsOf(canary)).toEqual(["alpha"]);
  await canary.cycle();
  expect(await subjectsOf(canary)).toEqual([]);
});

test("what is not red can't recover: 422; what can't be seen now but was red can, with a note", async () => {
  const { canary, silence } = await apiOf();
  const early = await silence({ until_recovered: true });
  expect([early.status, early.body.code]).toEqual([422, "not_red"]);
  expect(early.body.detail).toMatch(
    /^until_recovered: S-01 is not red as far as is known \(it can't be judged now\)/,
  );

  canary.set(leaked("alpha"));
  await canary.cycle();
  const other = await silence({ invariant_id: "S-02", until_recovered: true });
  expect(other.body.detail).toBe(
    "until_recovered: S-02 is not red, so there is no recovery to wait for: give a time (until)",
  );
  canary.unread("slots", "redis: ECONNREFUSED");
  await canary.cycle();
  const blind = await silence({ subject: "alpha", until_recovered: true });
  expect([blind.status, blind.body.note]).toEqual([
    201,
    "S-01 can't be judged now: the silence stays until what it covers is seen healthy",
  ]);
});

test("no end, an end that is over, and both ends", async () => {
  const { canary, silence } = await apiOf();
  canary.set(leaked("alpha"));
  await canary.cycle();
  expect((await silence({})).body.detail).toBe(
    "until: give a time in the next 90 days, or until_recovered: true",
  );
  expect((await silence({ until_recovered: false })).status).toBe(422);
  const past = new Date(canary.now() - 1).toISOString();
  expect((await silence({ until: past, until_recovered: true })).body.detail).toBe(
    "until: give a time in the next 90 days",
  );
  const until = new Date(canary.now() + 12 * MINUTE_MS).toISOString();
  expect((await silence({ until, until_recovered: true })).body).toMatchObject({
    until,
    until_recovered: true,
  });
  for (const left of [1, 1, 0]) {
    await canary.cycle();
    expect(await subjectsOf(canary)).toHaveLength(left);
  }
});

/** A browser that is signed in. */
async function browserOf() {
  const { app, canary } = await apiOf();
  let cookie = "";
  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { host: new URL(ORIGIN).host, cookie, ...init.headers };
    const answer = await app.request(ORIGIN + path, { ...init, headers });
    cookie = answer.headers.get("set-cookie")?.split(";")[0] ?? cookie;
    return {
      status: answer.status,
      location: answer.headers.get("location") ?? "",
      text: await answer.text(),
    };
  };
  const send = (path: string, fields: Record<string, string>) =>
    ask(path, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { "sec-fetch-site": "same-origin" },
    });
  const submit = async (path: string, fields: Record<string, string>) => {
    const form_token = /name="form_token" value="([^"]+)"/.exec((await ask("/")).text)![1]!;
    return send(path, { form_token, ...fields });
  };
  const fieldIn = (html: string, name: string) =>
    new RegExp(`name="${name}" value="([^"]+)"`).exec(html)?.[1];
  await send("/sign-in", { token: TOKEN, name: "ada" });
  return { canary, ask, send, submit, fieldIn };
}

test("End by accident: one click restores the silence as it was, with its author, on the page it came from", async () => {
  const { canary, ask, submit, fieldIn } = await browserOf();
  canary.set(leaked("alpha"));
  await canary.cycle();
  const fields = { invariant: "S-01", subject: "alpha", length: "recovers", reason: "known <b>", back: "/" };
  await submit("/silences", fields);
  const [before] = (await canary.store.lease.read()).silences;
  const ended = await submit("/silences/end", { id: before!.id, back: "/invariants/S-01" });
  expect(ended.location).toMatch(/^\/invariants\/S-01\?said=ended&undo=[\w-]+\.[\w-]+$/);
  expect(await subjectsOf(canary)).toEqual([]);

  const page = await ask(ended.location);
  expect(page.text).toContain("The silence has ended.");
  const undo = fieldIn(page.text, "undo")!;
  const back = await submit("/silences/restore", { undo });
  expect(back.location).toBe("/invariants/S-01?said=restored#silences");
  expect((await canary.store.lease.read()).silences).toEqual([before]);
  expect((await ask(back.location)).text).toContain("The silence is back, as it was.");
  // A second click changes nothing.
  await submit("/silences/restore", { undo });
  expect((await canary.store.lease.read()).silences).toEqual([before]);
});

test("an undo that comes too late says why; one that was made up, or is of another canary, restores nothing", async () => {
  const { canary, submit } = await browserOf();
  const endedWith = async (length: string) => {
    await submit("/silences", { invariant: "S-01", length, reason: "known", back: "/" });
    const [one] = (await canary.store.lease.read()).silences;
    const { location } = await submit("/silences/end", { id: one!.id, back: "/" });
    return new URLSearchParams(location.split("?")[1]).get("undo")!;
  };
  canary.set(leaked("alpha"));
  await canary.cycle();
  const [timed, acknowledged] = [await endedWith("30m"), await endedWith("recovers")];
  const [payload, signature] = timed.split(".");
  const forged = Buffer.from(
    JSON.stringify({
      ...JSON.parse(Buffer.from(payload!, "base64url").toString()),
      back: "https://evil.example.com",
    }),
  ).toString("base64url");
  for (const undo of ["", ".", "x.y", `${forged}.${signature}`, `${payload}.`, payload!]) {
    const refused = await submit("/silences/restore", { undo });
    expect([undo, refused.status]).toEqual([undo, 403]);
  }
  canary.set(leaked());
  await canary.cycle();
  expect((await submit("/silences/restore", { undo: acknowledged })).location).toBe(
    "/?said=recovered#silences",
  );
  canary.advance(HOUR_MS);
  expect((await submit("/silences/restore", { undo: timed })).location).toBe("/?said=over#silences");
  expect(await subjectsOf(canary)).toEqual([]);
});

test("a silence of an earlier release has no author, and is shown and ended as any other", async () => {
  const { canary, ask, submit } = await browserOf();
  const old = { invariantId: "S-01", subject: null, reason: "moving", createdAtMs: canary.now() };
  await canary.store.silences.put({ id: "0badcafe", untilMs: canary.now() + HOUR_MS, ...old }, canary.now());
  expect((await ask("/")).text).toContain("moving");
  const { location } = await submit("/silences/end", { id: "0badcafe", back: "/" });
  const undo = new URLSearchParams(location.split("?")[1]).get("undo")!;
  await submit("/silences/restore", { undo });
  expect((await canary.store.lease.read()).silences).toMatchObject([{ id: "0badcafe", ...old }]);
});

test("where the roster was not read, an unknown name is taken, with a note and the nearest name that is red", async () => {
  const { canary, silence } = await apiOf();
  canary.set(leaked("alpha"));
  await canary.cycle();
  canary.unread("roster", "sqlite: down");
  await canary.cycle();
  const { status, body } = await silence({
    subject: "alpa",
    until: new Date(canary.now() + HOUR_MS).toISOString(),
  });
  expect([status, body.note]).toEqual([
    201,
    "the whole roster is not known: nothing says whether there is a alpa; did you mean alpha?",
  ]);
});

test("where some of what is red is only counted, a name that nobody knows may be one of these", async () => {
  const { canary, silence } = await apiOf();
  canary.set(leaked("alpha"));
  await canary.cycle();
  expect((await silence({ subject: "gamma", until_recovered: true })).status).toBe(422);
  const { read } = canary.store.lease;
  canary.stateCalls("lease.read", async () => {
    const item = await read();
    const { states } = item.memory;
    const counted = { ...states, "S-01": { ...states["S-01"]!, redBesides: 3 } };
    return { ...item, memory: { ...item.memory, states: counted } };
  });
  const { status, body } = await silence({ subject: "gamma", until_recovered: true });
  expect([status, body.note]).toEqual([
    201,
    expect.stringMatching(/^there is no gamma on the roster, and not every red subject is known by name/),
  ]);
});
