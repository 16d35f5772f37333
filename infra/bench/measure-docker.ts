/** Measures R-01's way through real containers. Needs dockerd, and root. */
import { startDockerd } from "../local/dockerd.ts";
import { agentName } from "./fleet.ts";
import { assertGreen, startMeasuredProcess } from "./measured-process.ts";
import { startServers, WARM_UP } from "./servers.ts";
import { type Spread, spreadOf, spreadsOf } from "./statistics.ts";

export interface DockerReport {
  readonly containers: number;
  readonly cycleMs: Spread;
  readonly steps: Readonly<Record<string, Spread>>;
  /** All of the plain loop. */
  readonly plainMs: Spread;
  /** One exec after the other, and nothing else. */
  readonly execsMs: Spread;
}

const FLEET = { agents: 10, oldRows: 20_000 };

/** Measures cycle, plain loop and execs by turns over ten agents, for each of these numbers of containers. */
export async function measureDocker(
  counts: readonly number[],
  { runs, bundle }: { readonly runs: number; readonly bundle: string },
): Promise<DockerReport[]> {
  const servers = await startServers(FLEET);
  const measured = startMeasuredProcess(bundle);
  const daemon = await startDockerd();
  const { state, dynamo, nowMs } = servers;
  const env = { ...servers.env, DOCKER_HOSTS: daemon.socket };
  const measure = async (containers: number): Promise<DockerReport> => {
    const turns = [];
    for (let i = 0; i < WARM_UP + runs; i += 1) {
      await state.reset();
      const cycle = await measured.cycle({ env, dynamo: dynamo.endpoint, table: dynamo.table, nowMs });
      assertGreen(cycle);
      const plain = await measured.plain(servers.plainSources(daemon.socket));
      turns.push({ cycle, plain, execs: await measured.execs(daemon.socket) });
    }
    const warm = turns.slice(WARM_UP);
    return {
      containers,
      cycleMs: spreadOf(warm.map(({ cycle }) => cycle.ms)),
      steps: spreadsOf(warm.map(({ cycle }) => cycle.steps)),
      plainMs: spreadOf(warm.map(({ plain }) => plain)),
      execsMs: spreadOf(warm.map(({ execs }) => execs)),
    };
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
