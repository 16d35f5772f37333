/** Starts the measured process from a bundle that is built as a function's is. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Work } from "./cycle-process.ts";

export interface MeasuredProcess {
  ask<Kind extends keyof Work>(kind: Kind, order: Parameters<Work[Kind]>[0]): ReturnType<Work[Kind]>;
  close(): Promise<void>;
}

export interface ProcessOptions {
  /** Node's own. */
  readonly options?: readonly string[];
  /** The file that takes the ids of a control group's processes: the process is in it from its first instruction on. */
  readonly group?: string | undefined;
  /** How many files and connections it may have open. Left out: as many as this process. */
  readonly descriptors?: number;
}

/** Becomes a process of the group, with that many descriptors, then runs the rest. */
const BOUNDED = [
  "sh",
  "-c",
  'echo $$ > "$0" && { [ -z "$1" ] || ulimit -n "$1"; } && shift && exec "$@"',
] as const;
const NO_GROUP = "/dev/null";

/** @param folder where `bundleFunction` put `infra/bench/cycle-process.ts` */
export function startMeasuredProcess(
  folder: string,
  { options = [], group = NO_GROUP, descriptors }: ProcessOptions = {},
): MeasuredProcess {
  const [file, ...bounds] = [...BOUNDED, group, descriptors === undefined ? "" : String(descriptors)];
  const child = spawn(file!, [...bounds, process.execPath, ...options, join(folder, "index.mjs")], {
    env: { AWS_REGION: "local" },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const exited = once(child, "exit").then(([code]) => [{ error: `the process ended with ${code}` }]);
  async function ask(kind: keyof Work, order: unknown): Promise<unknown> {
    child.send([kind, order]);
    const answered = new Promise((resolve) => child.once("message", (answer) => resolve([answer])));
    const [answer] = (await Promise.race([answered, exited])) as [{ result: unknown; error?: string }];
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }
  return {
    ask: ask as MeasuredProcess["ask"],
    async close() {
      if (child.exitCode !== null) return;
      child.disconnect();
      await exited;
    },
  };
}
