/** Measures R-01's way through containers: real ones, and more than a machine can run. */
import { cpus } from "node:os";
import { join } from "node:path";
import { startDockerd } from "../../test/support/dockerd.ts";
import { temporaryFolder } from "../../test/support/live.ts";
import { startMeasuredProcess } from "./measured-process.ts";
import { REST_TOKEN, startServer, startServers } from "./servers.ts";
import { benchState } from "./state.ts";
import { quantile, type Spread, spreadOf } from "./statistics.ts";

export interface DockerReport {
  readonly engine: "dockerd" | "stub";
  readonly containers: number;
  /** The source alone, within a cycle. */
  readonly sourceMs: Spread;
  /** One exec after the other. */
  readonly plainMs: Spread;
  /** Which part of the machine's cores was at work meanwhile, 0 to 1. */
  readonly sourceBusy: number;
  readonly plainBusy: number;
}

/** Ten agents and five real containers: all of a cycle against all of the plain loop. */
export interface SmallReport {
  readonly cycleMs: Spread;
  readonly plainMs: Spread;
  readonly steps: Readonly<Record<string, Spread>>;
}

/** @returns how long the machine's cores have been at work, in ms of all of them */
const busyMs = () =>
  cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);

const SMALL = { agents: 10, oldRows: 20_000 };
const WARM_UP = 2;

export interface DockerOptions {
  readonly runs: number;
  readonly bundle: string;
  readonly stubContainers: number;
  readonly realContainers: number;
}

/** @returns what was measured; needs dockerd and root for the real containers */
export async function measureDocker({
  runs,
  bundle,
  stubContainers,
  realContainers,
}: DockerOptions): Promise<{ docker: DockerReport[]; small: SmallReport }> {
  const nowMs = Date.now();
  const servers = await startServers(SMALL, nowMs);
  const folder = await temporaryFolder();
  const state = benchState(servers.dynamo, SMALL, nowMs);
  const measured = startMeasuredProcess(bundle);
  const env = {
    LIBSQL_URL: servers.libsqlUrl,
    UPSTASH_REDIS_REST_URL: servers.redisUrl,
    UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
    SOURCE_DEADLINE_MS: "60000",
  };
  const { endpoint: dynamo, table } = servers.dynamo;
  const cycle = async (host: string) => {
    const run = await measured.cycle({ env: { ...env, DOCKER_HOSTS: host }, dynamo, table, nowMs });
    const bad = Object.entries(run.report.verdicts).filter(([, { status }]) => status !== "green");
    if (bad.length > 0)
      throw new Error(`not green: ${JSON.stringify(bad)} ${run.report.sources_unavailable}`);
    return run;
  };

  /** By turns, so that what else the machine does falls on both. */
  async function compare(host: string, engine: DockerReport["engine"]): Promise<DockerReport> {
    const sources: number[] = [];
    const plain: number[] = [];
    const sourceBusy: number[] = [];
    const plainBusy: number[] = [];
    let containers = 0;
    const busyDuring = async <T>(work: () => Promise<T>, take: (busy: number) => void): Promise<T> => {
      const [busy, from] = [busyMs(), performance.now()];
      const result = await work();
      take((busyMs() - busy) / (cpus().length * (performance.now() - from)));
      return result;
    };
    for (let i = 0; i < WARM_UP + runs; i += 1) {
      await state.reset();
      const run = await busyDuring(
        () => cycle(host),
        (busy) => sourceBusy.push(busy),
      );
      sources.push(run.steps.docker ?? Number.NaN);
      const loop = await busyDuring(
        () => measured.execs(host),
        (busy) => plainBusy.push(busy),
      );
      plain.push(loop.ms);
      containers = loop.containers;
    }
    return {
      engine,
      containers,
      sourceMs: spreadOf(sources.slice(WARM_UP)),
      plainMs: spreadOf(plain.slice(WARM_UP)),
      sourceBusy: quantile(sourceBusy.slice(WARM_UP), 0.5),
      plainBusy: quantile(plainBusy.slice(WARM_UP), 0.5),
    };
  }

  try {
    const docker: DockerReport[] = [];
    for (const containers of [0, stubContainers]) {
      const stub = await startServer("docker", join(folder.path, `${containers}.sock`), String(containers));
      docker.push(await compare(stub.url, "stub"));
      await stub.close();
    }
    const daemon = await startDockerd();
    try {
      const run = async (from: number, to: number) => {
        for (let i = from; i < to; i += 1)
          await daemon.runAgent(`agent-${String(i).padStart(5, "0")}`, "procps", "sleep 3600");
      };
      await run(0, 5);
      const cycles = [];
      const plain: number[] = [];
      for (let i = 0; i < WARM_UP + runs; i += 1) {
        await state.reset();
        cycles.push(await cycle(daemon.socket));
        const sources = {
          libsqlUrl: servers.libsqlUrl,
          redisUrl: servers.redisUrl,
          redisToken: REST_TOKEN,
          docker: daemon.socket,
        };
        plain.push((await measured.plain(sources)).ms);
      }
      const warm = cycles.slice(WARM_UP);
      const small = {
        cycleMs: spreadOf(warm.map(({ ms }) => ms)),
        plainMs: spreadOf(plain.slice(WARM_UP)),
        steps: Object.fromEntries(
          Object.keys(warm[0]!.steps).map((step) => [step, spreadOf(warm.map((w) => w.steps[step] ?? 0))]),
        ),
      };
      await run(5, realContainers);
      docker.push(await compare(daemon.socket, "dockerd"));
      return { docker, small };
    } finally {
      await daemon.close();
    }
  } finally {
    await measured.close();
    state.close();
    await servers.close();
    await folder.remove();
  }
}
