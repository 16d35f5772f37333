/** An empty database and a real Redis for tests of the simulated platform, with its journal and its log. */
import { join } from "node:path";
import type { Redis } from "ioredis";
import type { LocalPostgres } from "../../infra/local/postgres.ts";
import { type LocalRedis, startRedis } from "../../infra/local/redis.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import type { SqlClient } from "../../infra/platform/file-client.ts";
import type { JournalEvent } from "../../infra/platform/journal.ts";
import type { Release } from "../../infra/platform/releases.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { startSqld, temporaryFolder } from "./live.ts";

export interface PlatformBench {
  readonly url: string;
  readonly database: SqlClient;
  readonly server: LocalRedis;
  readonly redis: Redis;
  readonly events: JournalEvent[];
  readonly lines: string[];
  /** The options of a platform on them. */
  readonly options: {
    database: SqlClient;
    redis: Redis;
    release: Release;
    journal: { record(event: JournalEvent): void };
    log: (line: string) => void;
  };
  /** Called with each event as it is recorded. */
  onEvent: (event: JournalEvent) => void;
  /** The members of the agent's slots, sorted. */
  slots(agent: string): Promise<string[]>;
  /** The agent's rows as `id: status`, sorted by id. */
  rows(agent: string): Promise<Record<string, string>>;
  close(): Promise<void>;
}

/** A new database file, which `close` removes. */
async function databaseFile(): Promise<{ url: string; close(): Promise<void> }> {
  const folder = await temporaryFolder();
  return { url: `file:${join(folder.path, "trinity.db")}`, close: folder.remove };
}

let databases = 0;
/** A new database of the server, which stays there. */
async function databaseOf(server: LocalPostgres): Promise<{ url: string; close(): Promise<void> }> {
  databases += 1;
  return { ...(await server.addDatabase(`bench_${databases}`)), async close() {} };
}

/** @param engine the database is a file, or on a libsql server, or on that PostgreSQL server */
export async function startPlatformBench(
  engine: "file" | "sqld" | LocalPostgres = "file",
  release: Release = "today",
): Promise<PlatformBench> {
  const open = { file: databaseFile, sqld: startSqld };
  const { url, close } = await (typeof engine === "string" ? open[engine]() : databaseOf(engine));
  const database = await openPlatformDatabase(url);
  await createSchema(database, release);
  const server = await startRedis();
  const events: JournalEvent[] = [];
  const lines: string[] = [];
  const bench: PlatformBench = {
    url,
    database,
    server,
    redis: server.client,
    events,
    lines,
    onEvent() {},
    options: {
      database,
      redis: server.client,
      release,
      journal: {
        record(event) {
          events.push(event);
          bench.onEvent(event);
        },
      },
      log: (line) => lines.push(line),
    },
    slots: async (agent) => (await server.client.zrange(`agent:slots:${agent}`, 0, -1)).sort(),
    async rows(agent) {
      const { rows } = await database.execute({
        sql: "SELECT id, status FROM schedule_executions WHERE agent_name = ? ORDER BY id",
        args: [agent],
      });
      return Object.fromEntries(rows.map(({ id, status }) => [String(id), String(status)]));
    },
    async close() {
      database.close();
      await server.close();
      await close();
    },
  };
  return bench;
}
