/** The command line as an operator runs it: its output and its exit code, and of each code once that of a process. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { serve } from "../../infra/local/serve.ts";
import { type Canary, openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { createApp } from "../../shared/web/app.ts";
import { CLI, RUNTIME, runCanary, runHere } from "../support/cli.ts";
import { describeLive, until } from "../support/live.ts";
import { type LivePlatform, startLivePlatform } from "../support/live-platform.ts";

const TOKEN = "admin-token-of-the-cli-test";
const startCanary = (env: Record<string, string>, ...args: string[]) => runCanary(env, args);
const canary = (env: Record<string, string>, ...args: string[]) => runHere(env, args);
/** Serves the API of a canary on a port of its own. */
const serveApi = (deps: Canary) =>
  serve(
    createApp({
      canary: deps,
      runCycle: (request) => runCycle(deps, request),
      adminToken: TOKEN,
      logError: () => {},
    }),
    0,
  );

test("a value that can't be used is refused with its name and the fix, and 254", async () => {
  const env = { SOURCE_DEADLINE_MS: "soon", DOCKER_HOSTS: "localhost:2376", LIBSQL_URL: "mysql://x" };
  const { code, out, err } = await startCanary(env, "cycle");
  expect(code).toBe(254);
  expect(out).toBe("");
  expect(err).toMatch(/SOURCE_DEADLINE_MS is "soon": give a whole number from 100 to 60000/);
  expect(err).toMatch(/DOCKER_HOSTS has "localhost:2376": give tcp:\/\/host:port/);
  expect(err).toMatch(/LIBSQL_URL is not a valid address/);
});

test.for([
  ["an unknown command", ["dance"], /unknown command 'dance'/],
  ["an unknown option", ["cycle", "--fast"], /unknown option '--fast'/],
  [
    "an invariant that is not there",
    ["cycle", "--invariants", "S-01,X-99"],
    /there is no invariant X-99; there are H-01, H-02/,
  ],
  ["an empty list", ["cycle", "--invariants", ","], /--invariants names none/],
  [
    "violations without a state",
    ["violations"],
    /CANARY_URL and CANARY_TOKEN of a running canary, or STATE_TABLE/,
  ],
] as const)("%s is a usage error", async ([, args, message]) => {
  const { code, err } = await canary({}, ...args);
  expect(err).toMatch(message);
  expect(code).toBe(254);
});

