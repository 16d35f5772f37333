/** Runs the command line, in a new process or in this one. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { vi } from "vitest";
import { addFleetCommands } from "../../infra/fleet/commands.ts";
import { addBreakCommands } from "../../infra/local/commands.ts";
import { runProgram } from "../../shared/cli/program.ts";

/** Node's options for a file of the project that imports the pages. */
export const RUNTIME = ["--import", new URL("../../infra/runtime.mjs", import.meta.url).href] as const;
export const CLI = fileURLToPath(new URL("../../functions/cli.ts", import.meta.url));

/**
 * Runs `canary` in a new process with only PATH and these variables.
 * @param onOutput called with each part of the output, and with a way to press Ctrl-C
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

/** Runs `canary fleet …` in this process. */
export const runFleet = (env: Readonly<Record<string, string>>, args: readonly string[]) =>
  runHere(env, ["fleet", ...args]);

/** Runs `canary` in this process: many starts of a process take long on a loaded machine. */
export async function runHere(
  env: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const [own, argv] = [process.env, process.argv];
  let [out, err] = ["", ""];
  const spies = [
    vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += text;
      return true;
    }),
    vi.spyOn(process.stderr, "write").mockImplementation((text) => {
      err += text;
      return true;
    }),
    vi.spyOn(console, "error").mockImplementation((text) => {
      err += `${text}\n`;
    }),
  ];
  process.env = { PATH: own.PATH, ...env };
  process.argv = [process.execPath, CLI, ...args];
  try {
    const code = await runProgram({
      version: "0.0.0",
      more: [addFleetCommands, addBreakCommands],
      startTable: () => Promise.reject(new Error("what runs here needs no table")),
      makeReaders: () => Promise.reject(new Error("what runs here has no daemons")),
    });
    return { code, out, err };
  } finally {
    Object.assign(process, { env: own, argv });
    for (const spy of spies) spy.mockRestore();
  }
}
