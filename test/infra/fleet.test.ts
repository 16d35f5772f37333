/** The fleet is deployed, shown and removed on a platform that answers as Trinity does, with each call failing once. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { deployFleet } from "../../infra/fleet/deploy.ts";
import { loadFleet, ManifestError, parseFleet } from "../../infra/fleet/fleet.ts";
import { removeFleet } from "../../infra/fleet/remove.ts";
import { showFleet } from "../../infra/fleet/status.ts";
import { type TrinityOptions, trinityApi } from "../../infra/fleet/trinity-api.ts";
import { runCanary, runFleet } from "../support/cli.ts";
import { type Fault, PLATFORM_TOKEN, startTrinity, type TrinityStub } from "../support/trinity-api.ts";

const BURST = "canary-fleet-burst";
const SLOW = "canary-fleet-slow";
const MODEL = "claude-haiku-4-5-20251001";

let trinity: TrinityStub;
beforeAll(async () => {
  trinity = await startTrinity();
});
afterAll(() => trinity?.close());
beforeEach(() => trinity.reset());
afterEach(() => vi.restoreAllMocks());

const DEADLINE_MS = 150;
/** Makes deadlines of DEADLINE_MS pass when a call hangs, and never by time: a loaded machine must not make a call late. */
function passDeadlinesOfHangs(): void {
  const realSetTimeout = setTimeout;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((work: () => void, ms?: number) => {
    if (ms !== DEADLINE_MS) return realSetTimeout(work, ms);
    trinity.onHang = work;
    return undefined;
  }) as typeof setTimeout);
}

const fleet = loadFleet();
const api = (options: Partial<TrinityOptions> = {}) =>
  trinityApi({ url: trinity.url, token: PLATFORM_TOKEN, ...options });

/** Runs `work` and collects what it prints. */
async function printed<T>(work: (print: (line: string) => void) => Promise<T>) {
  const lines: string[] = [];
  const result = await work((line) => lines.push(line));
  return { result, text: lines.join("\n") };
}

const deploy = ({ dryRun = false, ...options }: Partial<TrinityOptions> & { dryRun?: boolean } = {}) =>
  printed((print) => deployFleet({ api: api(options), fleet, dryRun, print }));
const status = () => printed((print) => showFleet(api(), fleet, print));
const remove = (options: Partial<TrinityOptions> = {}) =>
  printed((print) => removeFleet(api(options), fleet, print));

const writesOf = () =>
  trinity.writes.map(({ method, path }) => `${method} ${path.replace(/sched%2F\d+/, "…")}`);

/** The platform's state after a deploy. */
const WHOLE = {
  [BURST]: { model: MODEL, cron: "*/2 * * * *", max_parallel_tasks: 3, execution_timeout_seconds: 3600 },
  [SLOW]: { model: MODEL, cron: "*/3 * * * *", max_parallel_tasks: 1, execution_timeout_seconds: 180 },
};
const onPlatform = () =>
  Object.fromEntries(
    [...trinity.agents].map(([name, { schedules, max_parallel_tasks, execution_timeout_seconds }]) => {
      expect(schedules).toHaveLength(1);
      const { model, cron_expression: cron } = schedules[0]!;
      return [name, { model, cron, max_parallel_tasks, execution_timeout_seconds }];
    }),
  );

describe("the manifest", () => {
  test("holds what the fleet is: two agents of 1 CPU and 512 MB, on crons that slide against five minutes", () => {
    const manifest = parse(fleet.manifestOf(fleet.agents));
    expect(manifest.agents.burst).toMatchObject({
      template: "local:test-echo",
      resources: { cpu: "1", memory: "512m" },
      schedules: [{ cron: "*/2 * * * *" }],
    });
    expect(manifest.agents.slow).toMatchObject({
      template: "local:sleep-echo",
      resources: { cpu: "1", memory: "512m" },
      schedules: [{ cron: "*/3 * * * *" }],
    });
    expect(manifest.permissions).toEqual({ preset: "none" });
  });

  test("can be sent for one agent, without the other", () => {
    const slow = fleet.agents.filter(({ shortName }) => shortName === "slow");
    expect(Object.keys(parse(fleet.manifestOf(slow)).agents)).toEqual(["slow"]);
    expect(Object.keys(parse(fleet.manifestOf(fleet.agents)).agents)).toEqual(["burst", "slow"]);
  });

  test.for([
    ["that is no YAML", "name: [", /canary-fleet\.yaml: /],
    ["without agents", "name: x", /agents/],
    [
      "with an agent that nothing is known of",
      fleet.manifestOf(fleet.agents).replace("  burst:", "  brust:"),
      /burst, slow/,
    ],
  ] as const)("%s is refused", ([, text, message]) => {
    expect(() => parseFleet(text)).toThrow(ManifestError);
    expect(() => parseFleet(text)).toThrow(message);
  });
});

