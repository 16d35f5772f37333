/** Starts the process that is measured, from a bundle as a function's. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Ask, CycleRun } from "./cycle-process.ts";

export interface MeasuredProcess {
  cycle(ask: Omit<Extract<Ask, { kind: "cycle" }>, "kind">): Promise<CycleRun>;
  plain(sources: Extract<Ask, { kind: "plain" }>["sources"]): Promise<{ ms: number; requests: number }>;
  execs(docker: string): Promise<{ ms: number; containers: number }>;
  floor(file: string): Promise<{ ms: number }>;
  close(): Promise<void>;
}

/** @param folder where `bundleFunction` put `infra/bench/cycle-process.ts` */
export function startMeasuredProcess(folder: string, execArgv: string[] = []): MeasuredProcess {
  const child = fork(join(folder, "index.mjs"), {
    execArgv,
    env: { AWS_REGION: "local" },
  });
  const exited = once(child, "exit").then(([code]) => [{ error: `the process ended with ${code}` }]);
  async function ask<T>(what: Ask): Promise<T> {
    child.send(what);
    const answered = new Promise((resolve) => child.once("message", (answer) => resolve([answer])));
    const [answer] = (await Promise.race([answered, exited])) as [{ result: T; error?: string }];
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }
  return {
    cycle: (what) => ask({ kind: "cycle", ...what }),
    plain: (sources) => ask({ kind: "plain", sources }),
    execs: (docker) => ask({ kind: "execs", docker }),
    floor: (file) => ask({ kind: "floor", file }),
    async close() {
      if (child.exitCode !== null) return;
      child.disconnect();
      await exited;
    },
  };
}
