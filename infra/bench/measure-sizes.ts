/** Measures the cycle with the part of a core that a function of some memory has. */
import { runCycleOn } from "./count.ts";
import { heapOptions, openShare, shareOf } from "./cpu-share.ts";
import type { CycleRun } from "./cycle-process.ts";
import { startMeasuredProcess } from "./measured-process.ts";
import type { BenchServers } from "./servers.ts";

const WARM_CYCLES = 4;

export interface SizeReport {
  readonly memoryMb: number;
  /** From the start of the process to the end of its first cycle; null where this machine can't give a process a part of a core. */
  readonly firstMs: number | null;
  /** The cycles after the first. */
  readonly warm: readonly CycleRun[];
}

async function measureSize(servers: BenchServers, memoryMb: number, bundle: string): Promise<SizeReport> {
  await servers.reset();
  const share = openShare(shareOf(memoryMb));
  if (share === null) return { memoryMb, firstMs: null, warm: [] };
  await servers.turn();
  const from = performance.now();
  const measured = startMeasuredProcess(bundle, { options: heapOptions(memoryMb), group: share.group });
  try {
    await runCycleOn(servers, servers.scripts, measured);
    const firstMs = performance.now() - from;
    const warm: CycleRun[] = [];
    for (let run = 0; run < WARM_CYCLES; run += 1) {
      await servers.turn();
      warm.push(await runCycleOn(servers, servers.scripts, measured));
    }
    return { memoryMb, firstMs, warm };
  } finally {
    await measured.close();
    await share.close();
  }
}

/** Measures each of these functions in turn, over the fleet of these servers. */
export async function measureSizes(
  servers: BenchServers,
  sizes: readonly number[],
  bundle: string,
): Promise<SizeReport[]> {
  const reports: SizeReport[] = [];
  for (const memoryMb of sizes) reports.push(await measureSize(servers, memoryMb, bundle));
  return reports;
}
