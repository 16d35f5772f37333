/** Starts the process that is measured, from a bundle as a function's. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { CycleRun, Work } from "./cycle-process.ts";

export type MeasuredProcess = {
  readonly [Kind in keyof Work]: (order: Parameters<Work[Kind]>[0]) => ReturnType<Work[Kind]>;
} & { close(): Promise<void> };

/** @param folder where `bundleFunction` put `infra/bench/cycle-process.ts` */
export function startMeasuredProcess(folder: string, execArgv: string[] = []): MeasuredProcess {
  const child = fork(join(folder, "index.mjs"), {
    execArgv,
    env: { AWS_REGION: "local" },
  });
  const exited = once(child, "exit").then(([code]) => [{ error: `the process ended with ${code}` }]);
  async function ask<T>(kind: keyof Work, order: unknown): Promise<T> {
    child.send([kind, order]);
    const answered = new Promise((resolve) => child.once("message", (answer) => resolve([answer])));
    const [answer] = (await Promise.race([answered, exited])) as [{ result: T; error?: string }];
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.result;
  }
  return {
    cycle: (order) => ask("cycle", order),
    plain: (sources) => ask("plain", sources),
    execs: (docker) => ask("execs", docker),
    floor: (file) => ask("floor", file),
    async close() {
      if (child.exitCode !== null) return;
      child.disconnect();
      await exited;
    },
  };
}

/** @throws Error where a verdict is not green: then it is not the path to measure */
export function assertGreen({ report }: CycleRun): void {
  const bad = Object.entries(report.verdicts).filter(([, { status }]) => status !== "green");
  if (bad.length > 0)
    throw new Error(`not green: ${JSON.stringify(bad)} ${report.sources_unavailable.join(", ")}`);
}