describe("a deploy", () => {
  test("makes the fleet from nothing with one deploy and four calls, and reads it back", async () => {
    const { result, text } = await deploy();
    expect(result, text).toBe(true);
    expect(onPlatform()).toEqual(WHOLE);
    expect(writesOf()).toEqual([
      "POST /api/systems/deploy",
      `PUT /api/agents/${BURST}/schedules/…`,
      `PUT /api/agents/${SLOW}/schedules/…`,
      `PUT /api/agents/${SLOW}/capacity`,
      `PUT /api/agents/${SLOW}/timeout`,
    ]);
    expect(trinity.calls.slice(-4).every(({ method }) => method === "GET")).toBe(true);
    expect(text).toContain(`✓ capacity of ${SLOW}: 1`);
    expect(text).not.toMatch(/✗|not done|no way/);
  });

  test("again changes nothing, and makes no agent _2", async () => {
    await deploy();
    trinity.calls.length = 0;
    const { result, text } = await deploy();
    expect(result).toBe(true);
    expect(trinity.writes).toEqual([]);
    expect([...trinity.agents.keys()]).toEqual([BURST, SLOW]);
    expect(text).toContain(`✓ timeout of ${SLOW}: 180 already`);
  });

  test("sets only what differs", async () => {
    await deploy();
    trinity.agents.get(SLOW)!.max_parallel_tasks = 5;
    trinity.calls.length = 0;
    expect((await deploy()).result).toBe(true);
    expect(writesOf()).toEqual([`PUT /api/agents/${SLOW}/capacity`]);
  });

  test("makes the one agent that is missing, and leaves the other alone", async () => {
    await deploy();
    trinity.agents.delete(BURST);
    trinity.calls.length = 0;
    expect((await deploy()).result).toBe(true);
    expect([...trinity.agents.keys()].sort()).toEqual([BURST, SLOW]);
    expect(writesOf()).toEqual(["POST /api/systems/deploy", `PUT /api/agents/${BURST}/schedules/…`]);
  });

  test("leaves what somebody changed by hand, and says so", async () => {
    await deploy();
    trinity.agents.get(BURST)!.schedules[0]!.enabled = false;
    trinity.calls.length = 0;
    for (const dryRun of [true, false]) {
      const { result, text } = await deploy({ dryRun });
      expect(result).toBe(false);
      expect(text).toContain(
        `✗ schedule burst of ${BURST} enabled: false, should be true: changed on the platform`,
      );
    }
    expect(trinity.writes).toEqual([]);
  });

  test("as a dry run says what it would do, and writes nothing", async () => {
    const { result, text } = await deploy({ dryRun: true });
    expect(result).toBe(true);
    expect(trinity.writes).toEqual([]);
    expect(trinity.agents.size).toBe(0);
    expect(trinity.calls.at(-1)).toMatchObject({ path: "/api/systems/deploy", body: { dry_run: true } });
    expect(text).toContain(`→ agent ${BURST}: would be there (now: missing)`);
    expect(text).toContain(`→ timeout of ${SLOW}: would be 180 (now: missing)`);
    expect(text).toContain("nothing was written");

    await deploy();
    trinity.agents.get(SLOW)!.execution_timeout_seconds = 900;
    trinity.calls.length = 0;
    expect((await deploy({ dryRun: true })).text).toContain(`timeout of ${SLOW}: would be 180 (now: 900)`);
    expect(trinity.writes).toEqual([]);
  });

  test.for(["model", "max_parallel_tasks", "execution_timeout_seconds"])(
    "finds by reading back that the platform took %s and forgot it",
    async (field) => {
      trinity.forgets.add(field);
      const { result, text } = await deploy();
      expect(result).toBe(false);
      expect(text).toMatch(
        /✗ (model|capacity|timeout) of .*: the platform took .*, but reading it back gives/,
      );
      trinity.forgets.clear();
      expect((await deploy()).result).toBe(true);
      expect(onPlatform()).toEqual(WHOLE);
    },
  );

  test("where capacity and timeout can't be read, sets them and says that it can't know", async () => {
    trinity.readsBack = false;
    const { result, text } = await deploy();
    expect(result).toBe(true);
    expect(onPlatform()).toEqual(WHOLE);
    expect(text).toContain(`✓ capacity of ${SLOW}: 1, set (the platform offers no way to read it back)`);
    expect(text).toContain(`✓ timeout of ${SLOW}: 180, set (the platform offers no way to read it back)`);
    expect((await status()).result).toBe("unread");
  });

  test.for(["max_parallel_tasks", "execution_timeout_seconds"])(
    "where it can't be read, finds in the answer to the PUT that %s was not taken",
    async (field) => {
      trinity.readsBack = false;
      trinity.forgets.add(field);
      const { result, text } = await deploy();
      expect(result).toBe(false);
      expect(text).toMatch(new RegExp(`✗ PUT .*: the platform answered ${field} = (3|3600) to (1|180)`));
    },
  );

  test("refuses where a name is taken, rather than make an agent _2", async () => {
    trinity.reserved.add(SLOW);
    const { result, text } = await deploy();
    expect(result).toBe(false);
    expect(text).toContain(`would make ${BURST}, ${SLOW}_2 in place of ${BURST}, ${SLOW}: a name is taken`);
    expect(trinity.writes).toEqual([]);
  });

  test("refuses where the template is not on the platform, and says where it comes from", async () => {
    trinity.templates.delete("local:sleep-echo");
    const { result, text } = await deploy();
    expect(result).toBe(false);
    expect(text).toMatch(/canary-fleet-slow: template local:sleep-echo not found.*docs\/fleet\.md/);
    expect(trinity.writes).toEqual([]);
  });

  test("of which the platform makes only a part is completed by the next", async () => {
    trinity.cantMake.add("slow");
    const first = await deploy();
    expect(first.result).toBe(false);
    expect(first.text).toContain(`✓ agent ${BURST}: made`);
    expect(first.text).toContain(`the platform did not make ${SLOW} (${SLOW}: no room)`);
    expect(first.text).toMatch(new RegExp(`not done.*model of schedule burst of ${BURST}.*, agent ${SLOW}`));
    trinity.cantMake.clear();
    expect((await deploy()).result).toBe(true);
    expect(onPlatform()).toEqual(WHOLE);
  });

  test("that leaves an agent without its schedule gives it one", async () => {
    trinity.cantSchedule.add("burst");
    const { result, text } = await deploy();
    expect(text).toContain(`the platform warns: schedules of ${BURST}: database is locked`);
    expect(result).toBe(true);
    expect(onPlatform()).toEqual(WHOLE);
  });

  test("says what the platform has against a value", async () => {
    await deploy();
    const put = (seconds: number) => api().setExecutionTimeoutSeconds(SLOW, seconds);
    await expect(put(30)).rejects.toThrow(
      `PUT /api/agents/${SLOW}/timeout: HTTP 400: the platform refused it (execution_timeout_seconds must be from 60 to 7200)`,
    );
    await expect(api().setMaxParallelTasks(SLOW, 11)).rejects.toThrow("must be an integer between 1 and 10");
    await expect(api().setMaxParallelTasks("nobody", 1)).rejects.toThrow(
      /HTTP 404: not there.*Agent not found/,
    );
  });

  describe("with each call failing once", () => {
    const FAULTS: Record<Fault, RegExp> = {
      "http 500": /: HTTP 500: the platform failed: look at its log.*\(boom at Bearer \*\*\*\)$/m,
      "http 401": /: HTTP 401: the token was refused: give PLATFORM_TOKEN/,
      resets: /: (ECONNRESET|UND_ERR_SOCKET|fetch failed|other side closed): is PLATFORM_URL/,
      "resets after": /: (ECONNRESET|UND_ERR_SOCKET|fetch failed|other side closed): is PLATFORM_URL/,
      hangs: /: no answer within 150 ms: (is the platform well|the platform may still be at work)/,
      garbage: /: HTTP 200, but no JSON: is PLATFORM_URL/,
    };
    const limits = { timeoutMs: DEADLINE_MS, deployTimeoutMs: DEADLINE_MS };
    beforeEach(passDeadlinesOfHangs);

    test.for(Object.entries(FAULTS) as [Fault, RegExp][])(
      "%s: it says which, takes nothing back, and the next run completes it",
      async ([how, message]) => {
        await deploy();
        const total = trinity.calls.length;
        expect(total).toBe(16);
        for (let at = 1; at <= total; at += 1) {
          trinity.reset();
          trinity.fault = { at, how };
          const first = await deploy(limits);
          const failed = trinity.calls.at(-1)!;
          const where = `call ${at}, ${failed.method} ${failed.path}: ${first.text}`;
          expect(trinity.calls.length, where).toBe(at);
          expect(first.result, where).toBe(false);
          expect(first.text, where).toMatch(message);
          expect(first.text, where).toContain(`✗ ${failed.method} ${failed.path}: `);
          expect(first.text, where).toContain("nothing was taken back: run the same command again");
          expect(first.text, where).not.toContain(PLATFORM_TOKEN);
          // An agent that it reports as made is there.
          for (const [, name] of first.text.matchAll(/✓ agent (\S+): made/g))
            expect(trinity.agents.has(name!), where).toBe(true);
          expect(trinity.calls.some(({ method }) => method === "DELETE")).toBe(false);

          const second = await deploy();
          expect(second.result, `after ${where}\n${second.text}`).toBe(true);
          expect(onPlatform(), where).toEqual(WHOLE);
          expect((await status()).result).toBe("same");
        }
      },
    );
  });
});

