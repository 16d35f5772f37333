/** The command line in a process of its own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What Node is given before a file of the project that imports the pages. */
export const RUNTIME = ["--import", new URL("../../infra/runtime.mjs", import.meta.url).href] as const;
export const CLI = fileURLToPath(new URL("../../functions/cli.ts", import.meta.url));

/**
 * Runs `canary` with only these variables beside PATH.
 * @param onOutput told of what is printed, with a way to press Ctrl-C
 */
export function runCanary(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
  onOutput: (text: string, pressCtrlC: () => void) => void = () => {},
): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [...RUNTIME, CLI, ...args],
      { env: { PATH: process.env.PATH, ...env } },
      (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
    child.stdout?.on("data", (text) => onOutput(String(text), () => child.kill("SIGINT")));
  });
}
