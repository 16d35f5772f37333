/** Measures the cycle over fleets: by scripts and by transactions, against the floor of its own requests, and a plain loop. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { type Counts, countCycle, type Recording, runCycleOn } from "./count.ts";
import type { CycleRun } from "./cycle-process.ts";
import type { FleetShape } from "./fleet.ts";
import { measureSizes, type SizeReport } from "./measure-sizes.ts";
import { type MeasuredProcess, startMeasuredProcess } from "./measured-process.ts";
import { type BenchServers, startServers, WARM_UP } from "./servers.ts";

export interface FleetPlan extends FleetShape {
  /** Only the cycle is measured, and the floor. */
  readonly isPlain?: boolean;
  /** How often the plain loop is run; it takes seconds for a thousand agents. */
  readonly plainRuns: number;
  /** The memory of the functions that it is run in, in MB. */
  readonly sizes: readonly number[];
}

export interface FleetReport extends FleetShape {
  readonly cycles: CycleRun[];
  /** Through a Redis that refuses scripts. */
  readonly multi: CycleRun[];
  readonly floorMs: number[];
  /** What this process works to send them, the least that a cycle can cost. */
  readonly floorCpuMs: number[];
  readonly plainMs: number[];
  readonly counts: Counts;
  readonly multiCounts: Counts;
  /** Of a process that runs nothing but cycles, with V8's own limits. */
  readonly peakMb: number;
  readonly sizes: readonly SizeReport[];
}

async function peakOf(servers: BenchServers, bundle: string, runs: number): Promise<number> {
  const measured = startMeasuredProcess(bundle);
  try {
    let peakMb = 0;
    for (let i = 0; i < WARM_UP + runs; i += 1) {
      await servers.turn();
      peakMb = (await runCycleOn(servers, servers.scripts, measured)).peakMb;
    }
    return peakMb;
  } finally {
    await measured.close();
  }
}

interface OpenFleet {
  readonly plan: FleetPlan;
  readonly servers: BenchServers;
  /** One process for each way, as two functions would be. */
  readonly measured: MeasuredProcess;
  readonly multi: MeasuredProcess;
  /** Where the recorded requests are, and the table that they began with. */
  readonly file: string;
  readonly table: Recording["table"];
  readonly report: FleetReport;
  close(): Promise<void>;
}

async function openFleet(plan: FleetPlan, bundle: string, runs: number): Promise<OpenFleet> {
  const [servers, folder] = [await startServers(plan), await temporaryFolder()];
  const [measured, multi] = [startMeasuredProcess(bundle), startMeasuredProcess(bundle)];
  const close = async () => {
    await Promise.all([measured.close(), multi.close()]);
    await servers.close();
    await folder.remove();
  };
  try {
    const file = join(folder.path, "requests.json");
    const peakMb = await peakOf(servers, bundle, runs);
    const { requests, table, ...counts } = await countCycle(servers, servers.scripts, measured, runs);
    await writeFile(file, JSON.stringify(requests));
    const { requests: _, table: __, ...multiCounts } = await countCycle(servers, servers.multi, multi, 1);
    await servers.reset();
    const { agents, oldRows } = plan;
    const empty = { cycles: [], multi: [], floorMs: [], floorCpuMs: [], plainMs: [], sizes: [] };
    const report = { agents, oldRows, peakMb, counts, multiCounts, ...empty };
    return { plan, servers, measured, multi, file, table, report, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Runs the cycle in both ways, and its requests alone. */
async function takeTurn({ plan, servers, measured, multi, file, table, report }: OpenFleet, counts: boolean) {
  await servers.turn();
  const cycle = await runCycleOn(servers, servers.scripts, measured);
  const byMulti = plan.isPlain ? null : await runCycleOn(servers, servers.multi, multi);
  const { state } = servers.scripts;
  // The floor's requests name what the table held when they were recorded.
  const now = await state.save();
  await state.restore(table);
  const floor = await measured.ask("floor", file);
  await state.restore(now);
  if (!counts) return;
  report.cycles.push(cycle);
  if (byMulti) report.multi.push(byMulti);
  report.floorMs.push(floor.ms);
  report.floorCpuMs.push(floor.cpuMs);
}

/**
 * Measures each fleet on its own servers. The fleets take turns, so that what else the machine does affects all alike.
 * @param bundle where `bundleFunction` put the measured process
 * @param say tells how far it is
 * @returns a report for each, in their order
 */
export async function measureFleets(
  plans: readonly FleetPlan[],
  bundle: string,
  runs: number,
  say: (line: string) => void,
): Promise<FleetReport[]> {
  const fleets: OpenFleet[] = [];
  try {
    for (const plan of plans) {
      say(`${plan.agents} agents, ${plan.oldRows} old rows`);
      fleets.push(await openFleet(plan, bundle, runs));
    }
    say("cycles");
    for (let turn = -WARM_UP; turn < runs; turn += 1)
      for (const fleet of fleets) await takeTurn(fleet, turn >= 0);
    say("plain loop");
    for (const { plan, servers, measured, report } of fleets)
      for (let run = 0; run < plan.plainRuns; run += 1)
        report.plainMs.push(await measured.ask("plain", servers.scripts.env));
    say("sizes");
    const reports: FleetReport[] = [];
    for (const { plan, servers, report } of fleets)
      reports.push({ ...report, sizes: await measureSizes(servers, plan.sizes, bundle) });
    return reports;
  } finally {
    for (const fleet of fleets) await fleet.close();
  }
}
