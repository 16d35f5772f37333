/** Measures how R-01 reads real containers. Needs dockerd, and root. */
import { startDockerd } from "../local/dockerd.ts";
import { withBusyCores } from "./busy-cores.ts";
import { runCycleOn } from "./count.ts";
import type { CycleRun } from "./cycle-process.ts";
import { agentName } from "./fleet.ts";
import { startMeasuredProcess } from "./measured-process.ts";
import { startServers, WARM_UP } from "./servers.ts";

export interface DockerReport {
  readonly containers: number;
  readonly cycles: CycleRun[];
  /** All of the plain loop. */
  readonly plainMs: number[];
  /** One exec after the other, and nothing else. */
  readonly execsMs: number[];
  /** Cores of the machine that were busy in each cycle, and with each exec after the other. */
  readonly busyCores: { readonly cycle: number[]; readonly execs: number[] };
}

const FLEET = { agents: 10, oldRows: 20_000 };

/** Measures cycle, plain loop and execs by turns over ten agents, for each of these numbers of containers. */
export async function measureDocker(
  counts: readonly number[],
  bundle: string,
  runs: number,
): Promise<DockerReport[]> {
  const servers = await startServers(FLEET);
  const measured = startMeasuredProcess(bundle);
  const daemon = await startDockerd(["procps"]);
  const env = { ...servers.scripts.env, DOCKER_HOSTS: daemon.socket };
  const measure = async (containers: number): Promise<DockerReport> => {
    const report: DockerReport = {
      containers,
      cycles: [],
      plainMs: [],
      execsMs: [],
      busyCores: { cycle: [], execs: [] },
    };
    for (let turn = -WARM_UP; turn < runs; turn += 1) {
      await servers.turn();
      const cycle = await withBusyCores(() => runCycleOn(servers, { ...servers.scripts, env }, measured));
      const plainMs = await measured.ask("plain", env);
      const execs = await withBusyCores(() => measured.ask("execs", env));
      if (turn < 0) continue;
      report.cycles.push(cycle.result);
      report.plainMs.push(plainMs);
      report.execsMs.push(execs.result);
      report.busyCores.cycle.push(cycle.cores);
      report.busyCores.execs.push(execs.cores);
    }
    return report;
  };
  try {
    const reports: DockerReport[] = [];
    let running = 0;
    for (const count of counts) {
      for (; running < count; running += 1) await daemon.runAgent(agentName(running), "procps", "sleep 3600");
      reports.push(await measure(count));
    }
    return reports;
  } finally {
    await measured.close();
    await servers.close();
    await daemon.close();
  }
}
