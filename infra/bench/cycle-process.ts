/** The process that is measured: one canary, as a function has it, which gets its orders over IPC. */
import { readFile } from "node:fs/promises";
import { type Canary, openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { documentClient } from "../../shared/store/client.ts";
import { dynamoStore } from "../../shared/store/store.ts";
import type { CycleReport } from "../../shared/wire/schemas.ts";
import { countUnits } from "./count-units.ts";
import { sendFloor } from "./floor.ts";
import { type PlainSources, plainExecs, plainLoop } from "./plain-loop.ts";
import type { Recorded } from "./recorder.ts";

export interface CycleOrder {
  readonly env: Readonly<Record<string, string>>;
  readonly dynamo: string;
  readonly table: string;
  /** What the cycle's clock says at its start, unix ms. */
  readonly nowMs: number;
}

export interface CycleRun {
  readonly ms: number;
  readonly cpuMs: number;
  /** How long each step and each source took. */
  readonly steps: Readonly<Record<string, number>>;
  readonly peakMb: number;
  /** What DynamoDB bills. */
  readonly units: { readonly read: number; readonly write: number };
  readonly report: CycleReport;
}

const units = { read: 0, write: 0 };
/** Made once for each configuration, as in a function that is warm. */
const canaries = new Map<string, Canary>();

function canaryFor({ env, dynamo, table }: CycleOrder): Canary {
  const name = JSON.stringify([env, dynamo]);
  const known = canaries.get(name);
  if (known) return known;
  const client = documentClient({ endpoint: dynamo });
  countUnits(client, units);
  const canary = openCanary(env, { state: dynamoStore(client, table) });
  canaries.set(name, canary);
  return canary;
}

/** The canary with a clock that begins at `nowMs`, and with its steps and reads timed. */
function timed(canary: Canary, nowMs: number, steps: Record<string, number>): Canary {
  const clockFrom = performance.now();
  return {
    ...canary,
    now: () => nowMs + performance.now() - clockFrom,
    onStep: (step: string, ms: number) => {
      steps[step] = (steps[step] ?? 0) + ms;
    },
    sources: canary.sources.map((source) =>
      "absent" in source
        ? source
        : {
            ...source,
            async read(context: Parameters<typeof source.read>[0]) {
              const from = performance.now();
              try {
                return await source.read(context);
              } finally {
                steps[source.name] ??= performance.now() - from;
              }
            },
          },
    ),
  };
}

async function cycle(order: CycleOrder): Promise<CycleRun> {
  const steps: Record<string, number> = {};
  const canary = timed(canaryFor(order), order.nowMs, steps);
  Object.assign(units, { read: 0, write: 0 });
  const cpu = process.cpuUsage();
  const from = performance.now();
  const outcome = await runCycle(canary, { trigger: "bench" });
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  if (outcome.kind !== "done")
    throw new Error(`the cycle did not happen: ${"reason" in outcome ? outcome.reason : outcome.kind}`);
  const peakMb = process.resourceUsage().maxRSS / 1024;
  return { ms, cpuMs: (user + system) / 1000, steps, units: { ...units }, peakMb, report: outcome.report };
}

const timeOf = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await work();
  return performance.now() - from;
};

/** What the process can be asked for; all but a cycle give how long it took, in ms. */
const WORK = {
  cycle,
  plain: (sources: PlainSources) => timeOf(() => plainLoop(sources)),
  execs: (docker: string) => timeOf(() => plainExecs(docker)),
  /** Takes a file of recorded requests. */
  floor: async (file: string) => sendFloor(JSON.parse(await readFile(file, "utf8")) as Recorded[]),
};
export type Work = typeof WORK;

process.on("message", async ([kind, order]: [keyof Work, never]) => {
  try {
    process.send?.({ result: await WORK[kind](order) });
  } catch (error) {
    process.send?.({ error: String(error instanceof Error ? error.stack : error) });
  }
});