describe("status", () => {
  test("tells same, differs, and can't be read apart", async () => {
    expect(await status()).toMatchObject({
      result: "differs",
      text: expect.stringContaining(`✗ agent ${BURST}: missing`),
    });
    await deploy();
    expect(await status()).toMatchObject({ result: "same", text: expect.not.stringContaining("✗") });
    trinity.agents.get(SLOW)!.schedules[0]!.cron_expression = "*/5 * * * *";
    expect(await status()).toMatchObject({
      result: "differs",
      text: expect.stringContaining(`✗ schedule slow of ${SLOW}: */5 * * * *, should be */3 * * * *`),
    });
    trinity.readsBack = false;
    expect((await status()).result).toBe("differs");
    trinity.agents.get(SLOW)!.schedules[0]!.cron_expression = "*/3 * * * *";
    expect((await status()).result).toBe("unread");
  });

  test("of a server that is no Trinity is unread, whatever it answers: nothing is called missing or gone", async () => {
    const answers = [
      [404, '{"detail":"Not Found"}'],
      [404, "<html>"],
      [404, "{}"],
      [200, "<html>"],
      [200, '{"schedules":[]}'],
    ] as const;
    let next: readonly [number, string] = answers[0];
    const server = createServer((_, outgoing) => outgoing.writeHead(next[0]).end(next[1])).listen(
      0,
      "127.0.0.1",
    );
    try {
      await new Promise((resolve) => server.once("listening", resolve));
      const other = trinityApi({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        token: PLATFORM_TOKEN,
      });
      for (next of answers) {
        const shown = await printed((print) => showFleet(other, fleet, print));
        expect(shown, next.join()).toMatchObject({
          result: "unread",
          text: expect.stringContaining("PLATFORM_URL"),
        });
        expect((await printed((print) => removeFleet(other, fleet, print))).result, next.join()).toBe(false);
      }
    } finally {
      server.close();
    }
  });
});

