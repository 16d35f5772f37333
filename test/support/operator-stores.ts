/** A platform's stores as an operator has them, and the shell in which an alert's commands are pasted. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Redis } from "@upstash/redis";
import { expect } from "vitest";
import { FAULTS } from "../../infra/faults/index.ts";
import { NO_JOURNAL, type Target } from "../../infra/faults/target.ts";
import { startDynamo } from "../../infra/local/dynamodb.ts";
import { startPostgres } from "../../infra/local/postgres.ts";
import { startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { openPlatformDatabase, platformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import type { Backend } from "../../shared/invariants/commands.ts";
import { findInvariant, OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { freePort, temporaryFolder } from "./live.ts";

const REST_TOKEN = "rest-token-of-the-test";

/** The database of the platform: where the platform, the canary and the operator find it. */
async function startDatabase(backend: Backend) {
  if (backend === "postgres") {
    const server = await startPostgres({ engine: "postgres" });
    const { url, readerUrl } = server;
    return { url, place: url, env: { DATABASE_URL: readerUrl }, close: () => server.close() };
  }
  const folder = await temporaryFolder();
  const file = join(folder.path, "trinity.db");
  const url = `file:${file}`;
  return { url, place: file, env: { LIBSQL_URL: url }, close: () => folder.remove() };
}

/** Starts a database and a Redis with a port, and a canary that reads them. */
export async function startOperatorStores(backend: Backend) {
  const { url, place, ...own } = await startDatabase(backend);
  const database = await openPlatformDatabase(url);
  await createSchema(database);
  const redis = await startRedis();
  const port = await freePort();
  await redis.client.config("SET", "port", String(port));
  const rest = await serve(redisRestApp(redis, REST_TOKEN), 0);
  const dynamo = await startDynamo();
  const target: Target = {
    database: platformDatabase(database, NO_JOURNAL),
    redis: new Redis({
      url: rest.url,
      token: REST_TOKEN,
      automaticDeserialization: false,
      enableTelemetry: false,
    }),
    docker: { absent: "no Docker here" },
    controls: { absent: "no controls here" },
    journal: NO_JOURNAL,
  };
  const env = {
    ...own.env,
    UPSTASH_REDIS_REST_URL: rest.url,
    UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
    DOCKER_HOSTS: "none",
    CONFIRM_AFTER_MS: "20",
    SOURCE_DEADLINE_MS: "60000",
    CHECKS_ON: OFF_BY_DEFAULT.join(","),
  };
  const canary = openCanary(env, { state: { endpoint: dynamo.endpoint, table: dynamo.table } });
  const variables = { TRINITY_REDIS_URL: `redis://127.0.0.1:${port}`, TRINITY_DATABASE: place };
  return {
    target,
    redis: redis.client,
    database,
    /** Runs the lines for the database and Redis as an operator would. Gives what they print. */
    pasted(lines: readonly string[], other: Readonly<Record<string, string>> = {}): string {
      const script = lines.filter((line) => /^(#|redis-cli|sqlite3|psql) ?/.test(line)).join("\n");
      const { status, stdout, stderr } = spawnSync("/bin/sh", ["-e"], {
        input: script,
        env: { PATH: process.env.PATH, ...variables, ...other },
        encoding: "utf8",
        timeout: 300_000,
      });
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).not.toMatch(/^(\(error\)|ERR|WRONGTYPE)/m);
      return stdout;
    },
    async cycle(...invariantIds: string[]) {
      const outcome = await runCycle(canary, { invariantIds, trigger: "test" });
      if (outcome.kind === "busy") throw new Error("another cycle is in progress");
      return outcome.report;
    },
    async close() {
      database.close();
      for (const part of [rest, redis, dynamo]) await part.close();
      await own.close();
    },
  };
}

/** The faults that commands of the database and Redis undo. Of the others, the runbook says why there is no such command. */
export const MENDED = FAULTS.filter(({ invariantId }) => {
  const { fix, example } = findInvariant(invariantId)!;
  const commands = fix(example);
  return (
    commands.every(({ on }) => on === "redis" || on === "sql" || on === "nothing") &&
    commands.some(({ on }) => on !== "nothing")
  );
});

/** A command that is a comment until an operator takes away the mark. */
export const CHOICE = /^# (redis-cli |sqlite3 |psql )/;
