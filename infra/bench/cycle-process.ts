/** The process that is measured: one canary, as a function has it, told over IPC what to do next. */
import { readFile } from "node:fs/promises";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { type Canary, openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { documentClient } from "../../shared/store/client.ts";
import { dynamoStore } from "../../shared/store/store.ts";
import type { CycleReport } from "../../shared/wire/schemas.ts";
import { countUnits } from "./count-units.ts";
import { sendFloor } from "./floor.ts";
import { type PlainSources, plainExecs, plainLoop } from "./plain-loop.ts";
import type { Recorded } from "./recorder.ts";

export type Ask =
  | {
      readonly kind: "cycle";
      readonly env: Readonly<Record<string, string>>;
      readonly dynamo: string;
      readonly table: string;
      /** What the cycle's clock says at its start, unix ms. */
      readonly nowMs: number;
      /** Whether to have DynamoDB say what each request is billed. */
      readonly counted?: boolean;
    }
  | { readonly kind: "plain"; readonly sources: PlainSources }
  | { readonly kind: "execs"; readonly docker: string }
  /** A file of recorded requests. */
  | { readonly kind: "floor"; readonly file: string };

export interface CycleRun {
  readonly ms: number;
  readonly cpuMs: number;
  readonly steps: Readonly<Record<string, number>>;
  readonly peakMb: number;
  /** What DynamoDB bills, where it was asked. */
  readonly units: { readonly read: number; readonly write: number };
  readonly report: CycleReport;
}

/** Made once, as in a function that is warm. */
const clients = new Map<string, DynamoDBDocumentClient>();
const canaries = new Map<string, Canary>();
const units = { read: 0, write: 0 };
const kept = <T>(made: Map<string, T>, name: string, make: () => T): T => {
  if (!made.has(name)) made.set(name, make());
  return made.get(name)!;
};

async function cycle({
  env,
  dynamo,
  table,
  nowMs,
  counted = false,
}: Extract<Ask, { kind: "cycle" }>): Promise<CycleRun> {
  const steps: Record<string, number> = {};
  const canary = kept(canaries, JSON.stringify([env, dynamo, counted]), () => {
    const client = kept(clients, `${dynamo} ${counted}`, () => documentClient({ endpoint: dynamo }));
    if (counted) countUnits(client, units);
    return openCanary(env, { state: dynamoStore(client, table) });
  });
  Object.assign(units, { read: 0, write: 0 });
  const clockFrom = performance.now();
  const deps = {
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
  const cpu = process.cpuUsage();
  const from = performance.now();
  const outcome = await runCycle(deps, { trigger: "bench" });
  const ms = performance.now() - from;
  const { user, system } = process.cpuUsage(cpu);
  if (outcome.kind !== "done")
    throw new Error(`the cycle did not happen: ${"reason" in outcome ? outcome.reason : outcome.kind}`);
  return {
    ms,
    cpuMs: (user + system) / 1000,
    steps,
    units: { ...units },
    peakMb: process.resourceUsage().maxRSS / 1024,
    report: outcome.report,
  };
}

const ANSWER = {
  cycle,
  plain: ({ sources }: Extract<Ask, { kind: "plain" }>) => plainLoop(sources),
  async execs({ docker }: Extract<Ask, { kind: "execs" }>) {
    const from = performance.now();
    const containers = await plainExecs(docker);
    return { ms: performance.now() - from, containers };
  },
  async floor({ file }: Extract<Ask, { kind: "floor" }>) {
    return { ms: await sendFloor(JSON.parse(await readFile(file, "utf8")) as Recorded[]) };
  },
};

process.on("message", async (ask: Ask) => {
  try {
    const work = ANSWER[ask.kind] as (ask: Ask) => Promise<unknown>;
    process.send?.({ result: await work(ask) });
  } catch (error) {
    process.send?.({ error: String(error instanceof Error ? error.stack : error) });
  }
});
