/** Slots and backlog on a real Redis and a real database file, step by step. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Capacity, type CapacityOptions, createCapacity } from "../../../infra/platform/capacity.ts";
import { timestamp } from "../../../infra/platform/clock.ts";
import { platformDatabase } from "../../../infra/platform/database.ts";
import { type Bugs, type Release, TRAITS } from "../../../infra/platform/releases.ts";
import { newTask, type PlatformExecution, type Task } from "../../../infra/platform/task.ts";
import { describeLive } from "../../support/live.ts";
import { type ManualClock, manualClock } from "../../support/manual-clock.ts";
import { type PlatformBench, startPlatformBench } from "../../support/platform-bench.ts";

const TICK = "canary:drain_tick_at";

describeLive(["redis-server"], "the capacity manager", () => {
  let bench: PlatformBench;
  let clock: ManualClock;
  let capacity: Capacity;
  let claimed: string[];

  const build = (
    options: Partial<CapacityOptions> = {},
    { release = "today", bugs = {} }: { release?: Release; bugs?: Bugs } = {},
  ) =>
    createCapacity(
      {
        ...bench.options,
        database: platformDatabase(bench.database, bench.options.journal),
        clock,
        traits: TRAITS[release],
        bugs,
        pullAgents: new Set(["puller"]),
      },
      { onClaimed: ({ id }) => claimed.push(id), ...options },
    );

  beforeEach(async () => {
    bench = await startPlatformBench();
    clock = manualClock();
    claimed = [];
    capacity = await build();
    await addAgent("ruby");
  });
  afterEach(() => bench.close());

  const addAgent = (name: string, maxParallelTasks: unknown = 2) =>
    bench.database.execute({
      sql: "INSERT INTO agent_ownership (agent_name, max_parallel_tasks, execution_timeout_seconds) VALUES (?, ?, 60)",
      args: [name, maxParallelTasks as number],
    });
  async function addRow(id: string, { status = "running", agent = "ruby", queuedSecondsAgo = 1 } = {}) {
    const at = timestamp(clock.now() - queuedSecondsAgo * 1000);
    await bench.database.execute({
      sql: `INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by, queued_at,
            backlog_metadata) VALUES (?, 's', ?, ?, ?, 'm', 'manual', ?, ?)`,
      args: [
        id,
        agent,
        status,
        at,
        status === "queued" ? at : null,
        status === "queued" ? '{"runMs": 7}' : null,
      ],
    });
  }
  const execution = (id: string, task: Partial<Task> = {}): PlatformExecution => ({
    id,
    agent: "ruby",
    task: newTask(task),
  });
  /** Writes a running row and requests its slot. */
  async function start(id: string, task: Partial<Task> = {}) {
    await addRow(id);
    return (await capacity.acquire(execution(id, task))).kind;
  }
  const queuedRow = async (id: string) =>
    (
      await bench.database.execute({
        sql: "SELECT queued_at, backlog_metadata, started_at FROM schedule_executions WHERE id = ?",
        args: [id],
      })
    ).rows[0]!;

  test("a slot is a member with its time, and a hash that outlives the timeout by 300 s", async () => {
    expect(await capacity.acquire(execution("a", { message: "hello" }))).toEqual({
      kind: "acquired",
      timeoutSeconds: 60,
    });
    expect(Number(await bench.redis.zscore("agent:slots:ruby", "a"))).toBe(clock.now() / 1000);
    expect(await bench.redis.ttl("agent:slot:ruby:a")).toBe(360);
    expect(await bench.redis.hgetall("agent:slot:ruby:a")).toEqual({
      started_at: timestamp(clock.now()),
      message_preview: "hello",
      slot_number: "1",
      timeout_seconds: "60",
    });
    expect(bench.events.map(({ what }) => what)).toEqual([
      "drain tick",
      "slot taken",
      "hash written",
      "hash expires",
    ]);
    for (const { sentAtMs, ackedAtMs } of bench.events) expect(ackedAtMs).toBeGreaterThan(sentAtMs);
  });

  test("a schedule's own timeout goes into its slot", async () => {
    await capacity.acquire(execution("a", { timeoutSeconds: 5000 }));
    expect(await bench.redis.hget("agent:slot:ruby:a", "timeout_seconds")).toBe("5000");
    expect(await bench.redis.ttl("agent:slot:ruby:a")).toBe(5300);
  });

  test("at capacity the third is refused and queued; a release drains it", async () => {
    expect(await start("a")).toBe("acquired");
    expect(await start("b")).toBe("acquired");
    expect(await start("c")).toBe("full");
    await capacity.enqueue(execution("c", { runMs: 1234 }));
    expect(await bench.rows("ruby")).toEqual({ a: "running", b: "running", c: "queued" });
    expect(await queuedRow("c")).toMatchObject({ queued_at: timestamp(clock.now()) });

    clock.advance(5000);
    await capacity.release("ruby", "a");
    expect(await bench.slots("ruby")).toEqual(["b", "c"]);
    expect(await bench.redis.exists("agent:slot:ruby:a")).toBe(0);
    expect(await bench.redis.ttl("agent:slot:ruby:c")).toBe(360);
    expect(claimed).toEqual(["c"]);
    expect(await bench.rows("ruby")).toMatchObject({ c: "running" });
    // A run's age counts from its start, not from its request.
    expect(await queuedRow("c")).toMatchObject({
      queued_at: null,
      backlog_metadata: null,
      started_at: timestamp(clock.now()),
    });
  });

  test("fifty that ask at once don't overbook an agent of two", async () => {
    const ids = Array.from({ length: 50 }, (_, i) => `e${i}`);
    const kinds = await Promise.all(ids.map((id) => capacity.acquire(execution(id))));
    expect(kinds.filter(({ kind }) => kind === "acquired")).toHaveLength(2);
    expect(await bench.slots("ruby")).toHaveLength(2);
  });

  test("an agent that is not on the roster, or is on it as deleted, gets no slot", async () => {
    await bench.database.execute("UPDATE agent_ownership SET deleted_at = '2026-01-01T00:00:00.000000Z'");
    expect(await capacity.acquire(execution("a"))).toEqual({ kind: "gone" });
    expect(await capacity.acquire({ ...execution("a"), agent: "nobody" })).toEqual({ kind: "gone" });
    expect(await bench.redis.keys("agent:*")).toEqual([]);
  });

  test("a drain takes the oldest queued row and no other, while there is room", async () => {
    for (const [id, age] of [
      ["young", 1],
      ["oldest", 30],
      ["old", 20],
    ] as const)
      await addRow(id, { status: "queued", queuedSecondsAgo: age });
    await capacity.drain("ruby");
    expect(claimed).toEqual(["oldest"]);
    await capacity.drain("ruby");
    await capacity.drain("ruby");
    expect(claimed).toEqual(["oldest", "old"]);
    expect(await bench.slots("ruby")).toEqual(["old", "oldest"]);
    expect(await bench.rows("ruby")).toEqual({ old: "running", oldest: "running", young: "queued" });
  });

  test("a claim whose sentinel is taken from it goes back to queued, as it was", async () => {
    await addRow("a", { status: "queued", queuedSecondsAgo: 30 });
    const before = await queuedRow("a");
    let sentinel = "";
    bench.onEvent = (event) => {
      if (event.what === "slot taken") sentinel = event.executionId;
      // On the same connection, so that it runs before the swap.
      if (event.what === "row" && event.status === "running")
        void bench.redis.zrem("agent:slots:ruby", sentinel);
    };
    await capacity.drain("ruby");
    expect(sentinel).toMatch(/^drain-/);
    expect(bench.events.filter(({ what }) => what === "row")).toMatchObject([
      { executionId: "a", status: "running" },
      { executionId: "a", status: "queued" },
    ]);
    expect(await bench.rows("ruby")).toEqual({ a: "queued" });
    expect(await queuedRow("a")).toEqual(before);
    expect(await bench.slots("ruby")).toEqual([]);
    expect(claimed).toEqual([]);
  });

  test("a sentinel does not outlive a drain whose claim fails", async () => {
    await addRow("a", { status: "queued" });
    await bench.database.execute(`CREATE TRIGGER no_claims BEFORE UPDATE ON schedule_executions
      WHEN NEW.status = 'running' BEGIN SELECT RAISE(ABORT, 'no claims today'); END`);
    await expect(capacity.drain("ruby")).rejects.toThrow("no claims today");
    expect(bench.events.some((e) => e.what === "slot taken" && e.executionId.startsWith("drain-"))).toBe(
      true,
    );
    expect(await bench.slots("ruby")).toEqual([]);
    expect(await bench.rows("ruby")).toEqual({ a: "queued" });
  });

  test("a slot whose hash can't be written is given back, and the claim too", async () => {
    await addRow("a", { status: "queued" });
    await bench.redis.set("agent:slot:ruby:a", "not a hash");
    await expect(capacity.drain("ruby")).rejects.toThrow("WRONGTYPE");
    expect(await bench.slots("ruby")).toEqual([]);
    expect(await bench.rows("ruby")).toEqual({ a: "queued" });
  });

  test("a sentinel counts while it is held", async () => {
    await bench.redis.zadd(
      "agent:slots:ruby",
      clock.now() / 1000,
      "drain-of-somebody",
      clock.now() / 1000,
      "x",
    );
    expect(await start("a")).toBe("full");
  });

  test("a slot is stale once its own timeout and 300 s are over, not before", async () => {
    await start("short", { timeoutSeconds: 10 });
    await start("long", { timeoutSeconds: 7200 });
    clock.advance(309_000);
    expect(await start("c")).toBe("full");
    clock.advance(2_000);
    expect(await start("d")).toBe("acquired");
    expect(await bench.slots("ruby")).toEqual(["d", "long"]);
    expect(await bench.redis.exists("agent:slot:ruby:short")).toBe(0);
  });

  test("a slot without its hash is judged by the agent's timeout; odd scores harm nothing", async () => {
    await addAgent("odd", 4);
    await bench.redis.zadd(
      "agent:slots:odd",
      clock.now() / 1000 - 350,
      "young",
      "+inf",
      "for-ever",
      "-inf",
      "lost",
    );
    await bench.redis.zadd("agent:slots:odd", clock.now() / 1000 - 370, "old");
    expect((await capacity.acquire({ ...execution("a"), agent: "odd" })).kind).toBe("acquired");
    expect(await bench.slots("odd")).toEqual(["a", "for-ever", "young"]);
  });

  test("columns that hold no number mean the platform's defaults", async () => {
    await addAgent("spoilt", "many");
    for (const id of ["a", "b", "c"])
      expect((await capacity.acquire({ ...execution(id), agent: "spoilt" })).kind).toBe("acquired");
    expect((await capacity.acquire({ ...execution("d"), agent: "spoilt" })).kind).toBe("full");
  });

  test("metadata that can't be read doesn't keep a row in the queue", async () => {
    await addRow("a", { status: "queued" });
    await bench.database.execute("UPDATE schedule_executions SET backlog_metadata = x'ff00'");
    await capacity.drain("ruby");
    expect(claimed).toEqual(["a"]);
  });

  test("what does not fit into the backlog is skipped, with a completed_at", async () => {
    capacity = await build({ maxQueued: 1 });
    await addRow("a");
    await addRow("b");
    await capacity.enqueue(execution("a"));
    await capacity.enqueue(execution("b"));
    expect(await bench.rows("ruby")).toEqual({ a: "queued", b: "skipped" });
    const { rows } = await bench.database.execute("SELECT completed_at FROM schedule_executions ORDER BY id");
    expect(rows.map(({ completed_at }) => completed_at)).toEqual([null, timestamp(clock.now())]);
  });

  test("a newer release takes a slot with one MULTI, an older one with three commands", async () => {
    const times = (id: string) =>
      new Set(
        bench.events.flatMap((event) =>
          "executionId" in event && event.executionId === id ? [event.sentAtMs] : [],
        ),
      ).size;
    await capacity.acquire(execution("a"));
    expect(times("a")).toBe(1);
    capacity = await build({}, { release: "seed" });
    await capacity.acquire(execution("b"));
    expect(times("b")).toBe(3);
    expect(await bench.redis.ttl("agent:slot:ruby:b")).toBe(await bench.redis.ttl("agent:slot:ruby:a"));
  });

  test("the ceiling of the fleet bounds an agent's own, and is ten where nobody has set it", async () => {
    await addAgent("large", 20);
    const fill = async (from: number, to: number) => {
      const kinds: string[] = [];
      for (let n = from; n <= to; n += 1)
        kinds.push((await capacity.acquire({ ...execution(`e${n}`), agent: "large" })).kind);
      return kinds.filter((kind) => kind === "acquired").length;
    };
    expect(await fill(1, 12)).toBe(10);
    await bench.database.execute("INSERT INTO system_settings VALUES ('max_parallel_tasks_ceiling', '12')");
    expect(await fill(13, 20)).toBe(2);
    await bench.database.execute("UPDATE system_settings SET value = '1'");
    expect(await start("a")).toBe("acquired");
    expect(await start("b")).toBe("full");
  });

  test("a pull agent's rows are never drained", async () => {
    await addAgent("puller");
    await addRow("a", { status: "queued", agent: "puller" });
    await capacity.drain("puller");
    await capacity.runMaintenance();
    expect(await bench.rows("puller")).toEqual({ a: "queued" });
    expect(await bench.slots("puller")).toEqual([]);
  });

  test("a drained row's slot gets the row's own timeout; by a known bug, the agent's", async () => {
    const drained = async (id: string) => {
      await addRow(id, { status: "queued" });
      await bench.database.execute({
        sql: "UPDATE schedule_executions SET backlog_metadata = ? WHERE id = ?",
        args: ['{"timeoutSeconds": 900}', id],
      });
      await capacity.drain("ruby");
      return bench.redis.hget(`agent:slot:ruby:${id}`, "timeout_seconds");
    };
    expect(await drained("a")).toBe("900");
    capacity = await build({}, { bugs: { drainUsesAgentTimeout: true } });
    expect(await drained("b")).toBe("60");
  });

  test("the heartbeat is there as soon as the manager is", async () => {
    expect(await bench.redis.get(TICK)).toBe(String(clock.now() / 1000));
  });

  test("a sweep drains orphans, and writes the heartbeat only then", async () => {
    await addAgent("burst");
    await addRow("a", { status: "queued" });
    await addRow("b", { status: "queued", agent: "burst" });
    await addRow("ghost-run", { status: "queued", agent: "ghost" });
    clock.advance(60_000);
    await capacity.runMaintenance();
    expect(claimed.sort()).toEqual(["a", "b"]);
    expect(await bench.rows("ghost")).toEqual({ "ghost-run": "queued" });
    expect(await bench.redis.get(TICK)).toBe(String(clock.now() / 1000));
    expect(bench.events.at(-1)).toMatchObject({ what: "drain tick", atSeconds: clock.now() / 1000 });
  });

  test("a sweep that dies half-way leaves the old heartbeat, and what it did", async () => {
    const seeded = await bench.redis.get(TICK);
    await addAgent("broken");
    await addRow("a", { status: "queued" });
    await addRow("b", { status: "queued", agent: "broken" });
    await bench.redis.set("agent:slots:broken", "not a sorted set");
    clock.advance(60_000);
    await expect(capacity.runMaintenance()).rejects.toThrow(/1 agent could not be drained.*WRONGTYPE/);
    expect(await bench.redis.get(TICK)).toBe(seeded);
    expect(claimed).toEqual(["a"]);
    await bench.redis.del("agent:slots:broken");
    await capacity.runMaintenance();
    expect(await bench.redis.get(TICK)).toBe(String(clock.now() / 1000));
  });

  test("a heartbeat that can't be written is logged, and the sweep is fine", async () => {
    await addRow("a", { status: "queued" });
    await bench.redis.acl("SETUSER", "default", "-set");
    await capacity.runMaintenance();
    expect(claimed).toEqual(["a"]);
    expect(bench.lines).toEqual([expect.stringMatching(/^the drain heartbeat could not be written: NOPERM/)]);
    await build();
    expect(bench.lines).toHaveLength(2);
  });

  test("rows queued for over 24 h are failed, whatever shape their time has; garbage is left alone", async () => {
    await addRow("too-old", { status: "queued", queuedSecondsAgo: 86_401 });
    await addRow("naive", { status: "queued", queuedSecondsAgo: 90_000 });
    await addRow("garbage", { status: "queued" });
    await addRow("young", { status: "queued", queuedSecondsAgo: 86_399 });
    await bench.database.execute(
      "UPDATE schedule_executions SET queued_at = replace(queued_at, 'Z', '') WHERE id = 'naive'",
    );
    await bench.database.execute(
      "UPDATE schedule_executions SET queued_at = 'long ago' WHERE id = 'garbage'",
    );
    // Twenty hours ago, written by a clock that is twelve hours behind.
    await addRow("far-west", { status: "queued" });
    await bench.database.execute({
      sql: "UPDATE schedule_executions SET queued_at = ? WHERE id = 'far-west'",
      args: [`${timestamp(clock.now() - 32 * 3_600_000).slice(0, -1)}-12:00`],
    });
    await bench.redis.zadd("agent:slots:ruby", clock.now() / 1000, "x", clock.now() / 1000, "y");
    await capacity.runMaintenance();
    expect(await bench.rows("ruby")).toEqual({
      "far-west": "queued",
      garbage: "queued",
      naive: "failed",
      "too-old": "failed",
      young: "queued",
    });
    const { rows } = await bench.database.execute(
      "SELECT completed_at FROM schedule_executions WHERE id = 'too-old'",
    );
    expect(rows[0]!.completed_at).toBe(timestamp(clock.now()));
  });
});
