/** Puts a canary together from its configuration: the same for every way in. */

import { type Config, redactor } from "./config.ts";
import type { CycleDeps } from "./cycle/run-cycle.ts";
import type { AbsentSource, ConfiguredSource } from "./snapshot/collect.ts";
import { dockerSource } from "./snapshot/docker.ts";
import type { FactName } from "./snapshot/facts.ts";
import { queueCountsSource } from "./snapshot/queue-counts.ts";
import { redisSource } from "./snapshot/redis.ts";
import { openDatabase } from "./snapshot/sqlite/database.ts";
import { sqliteSource } from "./snapshot/sqlite/sqlite.ts";
import type { Store } from "./state/store.ts";

/** The process list of one container has to come within this part of the source's deadline. */
const EXEC_SHARE = 0.5;

const absent = (name: string, gives: readonly FactName[], setting: AbsentSource["absent"]): AbsentSource => ({
  name,
  gives,
  absent: setting,
});

function sqlSources({ sqlite, queueCounts }: Config): ConfiguredSource[] {
  const overHttp = typeof queueCounts === "object";
  if (typeof sqlite === "string")
    return [
      absent("sqlite", ["roster", "executions", "sessions", "ended", "orphans", "queueCounts"], sqlite),
    ];
  const database = openDatabase(sqlite.url, sqlite.authToken);
  const source = sqliteSource(database, { accessor: queueCounts === "sql" ? "sql" : "http" });
  if (overHttp) return [source, queueCountsSource(queueCounts.url, queueCounts.token, database)];
  return queueCounts === "off" ? [source, absent("queue_counts", ["queueCounts"], "off")] : [source];
}

/**
 * @param config where the sources are, and how they are read
 * @param store where the state is
 * @returns what `runCycle` needs
 */
export function createCanary(config: Config, store: Store): CycleDeps {
  const { redis, docker, sourceDeadlineMs, dwellSeconds } = config;
  const sources: ConfiguredSource[] = [
    ...sqlSources(config),
    typeof redis === "string" ? absent("redis", ["slots", "drainTick"], redis) : redisSource(redis),
    typeof docker === "string"
      ? absent("docker", ["zombies"], docker)
      : dockerSource({
          ...docker,
          execDeadlineMs: Math.floor(sourceDeadlineMs * EXEC_SHARE),
          deadlineMs: sourceDeadlineMs,
          withStart: dwellSeconds > 0,
        }),
  ];
  return {
    sources,
    store,
    settings: { sourceDeadlineMs, confirmAfterMs: config.confirmAfterMs, dwellSeconds },
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    redact: redactor(config.secrets),
  };
}
