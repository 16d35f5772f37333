/** Measures the cycle over fleets: against the floor of its own requests, and against the plain loop. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../local/temporary-folder.ts";
import type { CycleRun } from "./cycle-process.ts";
import { type FleetShape, NEWLY_ENDED, RUNNING_PER_AGENT, SMALL_TABLES } from "./fleet.ts";
import { assertGreen, type MeasuredProcess, startMeasuredProcess } from "./measured-process.ts";
import { commandsOf, type Recorder, rowsReadOf, startRecorder } from "./recorder.ts";
import { type BenchServers, startServers, WARM_UP } from "./servers.ts";
import { type Spread, spreadOf, spreadsOf } from "./statistics.ts";

export interface FleetOptions {
  readonly runs: number;
  /** How often the plain loop is run; it takes seconds for a thousand agents. */
  readonly plainRuns: number;
  /** Where `bundleFunction` put the process that is measured. */
  readonly bundle: string;
}

/** What the requests of one cycle come to. */
interface Traffic {
  readonly requests: Readonly<Record<"sqlite" | "redis" | "dynamodb", number>>;
  readonly redisCommands: number;
  readonly rowsRead: number;
}

export interface FleetReport extends FleetShape, Traffic {
  readonly cycleMs: Spread;
  readonly cpuMs: Spread;
  readonly steps: Readonly<Record<string, Spread>>;
  readonly floorMs: Spread;
  readonly plainMs: Spread | null;
  /** Of a process that runs nothing but cycles, within LIMITS. */
  readonly peakMb: number;
  readonly slots: number;
  /** Rows that a cycle has to know: live ones, newly ended ones, and those of the small tables. */
  readonly rowsOfInterest: number;
  readonly writeUnits: number;
}

/** What V8 is told where there are 256 MB: without a limit it keeps garbage for as long as the machine has room. */
const LIMITS = ["--max-semi-space-size=8", "--max-old-space-size=154"];

/** Runs a cycle on a table that is as it was before the cycles. */
async function cycleIn(
  { env, dynamo, state, nowMs }: BenchServers,
  measured: MeasuredProcess,
  through: { readonly env?: Readonly<Record<string, string>>; readonly dynamo?: string } = {},
): Promise<CycleRun> {
  await state.reset();
  const run = await measured.cycle({
    env: { ...env, ...through.env },
    dynamo: through.dynamo ?? dynamo.endpoint,
    table: dynamo.table,
    nowMs,
  });
  assertGreen(run);
  return run;
}

async function peakOf(servers: BenchServers, { bundle, runs }: FleetOptions): Promise<number> {
  const limited = startMeasuredProcess(bundle, LIMITS);
  try {
    let peakMb = 0;
    for (let i = 0; i <= runs; i += 1) peakMb = (await cycleIn(servers, limited)).peakMb;
    return peakMb;
  } finally {
    await limited.close();
  }
}

/** Records the requests of a cycle in a warm process, by when they were sent, into a file. */
async function recordTraffic(
  servers: BenchServers,
  measured: MeasuredProcess,
  file: string,
): Promise<Traffic> {
  const recorders: Recorder[] = [];
  try {
    for (const target of [servers.libsqlUrl, servers.redisUrl, servers.dynamo.endpoint])
      recorders.push(await startRecorder(target));
    const [sqlite, redis, dynamodb] = recorders as [Recorder, Recorder, Recorder];
    const through = {
      env: { LIBSQL_URL: sqlite.url, UPSTASH_REDIS_REST_URL: redis.url },
      dynamo: dynamodb.url,
    };
    for (let i = 0; i < WARM_UP; i += 1) {
      for (const recorder of recorders) recorder.requests.length = 0;
      await cycleIn(servers, measured, through);
    }
    const requests = recorders.flatMap((recorder) => recorder.requests);
    await writeFile(file, JSON.stringify(requests.sort((a, b) => a.startedAtMs - b.startedAtMs)));
    return {
      requests: {
        sqlite: sqlite.requests.length,
        redis: redis.requests.length,
        dynamodb: dynamodb.requests.length,
      },
      redisCommands: commandsOf(redis.requests),
      rowsRead: rowsReadOf(sqlite.requests),
    };
  } finally {
    for (const recorder of recorders) await recorder.close();
  }
}

interface OpenFleet {
  /** Runs one cycle, and the floor of its requests. */
  turn(): Promise<void>;
  /** Measures what needs no turns. */
  finish(): Promise<FleetReport>;
  close(): Promise<void>;
}

async function openFleet(shape: FleetShape, options: FleetOptions): Promise<OpenFleet> {
  const { bundle, plainRuns } = options;
  const [servers, folder] = [await startServers(shape), await temporaryFolder()];
  const measured = startMeasuredProcess(bundle);
  const close = async () => {
    await measured.close();
    await servers.close();
    await folder.remove();
  };
  try {
    const file = join(folder.path, "requests.json");
    const peakMb = await peakOf(servers, options);
    const traffic = await recordTraffic(servers, measured, file);
    const cycles: CycleRun[] = [];
    const floors: number[] = [];
    return {
      async turn() {
        cycles.push(await cycleIn(servers, measured));
        await servers.state.reset();
        floors.push(await measured.floor(file));
      },
      async finish() {
        const plain: number[] = [];
        for (let i = 0; i < plainRuns; i += 1) plain.push(await measured.plain(servers.plainSources(null)));
        const warm = cycles.slice(WARM_UP);
        const slots = shape.agents * RUNNING_PER_AGENT;
        return {
          ...shape,
          ...traffic,
          cycleMs: spreadOf(warm.map(({ ms }) => ms)),
          cpuMs: spreadOf(warm.map(({ cpuMs }) => cpuMs)),
          steps: spreadsOf(warm.map(({ steps }) => steps)),
          floorMs: spreadOf(floors.slice(WARM_UP)),
          plainMs: plain.length > 0 ? spreadOf(plain) : null,
          peakMb,
          slots,
          rowsOfInterest: slots + shape.agents * (1 + SMALL_TABLES.length) + NEWLY_ENDED,
          writeUnits: warm.at(-1)!.units.write,
        };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Measures each fleet on servers of its own, by turns, so that what else the machine does falls on all.
 * @returns a report for each, in their order
 */
export async function measureFleets(
  fleets: readonly { readonly shape: FleetShape; readonly options: FleetOptions }[],
): Promise<FleetReport[]> {
  const opened: OpenFleet[] = [];
  try {
    for (const { shape, options } of fleets) opened.push(await openFleet(shape, options));
    const turns = WARM_UP + Math.max(...fleets.map(({ options }) => options.runs));
    for (let i = 0; i < turns; i += 1) for (const fleet of opened) await fleet.turn();
    const reports: FleetReport[] = [];
    for (const fleet of opened) reports.push(await fleet.finish());
    return reports;
  } finally {
    for (const fleet of opened) await fleet.close();
  }
}
