/** `npm start` as a new user runs it: as a new process on this machine. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, readdir, readFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterEach, describe, expect, test } from "vitest";
import { startEnvironment } from "../../infra/local/environment.ts";
import { LocalError } from "../../infra/local/local-error.ts";
import { postgresFolder } from "../../infra/local/postgres.ts";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { RUNTIME } from "../support/cli.ts";
import { endOf, freePort, temporaryFolder, until } from "../support/live.ts";
import { idsNotReading } from "../support/registry.ts";
import { patternOf, sectionOf, stepsOf } from "../support/walkthrough.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const README = fileURLToPath(new URL("../../README.md", import.meta.url));
const WALK_THROUGH = "### See it red in a minute";
const MAIN = fileURLToPath(new URL("../../infra/local/main.ts", import.meta.url));

/** Without Docker. */
const GREEN = idsNotReading("docker").filter((id) => !OFF_BY_DEFAULT.some((off) => off === id));

let child: ChildProcess | undefined;
afterEach(async () => {
  // SIGTERM, not SIGKILL: it has to end the servers that it started.
  if (child && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await exited;
  }
});

/** @param more variables in place of this process's own */
function start(args: string[], more: Readonly<Record<string, string>> = {}) {
  const env = { ...process.env, DOCKER_HOST: "unix:///nowhere/docker.sock", ...more };
  const started = spawn(process.execPath, [...RUNTIME, MAIN, ...args], { env });
  child = started;
  let output = "";
  for (const stream of [started.stdout, started.stderr])
    stream.on("data", (chunk) => {
      output += chunk;
    });
  const exited = once(started, "exit");
  const ended = endOf(started);
  return {
    process: started,
    output: () => output,
    exit: async () => (await exited)[0] as number,
    /** Waits for that output. @throws where the process ends without it */
    says: (text: string | RegExp) => until(async () => expect(output).toMatch(text), ended),
  };
}

/** Asks as an agent that operates, with a token that only reads. */
async function asAgent(url: string, token: string) {
  const client = new Client({ name: "agent", version: "1" });
  const requestInit = { headers: { authorization: `Bearer ${token}` } };
  const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit });
  await client.connect(transport as Parameters<Client["connect"]>[0]);
  const { tools } = await client.listTools();
  const { content } = await client.callTool({ name: "status" });
  await client.close();
  return { tools: tools.map(({ name }) => name), status: (content as [{ text: string }])[0].text };
}

/** Runs a command line in the project, with these variables. Gives what it prints. */
const shell = (command: string, variables: Readonly<Record<string, string>>): Promise<string> =>
  new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: "1", ...variables };
    execFile("sh", ["-c", command], { cwd: PROJECT, env }, (_, out, err) => resolve(out + err));
  });

interface Credentials {
  readonly CANARY_URL: string;
  readonly CANARY_TOKEN: string;
}

/** Reads the line that npm start prints for another shell. */
function exportedBy(output: string): Credentials & Readonly<Record<string, string>> {
  const [, url = "", token = ""] = /^ +export CANARY_URL=(\S+) CANARY_TOKEN=(\S+)$/m.exec(output) ?? [];
  return { CANARY_URL: url, CANARY_TOKEN: token };
}

/** Signs in as a browser does, and gets a page. */
async function pageOf({ CANARY_URL: url, CANARY_TOKEN: token }: Credentials, path: string): Promise<string> {
  const signedIn = await fetch(`${url}/sign-in`, {
    method: "POST",
    body: new URLSearchParams({ token }),
    headers: { origin: url },
    redirect: "manual",
  });
  const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
  return (await fetch(url + path, { headers: { cookie } })).text();
}

