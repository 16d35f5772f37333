/** The start of a built function, from nothing to a handler that is ready: Lambda's init, which a cold start waits for. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleFunction } from "../aws/bundle.ts";

/** The empty handler is measured twice: as one file, as esbuild bundles by default, and split as the functions are. */
const FUNCTIONS = {
  empty: { entry: "infra/bench/empty-handler.ts", splitting: false },
  "empty, split": { entry: "infra/bench/empty-handler.ts", splitting: true },
  cycle: { entry: "functions/cycle.ts", splitting: true },
  api: { entry: "functions/api.ts", splitting: true },
} as const;
type Name = keyof typeof FUNCTIONS;
const NAMES = Object.keys(FUNCTIONS) as Name[];

/** Imports the bundle as Lambda's client does, and says how long that took and what it needed. */
const PROBE = `
const from = performance.now();
const { handler } = await import(process.argv[1]);
const initMs = performance.now() - from;
if (typeof handler !== "function") throw new Error("there is no handler");
console.log(JSON.stringify({ initMs, memoryMb: process.resourceUsage().maxRSS / 1024 }));
`;

interface Start {
  readonly initMs: number;
  readonly memoryMb: number;
}

export interface StartReport {
  readonly node: string;
  readonly runs: number;
  /** Medians, the spread between the quartiles, and how the median compares with the empty handler's in one file. */
  readonly functions: Readonly<Record<Name, Start & { readonly spreadMs: number; readonly ratio: number }>>;
}

const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b);
const quantile = (values: readonly number[], q: number): number =>
  sorted(values)[Math.round((values.length - 1) * q)]!;

/**
 * Starts each function in a process of its own, by turns, so that what else the machine does falls on all of them.
 * @param runs how often each is started
 */
export async function benchStart(runs: number): Promise<StartReport> {
  const folder = await mkdtemp(join(tmpdir(), "canary-bench-"));
  try {
    for (const name of NAMES) {
      const { entry, splitting } = FUNCTIONS[name];
      await bundleFunction(entry, join(folder, name), { splitting });
    }
    const start = (name: Name): Start => {
      const args = [
        "--enable-source-maps",
        "--input-type=module",
        "-e",
        PROBE,
        join(folder, name, "index.mjs"),
      ];
      return JSON.parse(
        execFileSync(process.execPath, args, { encoding: "utf8", env: { AWS_REGION: "eu-west-1" } }),
      );
    };
    const starts = Object.fromEntries(NAMES.map((name) => [name, []])) as unknown as Record<Name, Start[]>;
    for (const name of NAMES) start(name);
    for (let run = 0; run < runs; run += 1) for (const name of NAMES) starts[name].push(start(name));

    const initOf = (name: Name) => starts[name].map(({ initMs }) => initMs);
    const summary = (name: Name) => ({
      initMs: quantile(initOf(name), 0.5),
      spreadMs: quantile(initOf(name), 0.75) - quantile(initOf(name), 0.25),
      memoryMb: quantile(
        starts[name].map(({ memoryMb }) => memoryMb),
        0.5,
      ),
      ratio: quantile(initOf(name), 0.5) / quantile(initOf("empty"), 0.5),
    });
    return {
      node: process.version,
      runs,
      functions: Object.fromEntries(NAMES.map((name) => [name, summary(name)])) as StartReport["functions"],
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns the report as a table */
export function renderStart({ node, runs, functions }: StartReport): string {
  const lines = NAMES.map((name) => {
    const { initMs, spreadMs, memoryMb, ratio } = functions[name];
    return `  ${name.padEnd(12)} ${initMs.toFixed(0).padStart(5)} ms ± ${spreadMs.toFixed(0).padStart(3)}   ${ratio.toFixed(2)} ×   ${memoryMb.toFixed(0).padStart(3)} MB`;
  });
  return [
    `start to handler ready, Node ${node}, median of ${runs} (± between the quartiles), memory at that moment`,
    ...lines,
  ].join("\n");
}
