/** The start of a built function, from nothing to a handler that is ready: Lambda's init, which a cold start waits for. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { bundleFunction } from "../aws/bundle.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { type Spread, spreadOf } from "./statistics.ts";

/** The empty handler is one file, as esbuild bundles by default; the functions are split, as they are built. */
const FUNCTIONS = {
  empty: { entry: "infra/bench/empty-handler.ts", splitting: false },
  cycle: { entry: "functions/cycle.ts", splitting: true },
  api: { entry: "functions/api.ts", splitting: true },
} as const;
type Name = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as Name[];

/** Imports the bundle as Lambda's client does, and says how long that took and how much memory it needed. */
const PROBE = `
const from = performance.now();
const { handler } = await import(process.argv[1]);
const initMs = performance.now() - from;
if (typeof handler !== "function") throw new Error("there is no handler");
console.log(JSON.stringify({ initMs, memoryMb: process.resourceUsage().maxRSS / 1024 }));
`;

export type StartReport = Readonly<Record<Name, { readonly initMs: Spread; readonly memoryMb: Spread }>>;

/** Starts each function in a process of its own, by turns, so that what else the machine does falls on all of them. */
export async function measureStart(runs: number): Promise<StartReport> {
  const folder = await temporaryFolder();
  try {
    for (const name of NAMES) {
      const { entry, splitting } = FUNCTIONS[name];
      await bundleFunction(entry, join(folder.path, name), { splitting });
    }
    const start = (name: Name): { initMs: number; memoryMb: number } => {
      const bundle = join(folder.path, name, "index.mjs");
      const args = ["--enable-source-maps", "--input-type=module", "-e", PROBE, bundle];
      return JSON.parse(
        execFileSync(process.execPath, args, { encoding: "utf8", env: { AWS_REGION: "eu-west-1" } }),
      );
    };
    for (const name of NAMES) start(name);
    const rounds = Array.from({ length: runs }, () => NAMES.map(start));
    const summary = (_: Name, i: number) => ({
      initMs: spreadOf(rounds.map((round) => round[i]!.initMs)),
      memoryMb: spreadOf(rounds.map((round) => round[i]!.memoryMb)),
    });
    return Object.fromEntries(NAMES.map((name, i) => [name, summary(name, i)])) as StartReport;
  } finally {
    await folder.remove();
  }
}
