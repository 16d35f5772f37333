/** Puts a canary together from its configuration: the same for every way in. */

import { SNSClient } from "@aws-sdk/client-sns";
import { type Senders, slackSender, snsSender } from "./alerts/channels/channels.ts";
import { type Config, redactor } from "./config/config.ts";
import type { AlertSettings, CycleOutcome, CycleSettings, CycleStep } from "./cycle/outcome.ts";
import type { FactName } from "./facts/facts.ts";
import { recollectionsOf } from "./recall/index.ts";
import type { Recollection } from "./recall/recollection.ts";
import type { AbsentSource, ConfiguredSource } from "./sources/collect.ts";
import { dockerSource } from "./sources/docker/docker.ts";
import { queueCountsSource } from "./sources/queue-counts/queue-counts.ts";
import { redisSource } from "./sources/redis/redis.ts";
import { openDatabase } from "./sources/sqlite/database.ts";
import { sqliteSource } from "./sources/sqlite/sqlite.ts";
import type { Store } from "./store/store.ts";

/** Everything that a cycle, a route or a page needs: made by `createCanary`, and by tests. */
export interface Canary {
  readonly sources: readonly ConfiguredSource[];
  readonly recollections: readonly Recollection[];
  readonly store: Store;
  readonly settings: CycleSettings;
  readonly alerts: AlertSettings;
  /** Unix ms. */
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Takes secrets out of a line. */
  readonly redact: (line: string) => string;
  /** Called at the end of every cycle, for logs and metrics. */
  readonly observe?: (outcome: CycleOutcome, trigger: string) => void;
  /** Called with the duration of each part of a cycle. */
  readonly onStep?: (step: CycleStep, ms: number) => void;
}

/** The process list of one container has to come within this part of the source's deadline. */
const EXEC_SHARE = 0.5;

const absent = (name: string, gives: readonly FactName[], setting: AbsentSource["absent"]): AbsentSource => ({
  name,
  gives,
  absent: setting,
});

function sqlSources({ sqlite, queueCounts }: Config): ConfiguredSource[] {
  const sqlFacts: FactName[] = ["roster", "executions", "sessions", "ended", "orphans"];
  const noAccessor = queueCounts === "off" ? [absent("queue_counts", ["queueCounts"], "off")] : [];
  if (typeof sqlite === "string") {
    // An accessor over HTTP is compared with SQL: without that it tells nothing either.
    const gives: FactName[] = queueCounts === "off" ? sqlFacts : [...sqlFacts, "queueCounts"];
    return [absent("sqlite", gives, sqlite), ...noAccessor];
  }
  const database = openDatabase(sqlite.url, sqlite.authToken);
  const source = sqliteSource(database, { accessor: queueCounts === "sql" ? "sql" : "http" });
  if (typeof queueCounts === "object")
    return [source, queueCountsSource(queueCounts.url, queueCounts.token, database)];
  return [source, ...noAccessor];
}

function alertSettings({ alerts }: Config): AlertSettings {
  const { slackWebhookUrl, topicArn, policy, environment, statusUrl } = alerts;
  const senders: Senders = {
    ...(slackWebhookUrl && { slack: slackSender(slackWebhookUrl, Date.now) }),
    // The topic's own region, which need not be ours.
    ...(topicArn && {
      sns: snsSender(new SNSClient({ region: topicArn.split(":")[3]!, maxAttempts: 2 }), topicArn),
    }),
  };
  return { senders, policy, environment, statusUrl };
}

/**
 * @param config where the sources are, and how they are read
 * @param store where the state is
 * @returns what `runCycle` needs
 */
export function createCanary(config: Config, store: Store): Canary {
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
    recollections: recollectionsOf({ dwellSeconds }),
    store,
    alerts: alertSettings(config),
    settings: { sourceDeadlineMs, confirmAfterMs: config.confirmAfterMs },
    now: Date.now,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    redact: redactor(config.secrets),
  };
}