test("watch: a canary that is gone is said, looked for again, and Ctrl-C ends it with 0", async () => {
  const env = { PATH: process.env.PATH, CANARY_URL: "http://127.0.0.1:1", CANARY_TOKEN: "t" };
  const child = spawn(process.execPath, [...RUNTIME, CLI, "watch", "--every", "1s"], { env });
  const exited = once(child, "exit");
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  await until(async () => expect(out.match(/can't be seen: CANARY_URL does not answer/g)?.length).toBe(2));
  child.kill("SIGINT");
  expect((await exited)[0]).toBe(0);
  expect(out).not.toContain("\u001b");
});

test("watch --json: each look is a line of JSON, also one that fails", async () => {
  const env = { PATH: process.env.PATH, CANARY_URL: "http://127.0.0.1:1", CANARY_TOKEN: "t" };
  const child = spawn(process.execPath, [...RUNTIME, CLI, "watch", "--every", "1s", "--json"], { env });
  const exited = once(child, "exit");
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  await until(async () => expect(out.split("\n").length).toBeGreaterThan(2));
  child.kill("SIGINT");
  expect((await exited)[0]).toBe(0);
  for (const line of out.trim().split("\n"))
    expect(JSON.parse(line)).toEqual({ error: expect.stringMatching(/^CANARY_URL does not answer/) });
});

test("watch --help says its default once", async () => {
  const { out } = await canary({}, "watch", "--help");
  expect(out.match(/default/g)).toHaveLength(1);
  expect(out).toContain("(default: 30s)");
});

test.for([
  ["0s", /give a time from 1s to 60m/],
  ["2h", /give a time from 1s to 60m/],
] as const)("watch --every %s is refused", async ([every, message]) => {
  const { code, err } = await canary({}, "watch", "--every", every);
  expect([code, message.test(err)]).toEqual([254, true]);
});

test("with nothing configured it is blind, says so, and exits with 2", async () => {
  const { code, out } = await startCanary({}, "cycle");
  expect(code).toBe(2);
  expect(out).toContain("? S-01  unknown");
  expect(out).toContain("unread     redis: not configured");
});

test("a deployed canary that does not answer, or refuses the token", async () => {
  const dead = await canary({ CANARY_URL: "http://127.0.0.1:1", CANARY_TOKEN: "t" }, "status");
  expect(dead).toMatchObject({ code: 254, err: expect.stringContaining("CANARY_URL does not answer") });
  const half = await canary({ CANARY_URL: "http://127.0.0.1:1" }, "status");
  expect(half).toMatchObject({ code: 254, err: expect.stringContaining("CANARY_TOKEN is missing") });
});

describeLive(["redis-server", "sqld"], "on a platform", () => {
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await startLivePlatform();
  });
  afterAll(() => platform?.close());
  beforeEach(async () => {
    await platform.reset();
    await platform.addAgent("ruby");
  });
  const local = () => ({ ...platform.env, DOCKER_HOSTS: "none" });

  test("green is 0, and a table without colours where there is no terminal", async () => {
    const { code, out, err } = await startCanary(local(), "cycle");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toContain("✓ S-01  green");
    expect(out).toContain("– R-01  off");
    expect(out).not.toContain("\u001b[");
  });

  test("what is turned off is not run and says why; asked for alone, no check ran, which is 2", async () => {
    for (const id of ["a", "b", "c"]) await platform.addSlot("ruby", id, { ageSeconds: 10 });
    const off = { ...local(), CHECKS_OFF: "S-01,S-02,S-03,B-02" };
    const { code, out } = await canary(off, "cycle");
    expect(code).toBe(0);
    expect(out).toMatch(/– S-02 {2}off .* {2}off by CHECKS_OFF$/m);
    expect(out).toMatch(/– R-01 {2}off .* {2}docker: off$/m);
    const asked = await canary(off, "cycle", "--invariants", "S-02,R-01");
    expect(asked).toMatchObject({ code: 2, err: "" });
    expect(asked.out).toMatch(/– S-02 {2}off .* {2}off by CHECKS_OFF\n– R-01 {2}off .* {2}docker: off\n$/);
    const unknown = await canary({ ...local(), CHECKS_OFF: "S-99" }, "cycle");
    expect(unknown).toMatchObject({
      code: 254,
      err: expect.stringMatching(/^CHECKS_OFF names S-99, which no invariant has: there are H-01/m),
    });
  });

  test("an own severity is that of the violation", async () => {
    for (const id of ["a", "b", "c"]) await platform.addSlot("ruby", id, { ageSeconds: 10 });
    const env = { ...local(), SEVERITIES: "S-02=minor" };
    const { out } = await canary(env, "cycle", "--invariants", "S-02", "--json");
    expect(JSON.parse(out).violations).toMatchObject([{ invariant_id: "S-02", severity: "minor" }]);
  });

  test("red is 1, and --json prints the response and nothing else", async () => {
    for (const id of ["a", "b", "c"]) await platform.addSlot("ruby", id, { ageSeconds: 10 });
    const { code, out, err } = await startCanary(local(), "cycle", "--invariants", "S-02", "--json");
    expect({ code, err }).toEqual({ code: 1, err: "" });
    expect(JSON.parse(out)).toMatchObject({
      checks_run: ["S-02"],
      violations: [{ invariant_id: "S-02", observed_state: { slot_count: 3 } }],
      transitions: [{ invariant_id: "S-02", violations_in_cycle: 1, previous_violation_at: null }],
    });
  });

  test("unknown without red is 2, red with unknown is 1", async () => {
    platform.rest.fault = "resets";
    expect((await canary(local(), "cycle")).code).toBe(2);
    await platform.addExecution({ id: "lost", agent: "ruby", ageSeconds: 300, session: null });
    expect((await canary(local(), "cycle")).code).toBe(1);
  });

  test("nothing of a platform: an empty database and an empty Redis are not green, and 2", async () => {
    await platform.database.execute("DELETE FROM agent_ownership");
    await platform.redis.flushall();
    const empty = await canary(local(), "cycle");
    expect(empty.code).toBe(2);
    expect(empty.out).toMatch(/\? E-05 {2}unknown .* {2}none checked, H-01: the roster of agents is empty/);
    expect(empty.out).not.toMatch(/green|nothing to check/);

    await platform.addAgent("ruby");
    const flushed = await canary(local(), "cycle");
    expect(flushed.code).toBe(2);
    expect(flushed.out).toMatch(/\? S-01 {2}unknown .* {2}1 checked, Redis holds no key of the platform/);
    expect(flushed.out).toMatch(/✓ E-05 {2}green .* {2}nothing to check/);

    await platform.redis.set("canary:drain_tick_at", String(Date.now() / 1000));
    expect((await canary(local(), "cycle")).code).toBe(0);
  });

  test("fewer agents than EXPECT_AGENTS: unknown, with both numbers, and 2", async () => {
    const { code, out } = await canary({ ...local(), EXPECT_AGENTS: "2" }, "cycle");
    expect(code).toBe(2);
    expect(out).toMatch(/\? S-02 {2}unknown .*the roster has 1 agent, EXPECT_AGENTS says at least 2/);
    expect(out).not.toContain("green");
  });

  test("a red agent whose slots can't be read any more is red: the table, the exit code, the record, status", async () => {
    const state = { endpoint: platform.dynamoProxy.url, table: platform.dynamo.table };
    const deps = openCanary(local(), { state });
    const api = await serveApi(deps);
    const remote = { CANARY_URL: api.url, CANARY_TOKEN: TOKEN };
    const cycle = () => canary(remote, "cycle", "--invariants", "S-01");
    try {
      await platform.addAgent("opal");
      await platform.addSlot("ruby", "leaked", { ageSeconds: 30 });
      expect(await cycle()).toMatchObject({ code: 1, out: expect.stringContaining("broke      S-01") });

      // A member that is not UTF-8.
      await platform.redis.zadd("agent:slots:ruby", 1, Buffer.from([0xff]));
      const spoiled = await cycle();
      expect([spoiled.code, /✗ S-01 {2}red /.test(spoiled.out)]).toEqual([1, true]);

      await platform.redis.del("agent:slots:ruby");
      await platform.redis.set("agent:slots:ruby", "no set at all");
      const { code, out } = await cycle();
      expect(code).toBe(1);
      expect(out).toMatch(/✗ S-01 {2}red .* {2}1 checked, 1 unseen: ruby, still red but not seen: ruby/);
      expect(out).not.toMatch(/violation|broke|spread|recovered/);
      expect((await canary(remote, "status")).out).toMatch(
        /✗ S-01 {2}red .* {2}critical, red: ruby, 1 checked/,
      );
      const { cycles } = (await (
        await fetch(`${api.url}/api/canary/cycles?limit=1`, { headers: { authorization: `Bearer ${TOKEN}` } })
      ).json()) as { cycles: { verdicts: Record<string, object>; violation_count: number }[] };
      expect(cycles[0]).toMatchObject({
        violation_count: 0,
        verdicts: { "S-01": { status: "red", reason: "still red but not seen: ruby" } },
      });

      // Nothing of Redis at all: whether it is still red nobody knows, and nothing says that all is well.
      platform.rest.fault = "resets";
      const blind = await cycle();
      expect(blind.code).toBe(2);
      expect(blind.out).toMatch(/\? S-01 {2}unknown .*\(still red: ruby\)/);

      platform.rest.fault = "none";
      await platform.redis.del("agent:slots:ruby");
      expect(await cycle()).toMatchObject({ code: 0, out: expect.stringContaining("recovered  S-01") });
    } finally {
      await api.close();
    }
  });

  test("a running canary is asked over HTTP: cycle, status and violations", async () => {
    const state = { endpoint: platform.dynamoProxy.url, table: platform.dynamo.table };
    const deps = openCanary(local(), { state });
    const api = await serveApi(deps);
    const remote = { CANARY_URL: `${api.url}/`, CANARY_TOKEN: TOKEN };
    try {
      await platform.addExecution({ id: "lost", agent: "ruby", ageSeconds: 300, session: null });
      await platform.addSlot("ruby", "lost", { ageSeconds: 300 });
      expect(await canary(remote, "cycle")).toMatchObject({ code: 1, err: "" });
      const status = await canary(remote, "status");
      expect(status.code).toBe(0);
      expect(status.out).toMatch(/✗ E-05 {2}red \d+ s .* {2}major, red: ruby/);
      // The last 24 hours: half an hour for each character, the newest on the right.
      expect(status.out).toMatch(/✗ E-05 {2}red .* {2}·{47}█ {2}major/);
      expect(status.out).toMatch(/✓ S-01 {2}green .* {2}·{47}▁$/m);
      expect(status.out).toContain("24 h, 30 min each: █ red, ▒ unknown, ▁ green, – off, · missing");
      const json = JSON.parse((await canary(remote, "status", "--json")).out);
      expect(json.invariants).toHaveLength(INVARIANTS.length);
      const violations = await canary(remote, "violations", "--invariant", "E-05", "--json");
      expect(JSON.parse(violations.out).violations).toMatchObject([
        { invariant_id: "E-05", subject: "ruby" },
      ]);
      const refused = await canary({ ...remote, CANARY_TOKEN: "guess" }, "cycle");
      expect(refused).toMatchObject({ code: 254, err: expect.stringContaining("CANARY_TOKEN was refused") });
      const typo = await canary(remote, "violations", "--severity", "awful");
      expect(typo).toMatchObject({ code: 254, err: expect.stringContaining("severity") });
    } finally {
      await api.close();
    }
  });
});
