/** Measures the start of a built function until its handler is ready: Lambda's init, which a cold start waits for. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { bundleFunction } from "../aws/bundle.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";

/** The empty handler is bundled as esbuild does it by default, the functions as they are built. */
const FUNCTIONS = {
  empty: { entry: "infra/bench/empty-handler.ts", isPlain: true },
  cycle: { entry: "functions/cycle.ts", isPlain: false },
  api: { entry: "functions/api.ts", isPlain: false },
} as const;
type Name = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as Name[];

/** Imports the bundle as Lambda's client does, and prints how long it took. */
const PROBE = `
const from = performance.now();
const { handler } = await import(process.argv[1]);
const initMs = performance.now() - from;
if (typeof handler !== "function") throw new Error("there is no handler");
console.log(initMs);
`;

/** How long each start of a function took, in ms. */
export type StartReport = Readonly<Record<Name, readonly number[]>>;

/** Starts each function in a new process. They take turns, so that what else the machine does affects all alike. */
export async function measureStart(runs: number): Promise<StartReport> {
  const folder = await temporaryFolder();
  try {
    for (const name of NAMES) {
      const { entry, isPlain } = FUNCTIONS[name];
      await bundleFunction(entry, join(folder.path, name), { isPlain });
    }
    const start = (name: Name) => {
      const bundle = join(folder.path, name, "index.mjs");
      const args = ["--enable-source-maps", "--input-type=module", "-e", PROBE, bundle];
      return Number(
        execFileSync(process.execPath, args, { encoding: "utf8", env: { AWS_REGION: "eu-west-1" } }),
      );
    };
    for (const name of NAMES) start(name);
    const rounds = Array.from({ length: runs }, () => NAMES.map(start));
    return Object.fromEntries(
      NAMES.map((name, i) => [name, rounds.map((round) => round[i]!)]),
    ) as unknown as StartReport;
  } finally {
    await folder.remove();
  }
}
