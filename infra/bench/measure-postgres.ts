/**
 * What a warm cycle costs that reads PostgreSQL, and the read alone: beside the same rows in sqld, and with a hundred times the
 * history. All in one run, in turns, so that what else the machine does touches all alike.
 */
import { parseAddress } from "../../shared/sources/postgres/address.ts";
import { openPostgres } from "../../shared/sources/postgres/database.ts";
import type { ReadContext } from "../../shared/sources/source.ts";
import type { Database } from "../../shared/sources/sql/database.ts";
import { SQL_FACTS, sqlReader } from "../../shared/sources/sql/reader.ts";
import { openDatabase } from "../../shared/sources/sqlite/database.ts";
import { postgresFolder, startPostgres } from "../local/postgres.ts";
import { runCycleOn } from "./count.ts";
import { startMeasuredProcess } from "./measured-process.ts";
import { startServers, WARM_UP } from "./servers.ts";

/** Ms of each turn. */
export interface InTurns {
  readonly sqld: readonly number[];
  readonly postgres: readonly number[];
  /** With a hundred times the history. */
  readonly manyRows: readonly number[];
}

export interface PostgresReport {
  readonly agents: number;
  readonly cycles: InTurns;
  /** Reads of all facts, without the rest of the cycle. */
  readonly reads: InTurns;
}

export interface PostgresPlan {
  readonly agents: number;
  readonly oldRows: number;
  readonly manyRows: number;
}

const PATIENCE = { statementMs: 60_000, lockMs: 1_000 };
const NAMES = ["sqld", "postgres", "manyRows"] as const;

/** Does each work in turns. The first turns don't count. */
async function inTurns(
  runs: number,
  work: Readonly<Record<keyof InTurns, () => Promise<number>>>,
  before: () => Promise<void>,
): Promise<InTurns> {
  const times = { sqld: [] as number[], postgres: [] as number[], manyRows: [] as number[] };
  for (let turn = -WARM_UP; turn < runs; turn += 1) {
    await before();
    for (const name of NAMES) {
      const ms = await work[name]();
      if (turn >= 0) times[name].push(ms);
    }
  }
  return times;
}

/** @returns what reads all facts of a warm cycle, and gives the ms that it took */
function readOf(database: Database, nowMs: () => number): () => Promise<number> {
  const read = sqlReader(database.sql.backend, database);
  return async () => {
    const context: ReadContext = {
      signal: new AbortController().signal,
      now: nowMs,
      wanted: new Set(SQL_FACTS),
      since: { ended: { readAtMs: nowMs() - 300_000 } },
    };
    const from = performance.now();
    const { unavailable } = await read(context);
    if (unavailable.length > 0) throw new Error(unavailable.join("\n"));
    return performance.now() - from;
  };
}

/**
 * Measures warm cycles and reads in turns. Each canary has its own process and its own table; all have the same Redis.
 * @param bundle where `bundleFunction` put the measured process
 * @returns null where no PostgreSQL is installed
 */
export async function measurePostgres(
  { agents, oldRows, manyRows }: PostgresPlan,
  bundle: string,
  runs: number,
): Promise<PostgresReport | null> {
  if (postgresFolder() === null) return null;
  const server = await startPostgres({ engine: "postgres" });
  const closers: (() => Promise<void>)[] = [server.close];
  try {
    const servers = await startServers({ agents, oldRows });
    closers.push(servers.close);
    const many = await server.addDatabase("many");
    const ways = [
      servers.scripts,
      await servers.addPostgres(server.url, server.readerUrl, oldRows),
      await servers.addPostgres(many.url, many.readerUrl, manyRows),
    ];
    const cycles = ways.map((way) => {
      const measured = startMeasuredProcess(bundle);
      closers.push(measured.close);
      return async () => (await runCycleOn(servers, way, measured)).ms;
    });
    const open = (url: string) => openPostgres(parseAddress(url, null, null), PATIENCE);
    const reads = [
      openDatabase(servers.scripts.env.LIBSQL_URL),
      open(server.readerUrl),
      open(many.readerUrl),
    ].map((database) => readOf(database, servers.nowMs));
    const named = (work: readonly (() => Promise<number>)[]) => ({
      sqld: work[0]!,
      postgres: work[1]!,
      manyRows: work[2]!,
    });
    return {
      agents,
      cycles: await inTurns(runs, named(cycles), servers.turn),
      reads: await inTurns(runs, named(reads), servers.turn),
    };
  } finally {
    for (const close of closers.reverse()) await close();
  }
}