test("a redirect is reported, not followed: the token stays with the address that it was given for", async () => {
  const server = createServer((incoming, outgoing) =>
    outgoing.writeHead(307, { location: trinity.url + incoming.url }).end(),
  ).listen(0, "127.0.0.1");
  try {
    await new Promise((resolve) => server.once("listening", resolve));
    const { result, text } = await deploy({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    });
    expect(result).toBe(false);
    expect(text).toContain("HTTP 307: a redirect: give the address that it leads to");
    expect(trinity.calls).toEqual([]);
  } finally {
    server.close();
  }
});

describe("remove", () => {
  test("deletes the two agents of the manifest and no other, and can be run again", async () => {
    await deploy();
    const [bystander] = trinity.agents.values();
    for (const name of ["ruby", `${SLOW}_2`, "canary-fleet"]) trinity.agents.set(name, bystander!);
    trinity.calls.length = 0;
    expect((await remove()).result).toBe(true);
    expect([...trinity.agents.keys()]).toEqual(["ruby", `${SLOW}_2`, "canary-fleet"]);
    expect(writesOf()).toEqual([`DELETE /api/agents/${BURST}`, `DELETE /api/agents/${SLOW}`]);
    trinity.calls.length = 0;
    const again = await remove();
    expect(again).toEqual({ result: true, text: `✓ agent ${BURST}: not there\n✓ agent ${SLOW}: not there` });
    expect(trinity.writes).toEqual([]);
  });

  test.for(["http 500", "http 401", "resets", "resets after", "hangs", "garbage"] as const)(
    "with %s at each call: it says what is left, and the next run ends it",
    async (how) => {
      passDeadlinesOfHangs();
      for (let at = 1; at <= 6; at += 1) {
        trinity.reset();
        await deploy();
        trinity.calls.length = 0;
        trinity.fault = { at, how };
        const first = await remove({ timeoutMs: DEADLINE_MS });
        expect(first.result, `call ${at}: ${first.text}`).toBe(false);
        expect(first.text).toContain(
          `not removed, as far as is known: ${at <= 3 ? `${BURST}, ` : ""}${SLOW}`,
        );
        expect((await remove()).result).toBe(true);
        expect(trinity.agents.size).toBe(0);
      }
    },
  );
});