describe("npm start", () => {
  test("every verdict but that of R-01 is green, and that one is unknown, saying why; the walk-through of the README is true; Ctrl-C leaves nothing", async () => {
    const temporary = await temporaryFolder();
    const reader = "a-read-token-of-24-characters";
    const READ_TOKENS = `agent:${createHash("sha256").update(reader).digest("hex")}`;
    const run = start(["--port", "0"], { TMPDIR: temporary.path, READ_TOKENS });
    await run.says("unread");
    expect(run.output().match(/✓ \S+ {2}green/g)).toHaveLength(GREEN.length);
    expect(run.output()).toMatch(/\? R-01 {2}unknown .*docker: not configured/);
    expect(run.output()).toMatch(/redis +(redis-server \d|embedded engine)/);

    const variables = exportedBy(run.output());
    expect((await fetch(`${variables.CANARY_URL}/healthz`)).status).toBe(200);
    const { tools, status } = await asAgent(variables.CANARY_URL, reader);
    expect(tools).toEqual(["status", "explain", "agent", "episodes", "violations", "cycles"]);
    expect(status).toMatch(
      /^local: 0 red, \d+ unknown, \d+ green, \d+ off; checked .*\nR-01: unknown: docker: not configured/s,
    );
    expect(status).toContain(variables.CANARY_URL);

    const steps = stepsOf(sectionOf(await readFile(README, "utf8"), WALK_THROUGH));
    expect(steps.length).toBeGreaterThan(5);
    let messages = 0;
    for (const { command, shown } of steps)
      if (command === null) {
        messages += 1;
        await run.says(new RegExp(`(?:^message \\([^]*?){${messages}}`, "m"));
        expect(run.output()).toMatch(patternOf(shown));
      } else expect(await shell(command, variables)).toMatch(patternOf(shown));
    // The page that the message links to, as a browser that has signed in gets it.
    expect(run.output()).toContain(`${variables.CANARY_URL}/`);
    expect(await pageOf(variables, "/invariants/S-02")).toContain("break-s-02");

    // What is broken at the end is cured by Ctrl-C.
    expect(await shell("npm run -s canary -- break E-05", variables)).toContain("E-05 is broken");
    run.process.kill("SIGINT");
    expect(await run.exit()).toBe(0);
    expect(run.output()).toContain("stopped, nothing is left running");
    await expect(fetch(`${variables.CANARY_URL}/healthz`)).rejects.toThrow();
    expect(await readdir(temporary.path)).toEqual([]);
    await temporary.remove();
  });

  test("--database postgres, without a redis-server on the PATH: green, it says which engines serve, and leaves nothing", async () => {
    const temporary = await temporaryFolder();
    // The user who runs PostgreSQL where root may not has to get to his part of it.
    await chmod(temporary.path, 0o755);
    const run = start(["--port", "0", "--database", "postgres"], {
      PATH: "/nowhere",
      TMPDIR: temporary.path,
    });
    await run.says("unread");
    expect(run.output()).toContain("embedded engine ioredis-mock (no redis-server on the PATH)");
    const [, engine, server] = /PostgreSQL [\d.]+(, embedded engine PGlite)?.*? at (postgres:\S+)/s.exec(
      run.output(),
    )!;
    expect(engine === undefined).toBe(postgresFolder() !== null);
    expect(new URL(server!).password).toBe("");
    const { CANARY_URL: url, CANARY_TOKEN: token } = exportedBy(run.output());
    const post = (path: string, body: object) =>
      fetch(url + path, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      }).then((response) => response.json());
    const s02 = { invariant_id: "S-02" };
    expect(await post("/api/local/break", s02)).toMatchObject({ ...s02, was_on: false });
    const only = { invariants: ["S-02"] };
    expect(await post("/api/canary/run-cycle", only)).toMatchObject({
      violations: [{ ...s02, subject: "break-s-02" }],
    });
    expect(await post("/api/local/cure", s02)).toMatchObject({ cured: [s02] });
    expect(await post("/api/canary/run-cycle", only)).toMatchObject({ violations: [], recoveries: [s02] });
    expect(run.output().match(/✓ \S+ {2}green/g)).toHaveLength(GREEN.length);
    run.process.kill("SIGTERM");
    expect(await run.exit()).toBe(0);
    expect(run.output()).toContain("stopped, nothing is left running");
    expect(await readdir(temporary.path)).toEqual([]);
    await expect(once(connect(Number(new URL(server!).port), "127.0.0.1"), "connect")).rejects.toThrow(
      "ECONNREFUSED",
    );
    await temporary.remove();
  });

  test("a token that could be guessed is one clear line, before anything is started", async () => {
    const run = start(["--port", "0"], { ADMIN_TOKEN: "hunter2" });
    expect(await run.exit()).toBe(1);
    expect(run.output().trim()).toBe(
      "ADMIN_TOKEN has fewer than 24 characters, and could be guessed: make one with `openssl rand -hex 24`",
    );
  });

  test("a busy port, a folder that is not there and a bad time are each one clear line", async () => {
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    await once(other, "listening");
    const busy = start(["--port", String(port)]);
    expect(await busy.exit()).toBe(1);
    expect(busy.output().trim()).toBe(
      `port ${port} is in use: end what listens there, or choose another with --port`,
    );
    other.close();

    // In this process: that npm start prints such an error of --data, as a line, is seen where a database is there already.
    const missing = startEnvironment({
      port: 0,
      dataFolder: "/no/such/folder",
      dockerHost: "",
      variables: {},
    });
    await expect(missing).rejects.toThrow(
      new LocalError("--data /no/such/folder is not a folder: make it first, or leave --data out"),
    );

    const bad = start(["--every", "often"]);
    expect(await bad.exit()).toBe(1);
    expect(bad.output()).toContain("give a time from 1s to 24h, such as 30s, 5m or 1h");
  });

  test("cycles go on at the time that was asked for; a database that is there already is not touched", async () => {
    const folder = await temporaryFolder();
    try {
      const first = start(["--port", "0", "--every", "1s", "--data", folder.path]);
      await first.says(/(cycle of.*){3}/s);
      first.process.kill("SIGINT");
      await first.exit();
      const second = start(["--port", "0", "--data", folder.path]);
      expect(await second.exit()).toBe(1);
      expect(second.output()).toMatch(/trinity\.db exists: the embedded platform starts empty/);
    } finally {
      await folder.remove();
    }
  });
});
