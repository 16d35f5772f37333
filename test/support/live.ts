/** What live tests share: the real servers of infra/local, and which of them this machine has. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe } from "vitest";
import { postgresFolder } from "../../infra/local/postgres.ts";
import { redisServerVersion } from "../../infra/local/redis.ts";
import { sqldPath } from "../../infra/local/sqld.ts";

export { endOf, freePort, until } from "../../infra/local/ports.ts";
export { startSqld } from "../../infra/local/sqld.ts";
export { temporaryFolder } from "../../infra/local/temporary-folder.ts";

/** Whether this machine has each of the programs. */
const AVAILABLE = {
  "redis-server": () => redisServerVersion() !== null,
  "redis-cli": () => isOnPath("redis-cli"),
  sqlite3: () => isOnPath("sqlite3"),
  postgres: () => postgresFolder() !== null,
  psql: () => isOnPath("psql"),
  curl: () => isOnPath("curl"),
  sqld: () => sqldPath() !== null,
  dockerd: () =>
    process.getuid?.() === 0 &&
    ["dockerd", "docker", "openssl"].every((name) => isOnPath(name)) &&
    existsSync("/bin/busybox"),
  chromium: () => chromiumPath() !== null,
} as const;

const isOnPath = (name: string) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;

/**
 * `describe` for tests that need these programs. Where one is missing the tests are skipped, and the report shows it.
 * With CANARY_REQUIRE_LIVE=1 it is an error instead.
 */
export function describeLive(
  needs: readonly (keyof typeof AVAILABLE)[],
  name: string,
  tests: () => void,
): void {
  const missing = needs.filter((need) => !AVAILABLE[need]());
  if (missing.length > 0 && process.env.CANARY_REQUIRE_LIVE === "1")
    throw new Error(`CANARY_REQUIRE_LIVE is set and this machine lacks ${missing.join(", ")}`);
  if (missing.length > 0) describe.skip(`${name} (needs ${missing.join(", ")})`, tests);
  else describe(name, tests);
}

/** The path of Debian's Chromium, or null. */
export function chromiumPath(): string | null {
  const { status, stdout } = spawnSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}
