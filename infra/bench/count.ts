/** Counts what a warm cycle costs, whatever the machine: its requests are passed through proxies that keep them. */
import { bytesOf, commandsOf } from "./billing.ts";
import type { CycleRun } from "./cycle-process.ts";
import type { MeasuredProcess } from "./measured-process.ts";
import type { Env } from "./plain-loop.ts";
import { type Recorded, type Recorder, startRecorder } from "./recorder.ts";
import { type BenchServers, WARM_UP, type Way } from "./servers.ts";
import { type Item, keptBytes } from "./state.ts";

/** Of one cycle. */
export interface Counts {
  readonly sqlRequests: number;
  readonly dynamoRequests: number;
  readonly redisRequests: number;
  /** Redis commands on the wire, and those that Redis ran: those in scripts too. */
  readonly commands: number;
  readonly commandsRun: number;
  /** Sent to Redis, and answered by it. */
  readonly redisBytesOut: number;
  readonly redisBytesIn: number;
  readonly units: CycleRun["units"];
  readonly logBytes: number;
  readonly metrics: number;
  /** What the table holds once such cycles have run for three months. */
  readonly keptBytes: number;
  /** The longest that Redis worked for one command, script or transaction, in each of some cycles. */
  readonly blockedMs: readonly number[];
}

/** A cycle's requests in the order in which they were sent, and the table before it. */
export interface Recording {
  readonly requests: readonly Recorded[];
  readonly table: readonly Item[];
}

/** Runs a cycle after what happens between two cycles has happened. */
export async function runCycleOn(
  servers: BenchServers,
  way: Pick<Way<Env>, "env" | "dynamo">,
  measured: MeasuredProcess,
): Promise<CycleRun> {
  return measured.ask("cycle", { env: way.env, state: way.dynamo, nowMs: servers.nowMs() });
}

/** Counts one cycle after those that warm the process up, and how long Redis is blocked in that and in more. */
export async function countCycle(
  servers: BenchServers,
  way: Way,
  measured: MeasuredProcess,
  runs: number,
): Promise<Counts & Recording> {
  const recorders: Recorder[] = [];
  await servers.reset();
  try {
    for (const target of [way.env.LIBSQL_URL, way.env.UPSTASH_REDIS_REST_URL, way.dynamo.endpoint])
      recorders.push(await startRecorder(target));
    const [sqlite, redis, dynamodb] = recorders as [Recorder, Recorder, Recorder];
    const recorded = {
      ...way,
      env: { ...way.env, LIBSQL_URL: sqlite.url, UPSTASH_REDIS_REST_URL: redis.url },
      dynamo: { ...way.dynamo, endpoint: dynamodb.url },
    };
    const blockedMs: number[] = [];
    let counted: (Counts & Recording) | undefined;
    for (let turn = -WARM_UP; turn < runs; turn += 1) {
      await servers.turn();
      const table = await way.state.save();
      for (const recorder of recorders) recorder.requests.length = 0;
      await servers.resetCounters();
      const { units, logBytes, metrics } = await runCycleOn(servers, recorded, measured);
      const { commandsRun, longestMs } = await servers.readCounters();
      if (turn < 0) continue;
      blockedMs.push(longestMs);
      const requests = recorders.flatMap((recorder) => recorder.requests);
      counted = {
        sqlRequests: sqlite.requests.length,
        dynamoRequests: dynamodb.requests.length,
        redisRequests: redis.requests.length,
        commands: commandsOf(redis.requests),
        commandsRun,
        redisBytesOut: bytesOf(redis.requests, "body"),
        redisBytesIn: bytesOf(redis.requests, "answer"),
        units,
        logBytes,
        metrics,
        keptBytes: keptBytes(table, await way.state.save(), servers.nowMs()),
        blockedMs,
        requests: requests.sort((a, b) => a.startedAtMs - b.startedAtMs),
        table,
      };
    }
    return counted!;
  } finally {
    for (const recorder of recorders) await recorder.close();
  }
}