const canary = (env: Record<string, string>, ...args: string[]) => runFleet(env, args);

describe("on the command line", () => {
  test("deploy, again, status, a change, and remove", async () => {
    const env = { PLATFORM_URL: `${trinity.url}/`, PLATFORM_TOKEN };
    const tried = await canary(env, "deploy", "--dry-run");
    expect(tried).toMatchObject({ code: 0, err: "", out: expect.stringContaining("nothing was written") });
    expect(await canary(env, "status")).toMatchObject({ code: 1 });
    expect(await canary(env, "deploy")).toMatchObject({ code: 0, err: "" });
    expect(onPlatform()).toEqual(WHOLE);
    expect(await canary(env, "deploy")).toMatchObject({ code: 0, out: expect.stringContaining("already") });
    expect(await canary(env, "status")).toMatchObject({ code: 0 });

    trinity.agents.get(SLOW)!.max_parallel_tasks = 3;
    expect(await canary(env, "status")).toMatchObject({
      code: 1,
      out: expect.stringContaining(`✗ capacity of ${SLOW}: 3, should be 1`),
    });

    const asked = await canary(env, "remove");
    expect(asked).toMatchObject({
      code: 254,
      err: expect.stringContaining(`this deletes ${BURST} and ${SLOW}`),
    });
    expect(trinity.agents.size).toBe(2);
    expect(await canary(env, "remove", "--yes")).toMatchObject({ code: 0 });
    expect(trinity.agents.size).toBe(0);
    expect(await canary(env, "remove", "--yes")).toMatchObject({ code: 0 });
  });

  test("a wrong token is reported, and never shown", async () => {
    const env = { PLATFORM_URL: trinity.url, PLATFORM_TOKEN: "wrong-Secret0123" };
    for (const [args, code] of [
      [["status"], 2],
      [["deploy"], 1],
      [["remove", "--yes"], 1],
    ] as const) {
      const { out, err, ...rest } = await canary(env, ...args);
      expect(rest.code, out + err).toBe(code);
      expect(out).toContain("HTTP 401: the token was refused: give PLATFORM_TOKEN");
      expect(out + err).not.toContain("wrong-Secret0123");
    }
    expect(trinity.writes).toEqual([]);
  });

  test("without an address or a token, both are named at once", async () => {
    const { code, err, out } = await runCanary({}, ["fleet", "deploy"]);
    expect(code).toBe(254);
    expect(out).toBe("");
    expect(err).toMatch(/PLATFORM_URL is missing.*\nPLATFORM_TOKEN is missing/);
    expect(await canary({ PLATFORM_TOKEN, PLATFORM_URL: "trinity.example.com" }, "status")).toMatchObject({
      code: 254,
      err: expect.stringContaining("PLATFORM_URL is not an address: give one like https://"),
    });
  });
});
