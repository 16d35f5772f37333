/** `npm start` as a new user runs it: as a new process on this machine. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { RUNTIME } from "../support/cli.ts";
import { endOf, freePort, temporaryFolder, until } from "../support/live.ts";
import { idsNotReading } from "../support/registry.ts";

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

describe("npm start", () => {
  test("every verdict but that of R-01 is green, and that one is unknown, saying why; the API answers; Ctrl-C leaves nothing", async () => {
    const temporary = await temporaryFolder();
    const run = start(["--port", "0"], { TMPDIR: temporary.path });
    await run.says("R-01");
    await run.says("unread");
    expect(run.output().match(/✓ \S+ {2}green/g)).toHaveLength(GREEN.length);
    expect(run.output()).toMatch(/\? R-01 {2}unknown .*docker: not configured/);
    expect(run.output()).toMatch(/redis +(redis-server \d|embedded engine)/);

    const [, url] = /api +(\S+)/.exec(run.output())!;
    const [, token] = /token +(\S+)/.exec(run.output())!;
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const headers = { authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/api/canary/run-cycle`, { method: "POST", headers });
    expect(response.status).toBe(200);

    run.process.kill("SIGINT");
    expect(await run.exit()).toBe(0);
    expect(run.output()).toContain("stopped, nothing is left running");
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    expect(await readdir(temporary.path)).toEqual([]);
    await temporary.remove();
  });

  test("without a redis-server on the PATH an embedded engine serves, and it says which", async () => {
    const run = start(["--port", "0"], { PATH: "/nowhere" });
    await run.says("unread");
    expect(run.output()).toContain("embedded engine ioredis-mock (no redis-server on the PATH)");
    expect(run.output().match(/✓ \S+ {2}green/g)).toHaveLength(GREEN.length);
    run.process.kill("SIGTERM");
    expect(await run.exit()).toBe(0);
  });

  test("cycles go on at the time that was asked for", async () => {
    const run = start(["--port", "0", "--every", "1s"]);
    await run.says(/(cycle of.*){3}/s);
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

    const missing = start(["--data", "/no/such/folder"]);
    expect(await missing.exit()).toBe(1);
    expect(missing.output().trim()).toBe(
      "--data /no/such/folder is not a folder: make it first, or leave --data out",
    );

    const bad = start(["--every", "often"]);
    expect(await bad.exit()).toBe(1);
    expect(bad.output()).toContain("give a time from 1s to 24h, such as 30s, 5m or 1h");
  });

  test("a database that is there already is not touched", async () => {
    const folder = await temporaryFolder();
    try {
      const first = start(["--port", "0", "--data", folder.path]);
      await first.says("cycle of");
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
