/** Measures the cycle over one fleet: against the floor of its own requests, and against the plain loop. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../../test/support/live.ts";
import { bundleFunction } from "../aws/bundle.ts";
import { openDatabaseFile } from "../platform/file-client.ts";
import type { CycleRun } from "./cycle-process.ts";
import { ENDED_ROWS, type FleetShape, fillDatabase, RUNNING_PER_AGENT } from "./fleet.ts";
import { type MeasuredProcess, startMeasuredProcess } from "./measured-process.ts";
import { type ProfilePart, readProfile } from "./profile.ts";
import { bodyOf, commandsOf, type Recorded, type Recorder, rowsReadOf, startRecorder } from "./recorder.ts";
import { type BenchServers, REST_TOKEN, startServers } from "./servers.ts";
import { benchState } from "./state.ts";
import { type Spread, spreadOf } from "./statistics.ts";

export interface FleetOptions {
  readonly runs: number;
  /** How often the plain loop is run; it takes seconds for a thousand agents. */
  readonly plainRuns: number;
  /** Whether to measure over a database file as well. */
  readonly file: boolean;
  /** Where `bundleFunction` put the process that is measured. */
  readonly bundle: string;
  /** Whether to say where the cycle's own time goes. */
  readonly profile: boolean;
}

interface Traffic {
  readonly requests: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

export interface FleetReport extends FleetShape {
  readonly cycleMs: Spread;
  readonly cpuMs: Spread;
  /** The first cycle of its process, with everything still to be compiled and connected. */
  readonly firstCycleMs: number;
  readonly steps: Readonly<Record<string, Spread>>;
  readonly floorMs: Spread;
  readonly plainMs: Spread | null;
  readonly plainRequests: number | null;
  /** Of a process that runs nothing but cycles, in MB: left to itself on this machine, and told to do with 256 MB. */
  readonly peakMb: number;
  readonly peakLimitedMb: number;
  readonly fileCycleMs: Spread | null;
  readonly traffic: Readonly<Record<"sqlite" | "redis" | "dynamodb", Traffic>>;
  readonly redisCommands: number;
  readonly slots: number;
  readonly slotHolders: number;
  readonly rowsRead: number;
  readonly rows: { readonly live: number; readonly newlyEnded: number; readonly small: number };
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly profile: readonly ProfilePart[];
}

const WARM_UP = 3;
/** What V8 is told where there are 256 MB: without a limit it lets garbage lie for as long as the machine has room. */
export const LIMITS = ["--max-semi-space-size=8", "--max-old-space-size=154"];
const trafficOf = (requests: readonly Recorded[]): Traffic => ({
  requests: requests.length,
  bytesOut: requests.reduce((sum, request) => sum + bodyOf(request).length, 0),
  bytesIn: requests.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
});

const stepsOf = (runs: readonly CycleRun[]): Record<string, Spread> =>
  Object.fromEntries(
    Object.keys(runs[0]?.steps ?? {}).map((step) => [
      step,
      spreadOf(runs.map(({ steps }) => steps[step] ?? 0)),
    ]),
  );

function assertGreen({ report }: CycleRun): void {
  const bad = Object.entries(report.verdicts).filter(([, { status }]) => status !== "green");
  if (bad.length > 0) throw new Error(`not green, so not the path to measure: ${JSON.stringify(bad)}`);
}

/**
 * Starts the servers of each fleet, measures them by turns, so that what else the machine does falls on all, and ends them.
 * @returns a report for each, in their order
 */
export async function measureFleets(
  fleets: readonly { readonly shape: FleetShape; readonly options: FleetOptions }[],
): Promise<FleetReport[]> {
  const opened: { close(): Promise<void> }[] = [];
  try {
    const prepared: PreparedFleet[] = [];
    for (const { shape, options } of fleets) {
      const nowMs = Date.now();
      const servers = await startServers(shape, nowMs);
      const folder = await temporaryFolder();
      opened.unshift(servers, { close: folder.remove });
      const fleet = await prepareFleet(servers, shape, options, nowMs, folder.path);
      opened.unshift(fleet);
      prepared.push(fleet);
    }
    const turns = WARM_UP + Math.max(...fleets.map(({ options }) => options.runs));
    for (let i = 0; i < turns; i += 1) for (const fleet of prepared) await fleet.turn();
    const reports: FleetReport[] = [];
    for (const fleet of prepared) reports.push(await fleet.finish());
    return reports;
  } finally {
    for (const part of opened) await part.close();
  }
}

interface PreparedFleet {
  /** One cycle, and the floor of its requests. */
  turn(): Promise<void>;
  /** Measures what needs no turns. */
  finish(): Promise<FleetReport>;
  close(): Promise<void>;
}

async function prepareFleet(
  servers: BenchServers,
  shape: FleetShape,
  { runs, plainRuns, file, bundle, profile }: FleetOptions,
  nowMs: number,
  folder: string,
): Promise<PreparedFleet> {
  const { dynamo } = servers;
  const state = benchState(dynamo, shape, nowMs);
  const env = {
    LIBSQL_URL: servers.libsqlUrl,
    UPSTASH_REDIS_REST_URL: servers.redisUrl,
    UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
    DOCKER_HOSTS: "none",
    SOURCE_DEADLINE_MS: "60000",
    CONFIRM_AFTER_MS: "0",
  };
  const cycleIn = async (process: MeasuredProcess, more = {}, counted = false) => {
    await state.reset();
    const run = await process.cycle({
      env: { ...env, ...more },
      dynamo: dynamo.endpoint,
      table: dynamo.table,
      nowMs,
      counted,
    });
    assertGreen(run);
    return run;
  };

  let peakLimitedMb = 0;
  const limited = startMeasuredProcess(bundle, LIMITS);
  try {
    for (let i = 0; i <= runs; i += 1) peakLimitedMb = (await cycleIn(limited)).peakMb;
  } finally {
    await limited.close();
  }
  // This process, too, does nothing but cycles.
  const alone = startMeasuredProcess(bundle);
  let first: CycleRun;
  let peakMb: number;
  let fileRuns: CycleRun[] = [];
  try {
    first = await cycleIn(alone);
    let last = first;
    for (let i = 0; i < runs; i += 1) last = await cycleIn(alone);
    peakMb = last.peakMb;
    if (file) {
      const url = `file:${join(folder, "trinity.db")}`;
      const database = openDatabaseFile(url);
      await database.execute("PRAGMA journal_mode = WAL");
      await fillDatabase(database, shape, nowMs);
      database.close();
      for (let i = 0; i < WARM_UP + runs; i += 1) fileRuns.push(await cycleIn(alone, { LIBSQL_URL: url }));
      fileRuns = fileRuns.slice(WARM_UP);
    }
  } finally {
    await alone.close();
  }

  const parts = profile ? await profileCycles(folder, cycleIn) : [];

  const measured = startMeasuredProcess(bundle);
  const recorders: Recorder[] = [];
  const close = async () => {
    await measured.close();
    for (const recorder of recorders) await recorder.close();
    state.close();
  };
  try {
    const [sqlite, redis, dynamodb] = [
      await startRecorder(servers.libsqlUrl),
      await startRecorder(servers.redisUrl),
      await startRecorder(dynamo.endpoint),
    ];
    recorders.push(sqlite, redis, dynamodb);
    const recorded = { LIBSQL_URL: sqlite.url, UPSTASH_REDIS_REST_URL: redis.url };
    const record = async () => {
      await state.reset();
      for (const recorder of recorders) recorder.requests.length = 0;
      const ask = { env: { ...env, ...recorded }, dynamo: dynamodb.url, table: dynamo.table, nowMs };
      assertGreen(await measured.cycle(ask));
    };
    // The second is that of a warm process: the tables are known by then.
    for (let i = 0; i < WARM_UP; i += 1) await record();
    const requests = recorders.flatMap((recorder) => recorder.requests);
    const path = join(folder, "requests.json");
    await writeFile(path, JSON.stringify(requests.sort((a, b) => a.startedAtMs - b.startedAtMs)));

    const cycles: CycleRun[] = [];
    const floors: number[] = [];
    const turn = async () => {
      cycles.push(await cycleIn(measured));
      await state.reset();
      floors.push((await measured.floor(path)).ms);
    };
    const finish = async (): Promise<FleetReport> => {
      const plain: { ms: number; requests: number }[] = [];
      const sources = {
        libsqlUrl: servers.libsqlUrl,
        redisUrl: servers.redisUrl,
        redisToken: REST_TOKEN,
        docker: null,
      };
      for (let i = 0; i < plainRuns; i += 1) plain.push(await measured.plain(sources));

      const { units } = await cycleIn(measured, {}, true);
      const confirms = await measureConfirm(servers, runs, () =>
        state
          .reset()
          .then(() => measured.cycle({ env, dynamo: dynamo.endpoint, table: dynamo.table, nowMs })),
      );
      const warm = cycles.slice(WARM_UP);
      const small = await servers.database.execute(
        "SELECT (SELECT COUNT(*) FROM agent_ownership) + (SELECT COUNT(*) FROM agent_schedules) + (SELECT COUNT(*) FROM agent_tags)",
      );
      return {
        ...shape,
        cycleMs: spreadOf(warm.map(({ ms }) => ms)),
        cpuMs: spreadOf(warm.map(({ cpuMs }) => cpuMs)),
        firstCycleMs: first.ms,
        steps: { ...stepsOf(warm), confirm: spreadOf(confirms) },
        floorMs: spreadOf(floors.slice(WARM_UP)),
        plainMs: plain.length > 0 ? spreadOf(plain.map(({ ms }) => ms)) : null,
        plainRequests: plain[0]?.requests ?? null,
        peakMb,
        peakLimitedMb,
        fileCycleMs: fileRuns.length > 0 ? spreadOf(fileRuns.map(({ ms }) => ms)) : null,
        traffic: {
          sqlite: trafficOf(sqlite.requests),
          redis: trafficOf(redis.requests),
          dynamodb: trafficOf(dynamodb.requests),
        },
        redisCommands: commandsOf(redis.requests),
        slots: shape.agents * RUNNING_PER_AGENT,
        slotHolders: shape.agents,
        rowsRead: rowsReadOf(sqlite.requests),
        rows: {
          live: shape.agents * (RUNNING_PER_AGENT + 1),
          newlyEnded: Math.floor(ENDED_ROWS / 6),
          small: Number(small.rows[0]![0]),
        },
        writeUnits: units.write,
        readUnits: units.read,
        profile: parts,
      };
    };
    return { turn, finish, close };
  } catch (error) {
    await close();
    throw error;
  }
}

const PROFILED = 20;

/** Runs cycles under V8's sampler, from a bundle in which a line says whose it is. */
async function profileCycles(
  folder: string,
  cycleIn: (process: MeasuredProcess) => Promise<CycleRun>,
): Promise<ProfilePart[]> {
  const bundle = join(folder, "readable");
  const profiles = join(folder, "profiles");
  await bundleFunction("infra/bench/cycle-process.ts", bundle, { minify: false });
  const process = startMeasuredProcess(bundle, ["--cpu-prof", `--cpu-prof-dir=${profiles}`]);
  const from = performance.now();
  let warmMs = 0;
  try {
    for (let i = 0; i < WARM_UP + PROFILED; i += 1) {
      if (i === WARM_UP) warmMs = performance.now() - from;
      await cycleIn(process);
    }
  } finally {
    await process.close();
  }
  return readProfile(profiles, bundle, warmMs, PROFILED);
}

/** A green cycle has nothing to confirm: a running row without a slot makes S-01 read again. */
async function measureConfirm(
  { database }: BenchServers,
  runs: number,
  cycle: () => Promise<CycleRun>,
): Promise<number[]> {
  await database.execute(
    `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by, claude_session_id)
SELECT 'without-a-slot', schedule_id, agent_name, status, started_at, message, triggered_by, claude_session_id
FROM schedule_executions WHERE status = 'running' LIMIT 1`,
  );
  try {
    const times: number[] = [];
    for (let i = 0; i < runs; i += 1) {
      const { steps, report } = await cycle();
      if (report.verdicts["S-01"]?.status !== "red") throw new Error("the row without a slot was not found");
      times.push(steps.confirm ?? Number.NaN);
    }
    return times;
  } finally {
    await database.execute("DELETE FROM schedule_executions WHERE id = 'without-a-slot'");
  }
}
