/** The process that is measured: one canary, as a function has it, told over IPC what to do next. */
import { readFile } from "node:fs/promises";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { createCanary } from "../shared/canary.ts";
import { loadConfig } from "../shared/config.ts";
import { type CycleDeps, type CycleReport, runCycle } from "../shared/cycle/run-cycle.ts";
import { documentClient } from "../shared/state/client.ts";
import { dynamoStore } from "../shared/state/store.ts";
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
  readonly report: CycleReport;
}

/** Made once, as in a function that is warm. */
let dynamoClient: { readonly endpoint: string; readonly client: DynamoDBDocumentClient } | undefined;
const canaries = new Map<string, CycleDeps>();

function canaryOf(env: Readonly<Record<string, string>>, dynamo: string, table: string): CycleDeps {
  const name = JSON.stringify([env, dynamo, table]);
  const known = canaries.get(name);
  if (known) return known;
  if (dynamoClient?.endpoint !== dynamo)
    dynamoClient = { endpoint: dynamo, client: documentClient({ endpoint: dynamo }) };
  const canary = createCanary(loadConfig(env), dynamoStore(dynamoClient.client, table));
  canaries.set(name, canary);
  return canary;
}

async function cycle({ env, dynamo, table, nowMs }: Extract<Ask, { kind: "cycle" }>): Promise<CycleRun> {
  const steps: Record<string, number> = {};
  const canary = canaryOf(env, dynamo, table);
  const clockFrom = performance.now();
  const deps = {
    ...canary,
    now: () => nowMs + performance.now() - clockFrom,
    onStep: (step: string, ms: number) => {
      steps[step] = ms;
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
                steps[source.name] = performance.now() - from;
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
