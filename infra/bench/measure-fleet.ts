/** Measures the cycle over fleets: against the floor of its own requests, and against the plain loop. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../local/temporary-folder.ts";
import type { CycleRun } from "./cycle-process.ts";
import type { FleetShape } from "./fleet.ts";
import { type MeasuredProcess, startMeasuredProcess } from "./measured-process.ts";
import { type Recorder, startRecorder } from "./recorder.ts";
import { type BenchServers, startServers, WARM_UP } from "./servers.ts";

export interface FleetPlan extends FleetShape {
  /** How often the plain loop is run; it takes seconds for a thousand agents. */
  readonly plainRuns: number;
}

export interface FleetReport extends FleetShape {
  readonly cycles: CycleRun[];
  readonly floorMs: number[];
  readonly plainMs: number[];
  /** Of a process that runs nothing but cycles, within LIMITS. */
  readonly peakMb: number;
}

/** V8's limits in a function of 256 MB. Without a limit it keeps garbage for as long as the machine has room. */
const LIMITS = ["--max-semi-space-size=8", "--max-old-space-size=154"];

/** Runs a cycle after the table is put back to what it was. */
export async function runCycleOn(
  { env, dynamo, state, nowMs }: Omit<BenchServers, "close">,
  measured: MeasuredProcess,
): Promise<CycleRun> {
  await state.reset();
  return measured.ask("cycle", { env, state: dynamo, nowMs });
}

async function peakOf(servers: BenchServers, bundle: string, runs: number): Promise<number> {
  const limited = startMeasuredProcess(bundle, LIMITS);
  try {
    let peakMb = 0;
    for (let i = 0; i <= runs; i += 1) peakMb = (await runCycleOn(servers, limited)).peakMb;
    return peakMb;
  } finally {
    await limited.close();
  }
}

/** Records the requests of a cycle in a warm process into a file, in the order in which they were sent. */
async function recordRequests(servers: BenchServers, measured: MeasuredProcess, file: string): Promise<void> {
  const recorders: Recorder[] = [];
  try {
    for (const target of [
      servers.env.LIBSQL_URL,
      servers.env.UPSTASH_REDIS_REST_URL,
      servers.dynamo.endpoint,
    ])
      recorders.push(await startRecorder(target));
    const [sqlite, redis, dynamodb] = recorders as [Recorder, Recorder, Recorder];
    const recorded = {
      ...servers,
      env: { ...servers.env, LIBSQL_URL: sqlite.url, UPSTASH_REDIS_REST_URL: redis.url },
      dynamo: { ...servers.dynamo, endpoint: dynamodb.url },
    };
    for (let i = 0; i < WARM_UP; i += 1) {
      for (const recorder of recorders) recorder.requests.length = 0;
      await runCycleOn(recorded, measured);
    }
    const requests = recorders.flatMap((recorder) => recorder.requests);
    await writeFile(file, JSON.stringify(requests.sort((a, b) => a.startedAtMs - b.startedAtMs)));
  } finally {
    for (const recorder of recorders) await recorder.close();
  }
}

interface OpenFleet {
  readonly servers: BenchServers;
  readonly measured: MeasuredProcess;
  /** Where the recorded requests are. */
  readonly file: string;
  readonly report: FleetReport;
  close(): Promise<void>;
}

async function openFleet({ agents, oldRows }: FleetPlan, bundle: string, runs: number): Promise<OpenFleet> {
  const [servers, folder] = [await startServers({ agents, oldRows }), await temporaryFolder()];
  const measured = startMeasuredProcess(bundle);
  const close = async () => {
    await measured.close();
    await servers.close();
    await folder.remove();
  };
  try {
    const file = join(folder.path, "requests.json");
    const peakMb = await peakOf(servers, bundle, runs);
    await recordRequests(servers, measured, file);
    const report = { agents, oldRows, peakMb, cycles: [], floorMs: [], plainMs: [] };
    return { servers, measured, file, report, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Measures each fleet on its own servers. The fleets take turns, so that what else the machine does affects all alike.
 * @param bundle where `bundleFunction` put the measured process
 * @returns a report for each, in their order
 */
export async function measureFleets(
  plans: readonly FleetPlan[],
  bundle: string,
  runs: number,
): Promise<FleetReport[]> {
  const fleets: OpenFleet[] = [];
  try {
    for (const plan of plans) fleets.push(await openFleet(plan, bundle, runs));
    for (let turn = -WARM_UP; turn < runs; turn += 1)
      for (const { servers, measured, file, report } of fleets) {
        const cycle = await runCycleOn(servers, measured);
        await servers.state.reset();
        const floorMs = await measured.ask("floor", file);
        if (turn < 0) continue;
        report.cycles.push(cycle);
        report.floorMs.push(floorMs);
      }
    for (const [i, { servers, measured, report }] of fleets.entries())
      for (let run = 0; run < plans[i]!.plainRuns; run += 1)
        report.plainMs.push(await measured.ask("plain", servers.env));
    return fleets.map(({ report }) => report);
  } finally {
    for (const fleet of fleets) await fleet.close();
  }
}
