/** A canary that watches the simulated platform at work stays green. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalDynamo, startDynamo } from "../../../infra/local/dynamodb.ts";
import { redisRestApp } from "../../../infra/local/redis-rest.ts";
import { serve } from "../../../infra/local/serve.ts";
import { scaledClock } from "../../../infra/platform/clock.ts";
import { type Platform, startPlatform } from "../../../infra/platform/platform.ts";
import { queueCountsApp } from "../../../infra/platform/queue-counts.ts";
import { type Canary, openCanary } from "../../../shared/canary.ts";
import { runCycle } from "../../../shared/cycle/run-cycle.ts";
import { OFF_BY_DEFAULT } from "../../../shared/invariants/index.ts";
import { describeLive, until } from "../../support/live.ts";
import { type PlatformBench, startPlatformBench } from "../../support/platform-bench.ts";
import { idsRunWithout } from "../../support/registry.ts";

const WITHOUT_DOCKER = idsRunWithout("docker");
/** Longer than the checks' grace for a start, so that a leak would show. */
const WATCHED_MS = 6_000;
/** Turns that outlast the checks' grace for a start (61 s here). */
const CHAT_MS = 65_000;

describeLive(["redis-server"], "a canary on the simulated platform, its database a file", () =>
  stories("file"),
);
describeLive(["redis-server", "sqld"], "a canary on the simulated platform, its database on a server", () =>
  stories("sqld"),
);

function stories(engine: "file" | "sqld") {
  let bench: PlatformBench;
  let dynamo: LocalDynamo;
  let platform: Platform;
  let canary: Canary;
  const ends: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    bench = await startPlatformBench(engine);
    const rest = await serve(redisRestApp(bench.server, "token"), 0);
    const accessor = await serve(
      queueCountsApp(() => bench.database, "token"),
      0,
    );
    dynamo = await startDynamo();
    ends.push(rest.close, accessor.close, dynamo.close);
    platform = await startPlatform({ ...bench.options, clock: scaledClock(20) });
    const env = {
      LIBSQL_URL: bench.url,
      // A loaded machine may be slow.
      LIBSQL_LOCK_MS: "10000",
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: "token",
      QUEUE_COUNTS_URL: accessor.url,
      QUEUE_COUNTS_TOKEN: "token",
      CONFIRM_AFTER_MS: "200",
      DOCKER_HOSTS: "none",
      CHECKS_ON: OFF_BY_DEFAULT.join(),
    };
    canary = openCanary(env, { state: dynamo });
  });
  afterAll(async () => {
    await platform?.stop();
    for (const end of ends) await end();
    await bench?.close();
  });

  test("tasks, schedules, chat turns, queues, retries, late answers, cancels, deleted agents: all stay green", async () => {
    const names = Array.from({ length: 8 }, (_, i) => `agent-${i}`);
    const create = (name: string) =>
      platform.agents.create({
        name,
        maxParallelTasks: 2,
        executionTimeoutSeconds: 60,
        schedule: { cron: "*/5 * * * * *" },
        task: { runMs: 6_000 },
      });
    for (const name of names) await create(name);
    await platform.agents.create({
      name: "puller",
      maxParallelTasks: 2,
      executionTimeoutSeconds: 60,
      isPull: true,
      schedule: { cron: "*/3 * * * * *" },
      task: { runMs: 4_000 },
    });
    await platform.alarms.raise("_db-backup");
    let isOver = false;
    const churn = (async () => {
      for (let n = 0; !isOver; n += 1) {
        const agent = names[n % names.length]!;
        const fails = { runMs: 1_000, ends: "failed" as const, retries: 1, retryAfterMs: 1_000 };
        const start = [
          () => platform.submit({ agent, task: { runMs: 2_000 } }),
          () => platform.runSchedule({ agent, task: fails }),
          () => platform.submit({ agent, task: { runMs: 61_000 } }),
          async () => (await platform.chat({ agent, task: { runMs: CHAT_MS } }))?.id ?? null,
        ][n % 4]!;
        const id = await start();
        if (n % 5 === 0 && id) await platform.cancel(id);
        if (n % 41 === 0) {
          await platform.agents.remove(agent);
          await platform.agents.purge(agent);
          await create(agent);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    try {
      for (const endMs = performance.now() + WATCHED_MS; performance.now() < endMs; ) {
        const outcome = await runCycle(canary, { trigger: "test", invariantIds: WITHOUT_DOCKER });
        if (outcome.kind !== "done") throw new Error(outcome.kind);
        const { verdicts, violations, sources_unavailable } = outcome.report;
        expect({ violations, sources_unavailable }).toEqual({ violations: [], sources_unavailable: [] });
        expect(Object.values(verdicts).map(({ status }) => status)).toEqual(
          WITHOUT_DOCKER.map(() => "green"),
        );
      }
      // Green proves something only if every kind of event has happened.
      await until(async () => {
        const did = new Set(
          bench.events.flatMap((event): string[] =>
            event.what === "row" ? [event.status, event.triggeredBy ?? ""] : [event.what],
          ),
        );
        for (const what of [
          "queued",
          "chat",
          "schedule",
          "retry",
          "pending_retry",
          "success",
          "failed",
          "cancelled",
          "session",
          "lease",
          "agent deleted softly",
          "agent removed",
          "drain tick",
        ])
          expect(did).toContain(what);
      });
    } finally {
      isOver = true;
      await churn;
    }
    expect(bench.lines).toEqual([]);
  });
}
