/** What an operator copies from an alert ends it: a shell runs it against real stores, and the next cycle is green. */
import { execFile, spawnSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "@upstash/redis";
import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { FAULTS } from "../../infra/faults/index.ts";
import { NO_JOURNAL, type Target } from "../../infra/faults/target.ts";
import { type TestAgent, testAgent } from "../../infra/faults/test-agent.ts";
import { startDynamo } from "../../infra/local/dynamodb.ts";
import { startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { openPlatformDatabase, platformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { openCanary } from "../../shared/canary.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { guidanceOf } from "../../shared/invariants/guidance.ts";
import { findInvariant, INVARIANTS, OFF_BY_DEFAULT } from "../../shared/invariants/index.ts";
import { describeLive, freePort, temporaryFolder } from "../support/live.ts";

const LIMITS = { maxParallelTasks: 2, executionTimeoutSeconds: 60 };
const REST_TOKEN = "rest-token-of-the-test";

/** The platform's stores as an operator has them: a file, and a Redis with a port. */
async function startStores() {
  const folder = await temporaryFolder();
  const file = join(folder.path, "trinity.db");
  const database = await openPlatformDatabase(`file:${file}`);
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
    LIBSQL_URL: `file:${file}`,
    UPSTASH_REDIS_REST_URL: rest.url,
    UPSTASH_REDIS_REST_TOKEN: REST_TOKEN,
    DOCKER_HOSTS: "none",
    CONFIRM_AFTER_MS: "20",
    SOURCE_DEADLINE_MS: "60000",
    CHECKS_ON: OFF_BY_DEFAULT.join(","),
  };
  const canary = openCanary(env, { state: { endpoint: dynamo.endpoint, table: dynamo.table } });
  return {
    target,
    redis: redis.client,
    database,
    variables: { TRINITY_REDIS_URL: `redis://127.0.0.1:${port}`, TRINITY_DATABASE: file },
    async cycle(invariantId: string) {
      const outcome = await runCycle(canary, { invariantIds: [invariantId], trigger: "test" });
      if (outcome.kind === "busy") throw new Error("another cycle is in progress");
      return outcome.report;
    },
    async close() {
      database.close();
      for (const part of [rest, redis, dynamo]) await part.close();
      await folder.remove();
    },
  };
}

/** The faults that commands of the database and Redis undo. Of the others, the runbook says why there is no such command. */
const MENDED = FAULTS.filter(
  ({ invariantId }) =>
    findInvariant(invariantId)!
      .fix(findInvariant(invariantId)!.example)
      .every(({ on }) => on === "redis" || on === "sql" || on === "nothing") &&
    findInvariant(invariantId)!
      .fix(findInvariant(invariantId)!.example)
      .some(({ on }) => on !== "nothing"),
);

/** A command that is a comment until an operator takes away the mark. */
const CHOICE = /^# (redis-cli |sqlite3 )/;

describeLive(["redis-server", "redis-cli", "sqlite3", "curl"], "what is copied from an alert", () => {
  let stores: Awaited<ReturnType<typeof startStores>>;
  beforeAll(async () => {
    stores = await startStores();
    await stores.redis.set("canary:drain_tick_at", String(Date.now() / 1000));
  });
  afterAll(() => stores?.close());

  const agents: TestAgent[] = [];
  // A story that fails leaves nothing red to the next.
  afterEach(async () => {
    const agent = agents.at(-1);
    if (!agent) return;
    await agent.settle();
    await agent.removeSchedules();
    if (!(await agent.isListed())) await agent.enlist();
  });
  /** An agent with a name that a shell and a database would trip over. */
  async function newAgent(): Promise<TestAgent> {
    const name = `it's "ruby" $(touch pwned) ${agents.length + 1}`;
    const agent = testAgent(stores.target, { name, limits: LIMITS, runPrefix: `${name}/run-` });
    await agent.enlist();
    agents.push(agent);
    return agent;
  }

  /** Runs the lines for the database and Redis as an operator would. Gives what they print. */
  function pasted(lines: readonly string[], variables: Readonly<Record<string, string>> = {}): string {
    const script = lines.filter((line) => /^(#|redis-cli|sqlite3) ?/.test(line)).join("\n");
    const { status, stdout, stderr } = spawnSync("/bin/sh", ["-e"], {
      input: script,
      env: { PATH: process.env.PATH, ...stores.variables, ...variables },
      encoding: "utf8",
      timeout: 300_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).not.toMatch(/^(\(error\)|ERR|WRONGTYPE)/m);
    return stdout;
  }

  async function violationOf(invariantId: string, subject: string) {
    const report = await stores.cycle(invariantId);
    expect(report.verdicts[invariantId]!.status).toBe("red");
    return report.violations.find((violation) => violation.subject === subject)!;
  }

  test("where no command of the database or Redis mends it, there is another command, or a word on what to do", () => {
    expect(new Set(MENDED.map(({ invariantId }) => invariantId)).size).toBeGreaterThan(8);
    const others = INVARIANTS.filter(({ id }) => MENDED.every(({ invariantId }) => invariantId !== id));
    for (const { id, fix, example } of others)
      expect(fix(example).filter(({ on }) => !["redis", "sql"].includes(on)).length, id).toBeGreaterThan(0);
  });

  test.each(["seed", "today"] as const)(
    "every command is understood by the stores of the release %s",
    async (release) => {
      const folder = await temporaryFolder();
      const file = join(folder.path, "trinity.db");
      const database = await openPlatformDatabase(`file:${file}`);
      await createSchema(database, release);
      database.close();
      const lines = INVARIANTS.flatMap((invariant) => {
        const { verify, fix } = guidanceOf(invariant, null);
        return [...verify, ...fix];
      });
      expect(pasted(lines, { TRINITY_DATABASE: file })).toContain("agents\n0\n");
      await folder.remove();
    },
    600_000,
  );

  test.for(MENDED)("$invariantId: $title", { timeout: 600_000 }, async (fault) => {
    const agent = await newAgent();
    await fault.prepare?.(agent);
    expect((await stores.cycle(fault.invariantId)).verdicts[fault.invariantId]!.status).toBe("green");
    await fault.provoke(agent);
    const subject = fault.subject?.(agent) ?? agent.name;
    const { observed_state } = await violationOf(fault.invariantId, subject);
    const { verify, fix } = guidanceOf(findInvariant(fault.invariantId)!, observed_state);
    expect(pasted(verify)).toContain("run-");
    pasted(fix);
    if (fix.some((line) => CHOICE.test(line))) {
      // Nothing of it has run yet: an operator has to choose.
      expect((await stores.cycle(fault.invariantId)).verdicts[fault.invariantId]!.status).toBe("red");
      pasted(fix.map((line) => line.replace(CHOICE, "$1")));
    }
    const after = await stores.cycle(fault.invariantId);
    expect(after.violations).toEqual([]);
    expect(after.verdicts[fault.invariantId]!.status).toBe("green");
    expect(after.recoveries.map(({ invariant_id }) => invariant_id)).toEqual([fault.invariantId]);
  });

  test("E-06: a schedule that is disabled and enabled over the platform's API is planned again", async () => {
    const agent = await newAgent();
    await agent.addSchedule("it's weekly/1", 7200);
    const asked: unknown[] = [];
    // The platform plans the next run of a schedule that is enabled.
    const app = new Hono().put("/api/agents/:agent/schedules/:id", async (c) => {
      const { enabled } = (await c.req.json()) as { enabled: boolean };
      const { agent: owner, id } = c.req.param();
      asked.push([owner, id, enabled, c.req.header("authorization")]);
      await stores.database.execute({
        sql: "UPDATE agent_schedules SET enabled = ?, next_run_at = ? WHERE agent_name = ? AND id = ?",
        args: [Number(enabled), enabled ? "2999-01-01T00:00:00Z" : null, owner, id],
      });
      return c.json({ id, enabled });
    });
    const api = await serve(app, 0);
    const { observed_state } = await violationOf("E-06", agent.name);
    const { fix } = guidanceOf(findInvariant("E-06")!, observed_state);
    const curls = fix.filter((line) => line.startsWith("curl "));
    const env = { PATH: process.env.PATH, TRINITY_URL: api.url, TRINITY_TOKEN: "admin's" };
    // Not spawnSync: the server is in this process.
    await promisify(execFile)("/bin/sh", ["-ec", curls.join("\n")], { env });
    await api.close();
    const schedule = [agent.name, "it's weekly/1"];
    expect(asked).toEqual([
      [...schedule, false, "Bearer admin's"],
      [...schedule, true, "Bearer admin's"],
    ]);
    expect((await stores.cycle("E-06")).verdicts["E-06"]!.status).toBe("green");
  }, 600_000);

  test("E-04: a run that only lacks the time of queueing is drained after all", async () => {
    const agent = await newAgent();
    await agent.addRun(agent.id(1), { status: "queued" });
    await stores.database.execute({
      sql: "UPDATE schedule_executions SET queued_at = NULL WHERE agent_name = ?",
      args: [agent.name],
    });
    const { observed_state } = await violationOf("E-04", agent.name);
    const printed = pasted(guidanceOf(findInvariant("E-04")!, observed_state).fix);
    expect(printed).toContain(agent.id(1));
    expect((await stores.cycle("E-04")).verdicts["E-04"]!.status).toBe("green");
    expect(await agent.runs()).toMatchObject([{ status: "queued" }]);
  }, 600_000);

  test("a run that has moved on is left as it is", async () => {
    const agent = await newAgent();
    await agent.addRun(agent.id(1), { ageSeconds: 7200 });
    const { observed_state } = await violationOf("E-01", agent.name);
    // It ended well while the operator was reading.
    await stores.database.execute({
      sql: "UPDATE schedule_executions SET status = 'success', completed_at = started_at WHERE id = ?",
      args: [agent.id(1)],
    });
    expect(pasted(guidanceOf(findInvariant("E-01")!, observed_state).fix)).not.toContain(agent.id(1));
    expect(await agent.runs()).toMatchObject([{ status: "success", lengthSeconds: 0 }]);
  }, 600_000);

  test("what belongs to an agent that is on the roster again is left as it is", async () => {
    const agent = await newAgent();
    await stores.database.execute({
      sql: "INSERT INTO agent_tags (agent_name, tag) VALUES (?, 'kept')",
      args: [agent.name],
    });
    await agent.delist();
    const { observed_state } = await violationOf("L-03", agent.name);
    await agent.enlist();
    pasted(guidanceOf(findInvariant("L-03")!, observed_state).fix);
    const left = await stores.database.execute({
      sql: "SELECT tag FROM agent_tags WHERE agent_name = ?",
      args: [agent.name],
    });
    expect(left.rows.map(({ tag }) => tag)).toEqual(["kept"]);
  }, 600_000);
});
