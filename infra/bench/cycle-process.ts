/** The measured process: one canary, kept as a warm function keeps it. It takes its orders over IPC. */
import { readFile } from "node:fs/promises";
import { type Canary, openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { documentClient } from "../../shared/store/client.ts";
import { dynamoStore } from "../../shared/store/store.ts";
import { cycleTelemetry } from "../../shared/telemetry.ts";
import { countUnits, type Units } from "./billing.ts";
import { readDockerInTurn } from "./docker-reads.ts";
import { sendFloor } from "./floor.ts";
import { captureLog } from "./log.ts";
import { type Env, plainExecs, plainLoop } from "./plain-loop.ts";
import type { Recorded } from "./recorder.ts";

export interface CycleOrder {
  readonly env: Env;
  readonly state: { readonly endpoint: string; readonly table: string };
  /** What the cycle's clock says at its start, unix ms. */
  readonly nowMs: number;
}

export interface CycleRun {
  readonly ms: number;
  readonly cpuMs: number;
  /** How long each step and each source took. */
  readonly steps: Readonly<Record<string, number>>;
  /** The most memory that the process has held since its start. */
  readonly peakMb: number;
  /** What DynamoDB says that it consumed. */
  readonly units: Readonly<Units>;
  /** What the cycle wrote to its log. */
  readonly logBytes: number;
  /** How many metrics are in it, each with its dimensions. */
  readonly metrics: number;
}

const log = captureLog();

interface Opened {
  readonly canary: Canary;
  readonly units: Units;
}

/** Opened once for each configuration, as a warm function does. */
const canaries = new Map<string, Opened>();

function open({ env, state }: CycleOrder): Opened {
  const client = documentClient(state);
  const units = { read: 0, write: 0 };
  countUnits(client, units);
  const canary = openCanary(env, { state: dynamoStore(client, state.table), observe: cycleTelemetry });
  return { canary, units };
}

function canaryFor(order: CycleOrder): Opened {
  const name = JSON.stringify([order.env, order.state]);
  const opened = canaries.get(name) ?? open(order);
  canaries.set(name, opened);
  return opened;
}

/** @throws Error where a verdict is not green: the bench measures the green path */
async function cycle(order: CycleOrder): Promise<CycleRun> {
  const steps: Record<string, number> = {};
  const cpu = process.cpuUsage();
  const from = performance.now();
  const { canary, units } = canaryFor(order);
  Object.assign(units, { read: 0, write: 0 });
  log.reset();
  const outcome = await runCycle(
    {
      ...canary,
      now: () => order.nowMs + performance.now() - from,
      onStep: (step, ms) => {
        steps[step] = (steps[step] ?? 0) + ms;
      },
    },
    { trigger: "bench" },
  );
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  if (outcome.kind !== "done")
    throw new Error(`the cycle did not happen: ${"reason" in outcome ? outcome.reason : outcome.kind}`);
  const { verdicts, sources_unavailable } = outcome.report;
  const bad = Object.entries(verdicts).filter(([, { status }]) => status !== "green");
  if (bad.length > 0) throw new Error(`not green: ${JSON.stringify(bad)} ${sources_unavailable.join(", ")}`);
  return {
    ms,
    cpuMs: (user + system) / 1000,
    steps: { ...steps, ...outcome.latencyMsBySource },
    peakMb: process.resourceUsage().maxRSS / 1024,
    units: { ...units },
    ...log.counts(),
  };
}

const timeOf = async (work: () => Promise<unknown>): Promise<number> => {
  const from = performance.now();
  await work();
  return performance.now() - from;
};

/** What the process does on order; a floor and a loop answer with how long they took, in ms. */
const WORK = {
  cycle,
  docker: readDockerInTurn,
  plain: (env: Env) => timeOf(() => plainLoop(env)),
  execs: (env: Env) => timeOf(() => plainExecs(env)),
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
