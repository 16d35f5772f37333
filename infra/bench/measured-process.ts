/** Starts the measured process from a bundle that is built as a function's is. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Work } from "./cycle-process.ts";

export interface MeasuredProcess {
  ask<Kind extends keyof Work>(kind: Kind, order: Parameters<Work[Kind]>[0]): ReturnType<Work[Kind]>;
  close(): Promise<void>;
}

/** @param folder where `bundleFunction` put `infra/bench/cycle-process.ts` */
export function startMeasuredProcess(folder: string, execArgv: string[] = []): MeasuredProcess {
  const child = fork(join(folder, "index.mjs"), { execArgv, env: { AWS_REGION: "local" } });
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
