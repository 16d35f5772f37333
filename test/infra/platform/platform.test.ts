/** Runs and agents of the simulated platform, step by step on a clock that the test moves. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AgentSpec } from "../../../infra/platform/agents.ts";
import { openDatabaseFile } from "../../../infra/platform/file-client.ts";
import { type Platform, type PlatformOptions, startPlatform } from "../../../infra/platform/platform.ts";
import { queueCountsApp } from "../../../infra/platform/queue-counts.ts";
import { describeLive, until } from "../../support/live.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { type PlatformBench, startPlatformBench } from "../../support/platform-bench.ts";

const SWEEP_MS = 60_000;
const DISPATCH_MS = 4_700;
/** Each time that something waits for differs from the others, so that a test can tell them apart. */
const PULL = { pollEveryMs: 7_000, leaseMs: 90_000, reapEveryMs: 45_000 };

describeLive(["redis-server"], "the simulated platform", () => {
  let bench: PlatformBench;
  let clock: ManualClock;
  let platform: Platform;

  beforeEach(async () => {
    bench = await startPlatformBench();
    await restart();
  });
  afterEach(async () => {
    await platform.stop();
    await bench.close();
  });

  async function restart(options: Partial<PlatformOptions> = {}, startMs = Date.now()) {
    await platform?.stop();
    clock = manualClock(startMs);
    platform = await startPlatform({
      ...bench.options,
      clock,
      sweepEveryMs: () => SWEEP_MS,
      dispatchMs: () => DISPATCH_MS,
      pullTimes: PULL,
      ...options,
    });
  }
  const addAgent = (more: Partial<AgentSpec> = {}) =>
    platform.agents.create({ name: "ruby", maxParallelTasks: 1, executionTimeoutSeconds: 60, ...more });
  /** Lets time pass to the end of a sleep of that length, once there are so many (the sweep too sleeps 60 s). */
  async function pass(ms: number, count = 1) {
    await clock.sleeping(ms, count);
    clock.advance(ms);
  }
  async function submit(task: Parameters<Platform["submit"]>[0]["task"] = {}) {
    const id = await platform.submit({ agent: "ruby", task: { runMs: 10_000, ...task } });
    if (!id) throw new Error("ruby is not on the roster");
    return id;
  }
  const untilRow = (id: string, status: string) =>
    until(async () => expect((await bench.rows("ruby"))[id]).toBe(status));
  const untilSlots = (...ids: string[]) =>
    until(async () => expect(await bench.slots("ruby")).toEqual(ids.sort()));
  /** A run that has its slot. */
  const startRun = async () => {
    const id = await submit();
    await pass(60);
    await untilSlots(id);
    return id;
  };
  const column = async (id: string, name: string) =>
    (
      await bench.database.execute({
        sql: `SELECT ${name} AS value FROM schedule_executions WHERE id = ?`,
        args: [id],
      })
    ).rows[0]!.value;
  /** The journal's entries about an execution, in order. */
  const recorded = (id: string) =>
    bench.events.flatMap((event) =>
      "executionId" in event && event.executionId === id
        ? [event.what === "row" ? event.status : event.what]
        : [],
    );

  test("a task: row, 60 ms, slot and dispatch, session, the end of the row, 5 ms, the slot given back", async () => {
    await addAgent();
    const id = await submit();
    expect(await bench.rows("ruby")).toEqual({ [id]: "running" });
    expect(await bench.slots("ruby")).toEqual([]);
    await pass(60);
    await untilSlots(id);
    await clock.sleeping(200);
    expect(await column(id, "claude_session_id")).toBe("dispatched");
    clock.advance(200);
    await clock.sleeping(10_000);
    expect(await column(id, "claude_session_id")).toMatch(/^[0-9a-f-]{36}$/);
    clock.advance(10_000);
    await clock.sleeping(5);
    expect(await bench.rows("ruby")).toEqual({ [id]: "success" });
    expect(await column(id, "duration_ms")).toBe(10_260);
    expect(await bench.slots("ruby")).toEqual([id]);
    clock.advance(5);
    await until(async () =>
      expect(recorded(id)).toEqual([
        "running",
        "slot taken",
        "hash written",
        "hash expires",
        "session",
        "session",
        "success",
        "slot given back",
        "hash removed",
      ]),
    );
    expect(await bench.redis.keys("agent:*")).toEqual([]);
    expect(bench.lines).toEqual([]);
  });

  test("a second run waits in the queue, with its task, until the first gives its slot back", async () => {
    await addAgent();
    await startRun();
    const second = await submit({ runMs: 7_000 });
    await pass(60);
    await untilRow(second, "queued");
    await pass(200);
    await pass(10_000);
    await pass(5);
    await untilSlots(second);
    await pass(200);
    await pass(7_000);
    await untilRow(second, "success");
  });

  test("a run past its timeout is failed and loses its slot; its late answer overwrites the failure", async () => {
    await addAgent();
    const id = await submit({ runMs: 90_000 });
    await pass(60);
    await pass(200);
    await pass(60_000, 2);
    await untilRow(id, "failed");
    expect(await column(id, "error")).toBe("timed out after 60 s");
    await pass(5);
    await untilSlots();
    await pass(30_000);
    await untilRow(id, "success");
    expect(await column(id, "error")).toBeNull();
  });

  test("a late answer does not overwrite a row that was cancelled", async () => {
    await addAgent();
    const id = await submit({ runMs: 90_000 });
    await pass(60);
    await pass(200);
    await pass(60_000, 2);
    await pass(5);
    await clock.sleeping(30_000);
    await bench.database.execute("UPDATE schedule_executions SET status = 'cancelled'");
    clock.advance(30_000);
    await platform.stop();
    expect(await bench.rows("ruby")).toEqual({ [id]: "cancelled" });
  });

  test("cancelled before it has a slot, in the queue, and while it runs: nothing is left of it", async () => {
    await addAgent();
    const early = await submit();
    await clock.sleeping(60);
    expect(await platform.cancel(early)).toBe(true);
    const running = await startRun();
    const queued = await submit();
    await pass(60);
    await untilRow(queued, "queued");
    expect(await platform.cancel(queued)).toBe(true);
    await pass(200);
    await clock.sleeping(10_000);
    expect(await platform.cancel(running)).toBe(true);
    await pass(5);
    await untilSlots();
    expect(await bench.redis.keys("agent:*")).toEqual([]);
    expect(await bench.rows("ruby")).toEqual({
      [early]: "cancelled",
      [running]: "cancelled",
      [queued]: "cancelled",
    });
    expect(await platform.cancel(running)).toBe(false);
    expect(recorded(early)).toEqual(["running", "cancelled"]);
    expect(bench.lines).toEqual([]);
  });

  test("a run whose row or slot is tampered with ends, and the next one finds a free slot", async () => {
    await addAgent();
    await startRun();
    await bench.database.execute("DELETE FROM schedule_executions");
    await pass(200);
    await pass(5);
    await untilSlots();

    const ended = await startRun();
    await bench.database.execute("UPDATE schedule_executions SET status = 'cancelled'");
    await pass(200);
    await pass(5);
    await untilSlots();
    expect(recorded(ended).filter((what) => what === "session")).toHaveLength(1);

    const robbed = await startRun();
    await bench.redis.flushall();
    await pass(200);
    await pass(10_000);
    await pass(5);
    await untilRow(robbed, "success");

    await bench.redis.set("agent:slots:ruby", "not a sorted set");
    const blocked = await submit();
    await pass(60);
    await untilRow(blocked, "failed");
    await until(async () => expect(bench.lines.join()).toContain("WRONGTYPE"));
    await bench.redis.del("agent:slots:ruby");

    await startRun();
  });

  test("the sweep comes every 60 s, and one that fails does not end it", async () => {
    await addAgent();
    const tick = async () => Number(await bench.redis.get("canary:drain_tick_at"));
    await pass(60_000);
    await until(async () => expect(await tick()).toBe(clock.now() / 1000));
    const good = await tick();
    await bench.database.execute("ALTER TABLE schedule_executions RENAME TO elsewhere");
    await pass(60_000);
    await until(async () => expect(bench.lines.join()).toMatch(/sweep failed.*no such table/));
    expect(await tick()).toBe(good);
    await bench.database.execute("ALTER TABLE elsewhere RENAME TO schedule_executions");
    await pass(60_000);
    await until(async () => expect(await tick()).toBe(clock.now() / 1000));
  });

  test("a name that is taken, a cron that is none and a container that fails leave no half-made agent", async () => {
    await addAgent();
    await expect(addAgent()).rejects.toThrow("there is an agent ruby already");
    await expect(addAgent({ name: "b", schedule: { cron: "often" } })).rejects.toThrow(
      '"often" is not a cron expression',
    );
    await restart({
      containers: {
        create: () => Promise.reject(new Error("no image")),
        remove: async () => {},
      },
    });
    await expect(addAgent({ name: "c" })).rejects.toThrow("no image");
    const { rows } = await bench.database.execute("SELECT agent_name FROM agent_ownership");
    expect(rows.map((row) => row.agent_name)).toEqual(["ruby"]);
  });

  test("a stop cuts runs where they stand, and nothing is written after it", async () => {
    await addAgent({ schedule: { cron: "*/2 * * * *" } });
    const running = await startRun();
    await clock.sleeping(200);
    await platform.stop();
    expect(clock.sleeps()).toEqual([]);
    const { length } = bench.events;
    clock.advance(3_600_000);
    expect(await platform.submit({ agent: "ruby" })).toBeNull();
    expect(bench.events).toHaveLength(length);
    expect(await bench.rows("ruby")).toEqual({ [running]: "running" });
    expect(await bench.slots("ruby")).toEqual([running]);
    expect(bench.lines).toEqual([]);
  });

  test("a resize takes what the API takes, and the next sweep uses the room", async () => {
    await addAgent();
    const [first, second] = [await submit(), await submit()];
    await clock.sleeping(60, 2);
    clock.advance(60);
    await until(async () =>
      expect(Object.values(await bench.rows("ruby")).sort()).toEqual(["queued", "running"]),
    );
    await platform.agents.resize("ruby", { maxParallelTasks: 2, executionTimeoutSeconds: 120 });
    // Not by the resize: by the next sweep.
    await platform.runMaintenance();
    await untilSlots(first, second);
    expect(bench.events).toContainEqual(
      expect.objectContaining({ what: "agent", maxParallelTasks: 2, executionTimeoutSeconds: 120 }),
    );
    await expect(platform.agents.resize("ruby", { maxParallelTasks: 11 })).rejects.toThrow(
      "max_parallel_tasks is 11: give a whole number from 1 to 10",
    );
    await expect(platform.agents.resize("ruby", { executionTimeoutSeconds: 59 })).rejects.toThrow(RangeError);
    await expect(platform.agents.resize("nobody", { maxParallelTasks: 1 })).rejects.toThrow(
      "there is no agent nobody",
    );
  });

  test("the queue accessor counts every agent's queue, for who has the token", async () => {
    await addAgent();
    await addAgent({ name: "idle" });
    await bench.database.execute(`INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message,
      triggered_by) VALUES ('a', 's', 'ruby', 'queued', '', '', ''), ('b', 's', 'ghost', 'queued', '', '', '')`);
    const app = queueCountsApp(() => bench.database, "secret");
    expect((await app.request("/")).status).toBe(401);
    const headers = { authorization: "Bearer secret" };
    expect(await (await app.request("/", { headers })).json()).toEqual({ counts: { ruby: 1, idle: 0 } });
    expect((await queueCountsApp(() => undefined, "secret").request("/", { headers })).status).toBe(503);
  });

  test("a write waits while another connection holds the database, and takes hold then", async () => {
    await addAgent();
    const other = openDatabaseFile(bench.url);
    await other.execute("BEGIN IMMEDIATE");
    await other.execute("INSERT INTO agent_skills (agent_name, skill) VALUES ('ruby', 'patience')");
    let isDone = false;
    const submitted = submit().finally(() => {
      isDone = true;
    });
    // Long enough for some tries, while the other connection keeps the lock.
    for (let i = 0; i < 50; i += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(isDone).toBe(false);
    await other.execute("COMMIT");
    other.close();
    const tries = vi.spyOn(bench.database, "batch");
    const id = await submitted;
    // The next try succeeds; the driver itself does not wait any longer.
    expect(tries.mock.calls.length).toBeLessThanOrEqual(1);
    expect(await bench.rows("ruby")).toEqual({ [id]: "running" });
  });

  test("of writes that go in one transaction, one that fails spoils only itself", async () => {
    await addAgent();
    await bench.database.execute(`CREATE TRIGGER picky BEFORE INSERT ON schedule_executions
      WHEN NEW.message = 'bad' BEGIN SELECT RAISE(ABORT, 'not this one'); END`);
    const answers = await Promise.allSettled([submit(), submit({ message: "bad" }), submit()]);
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(Object.keys(await bench.rows("ruby"))).toHaveLength(2);
    expect(bench.events.filter(({ what }) => what === "row")).toHaveLength(2);
  });
});
