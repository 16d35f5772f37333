/** The scheduler's runs: the row first, the slot seconds later, and retries as new rows. */
import { afterEach, describe, expect, test } from "vitest";
import { drawDispatch } from "../../../infra/platform/scheduler.ts";
import { seededRandom } from "../../../infra/soak/random.ts";
import { describeLive, until } from "../../support/live.ts";
import { DISPATCH_MS, type SteppedPlatform, startSteppedPlatform } from "../../support/stepped-platform.ts";

describe("the time of a dispatch", () => {
  test("is 0.1 to 12 s, and 4.7 s in the middle", () => {
    const { fraction } = seededRandom(1, "dispatch");
    const times = Array.from({ length: 2_001 }, () => drawDispatch(fraction)).sort((a, b) => a - b);
    expect(times[0]).toBeGreaterThanOrEqual(100);
    expect(times.at(-1)).toBeLessThanOrEqual(12_000);
    expect(times[1_000]! / 4_700).toBeCloseTo(1, 1);
  });
});

describeLive(["redis-server"], "the scheduler", () => {
  let stage: SteppedPlatform;
  afterEach(() => stage.close());

  const onlyRow = async () => {
    const rows = Object.keys(await stage.bench.rows("ruby"));
    expect(rows).toHaveLength(1);
    return stage.row(rows[0]!);
  };

  test("makes a row without a session, and its slot comes with the dispatch", async () => {
    stage = await startSteppedPlatform();
    await stage.addAgent();
    const id = (await stage.platform.runSchedule({ agent: "ruby", task: { runMs: 10_000 } }))!;
    expect(await stage.row(id)).toMatchObject({
      status: "running",
      triggered_by: "schedule",
      attempt_number: 1,
      claude_session_id: null,
      // In UTC, though nothing says so.
      started_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/),
    });
    expect(await stage.bench.slots("ruby")).toEqual([]);
    await stage.pass(DISPATCH_MS);
    await stage.untilSlots(id);
    await stage.clock.sleeping(200);
    expect(await stage.row(id)).toMatchObject({ claude_session_id: "dispatched" });
    expect(stage.recorded(id)).toEqual(["running", "slot taken", "hash written", "hash expires", "session"]);
  });

  test("has a run that is not dispatched within 60 s failed, and a run without a free slot queued", async () => {
    stage = await startSteppedPlatform({ dispatchMs: () => 90_000, sweepEveryMs: () => 3_600_000 });
    await stage.addAgent();
    const id = (await stage.platform.runSchedule({ agent: "ruby" }))!;
    await stage.pass(60_000);
    await stage.untilRow(id, "failed");
    expect(await stage.row(id)).toMatchObject({ error: "not dispatched within 60 s" });
    await stage.close();

    stage = await startSteppedPlatform();
    await stage.addAgent();
    const first = (await stage.platform.runSchedule({ agent: "ruby", task: { runMs: 10_000 } }))!;
    await stage.pass(DISPATCH_MS);
    await stage.untilSlots(first);
    const second = (await stage.platform.runSchedule({ agent: "ruby" }))!;
    await stage.pass(DISPATCH_MS);
    await stage.untilRow(second, "queued");
  });

  test("runs an agent by its cron, and says when it ran and when it runs next", async () => {
    stage = await startSteppedPlatform({ startMs: Date.UTC(2026, 4, 18, 10, 0, 30) });
    await stage.addAgent({
      schedule: { cron: "*/2 * * * *", message: "hello", timeoutSeconds: 180 },
      task: { runMs: 75_000 },
    });
    const schedule = async () =>
      (await stage.bench.database.execute("SELECT next_run_at, last_run_at FROM agent_schedules")).rows[0];
    await stage.clock.sleeping(90_000);
    expect(await schedule()).toEqual({ next_run_at: "2026-05-18T10:02:00.000000", last_run_at: null });
    stage.clock.advance(90_000);
    await stage.clock.sleeping(120_000);
    expect(await onlyRow()).toMatchObject({
      status: "running",
      started_at: "2026-05-18T10:02:00.000000",
      message: "hello",
      schedule_id: "ruby-schedule",
    });
    expect(await schedule()).toEqual({
      next_run_at: "2026-05-18T10:04:00.000000",
      last_run_at: "2026-05-18T10:02:00.000000",
    });
    await stage.pass(DISPATCH_MS);
    const slot = `agent:slot:ruby:${Object.keys(await stage.bench.rows("ruby"))[0]}`;
    await until(async () => expect(await stage.bench.redis.hget(slot, "timeout_seconds")).toBe("180"));

    await stage.bench.database.execute("UPDATE agent_schedules SET enabled = 0");
    stage.clock.advance(120_000 - DISPATCH_MS);
    await stage.clock.sleeping(120_000);
    expect(Object.keys(await stage.bench.rows("ruby"))).toHaveLength(1);
  });

  /** Runs a task to its failure, and lets the scheduler notice it. */
  async function failedRun(task: Parameters<SteppedPlatform["platform"]["runSchedule"]>[0]["task"]) {
    const id = (await stage.platform.runSchedule({ agent: "ruby", task: { ends: "failed", ...task } }))!;
    for (const ms of [DISPATCH_MS, 200, 10_000, 5]) await stage.pass(ms);
    await stage.untilSlots();
    return id;
  }

  test("retries a failed run with a new row; the old one stays pending_retry for ever", async () => {
    stage = await startSteppedPlatform();
    await stage.addAgent();
    const old = await failedRun({ runMs: 10_000, retries: 1, retryAfterMs: 45_500 });
    await stage.untilRow(old, "failed");
    await stage.pass(500);
    await stage.untilRow(old, "pending_retry");
    expect(await stage.row(old)).toMatchObject({
      retry_scheduled_at: new Date(stage.clock.now() + 45_500).toISOString().replace("Z", "000"),
    });
    await stage.pass(45_500);
    await until(async () => expect(Object.keys(await stage.bench.rows("ruby"))).toHaveLength(2));
    expect(await stage.row(old)).toMatchObject({ status: "pending_retry", retry_scheduled_at: null });
    const made = Object.keys(await stage.bench.rows("ruby")).find((id) => id !== old)!;
    expect(await stage.row(made)).toMatchObject({
      status: "running",
      triggered_by: "retry",
      retry_of_execution_id: old,
      attempt_number: 2,
    });
    for (const ms of [DISPATCH_MS, 200, 10_000, 5]) await stage.pass(ms);
    await stage.untilRow(made, "failed");
    expect(stage.recorded(old).slice(-4)).toEqual([
      "hash removed",
      "pending_retry",
      "retry scheduled",
      "retry scheduled",
    ]);
  });

  test("gives up a retry that waits where its agent is deleted; a purge keeps the row", async () => {
    stage = await startSteppedPlatform();
    await stage.addAgent();
    const old = await failedRun({ runMs: 10_000, retries: 1, retryAfterMs: 45_500 });
    await stage.pass(500);
    await stage.untilRow(old, "pending_retry");
    await stage.platform.agents.remove("ruby");
    await stage.platform.agents.purge("ruby");
    expect(await stage.row(old)).toMatchObject({ status: "pending_retry", retry_scheduled_at: null });
    await stage.pass(45_500);
    await stage.platform.stop();
    expect(Object.keys(await stage.bench.rows("ruby"))).toEqual([old]);
  });

  /** A run that times out, and whose late success comes before the scheduler looks at it. */
  async function lateSuccess() {
    await stage.addAgent();
    const task = { runMs: 60_300, retries: 1, retryAfterMs: 45_500 };
    const id = (await stage.platform.runSchedule({ agent: "ruby", task }))!;
    for (const ms of [DISPATCH_MS, 200]) await stage.pass(ms);
    // The sweep sleeps 60 s too.
    await stage.pass(60_000, 2);
    await stage.pass(5);
    await stage.pass(300);
    await stage.untilRow(id, "success");
    await stage.clock.sleeping(500);
    stage.clock.advance(200);
    return id;
  }

  test("leaves a run alone that a late success has reached", async () => {
    stage = await startSteppedPlatform();
    const id = await lateSuccess();
    await stage.platform.stop();
    expect(await stage.row(id)).toMatchObject({ status: "success", retry_scheduled_at: null });
  });

  test("makes it wait for a retry all the same, by a known bug", async () => {
    stage = await startSteppedPlatform({ bugs: { retriesAnyStatus: true } });
    const id = await lateSuccess();
    await stage.untilRow(id, "pending_retry");
  });

  test("has a parked dispatch keep its slot: score and life move together, and the age begins anew", async () => {
    stage = await startSteppedPlatform();
    await stage.addAgent();
    const id = (await stage.platform.submit({ agent: "ruby", task: { parkedMs: 20_000, runMs: 10_000 } }))!;
    await stage.pass(60);
    await stage.untilSlots(id);
    const { started_at: first } = await stage.row(id);
    const score = async () => Number(await stage.bench.redis.zscore("agent:slots:ruby", id));
    await stage.clock.sleeping(15_000);
    await stage.bench.redis.expire(`agent:slot:ruby:${id}`, 30);
    stage.clock.advance(15_000);
    await until(async () => expect(await score()).toBe(stage.clock.now() / 1000));
    await until(async () => expect(await stage.bench.redis.ttl(`agent:slot:ruby:${id}`)).toBe(360));
    expect(await stage.row(id)).toMatchObject({ claude_session_id: "dispatched", started_at: first });
    await stage.pass(5_000);
    await stage.clock.sleeping(200);
    expect(await score()).toBe(stage.clock.now() / 1000);
    expect(await stage.row(id)).toMatchObject({
      claude_session_id: "dispatched",
      queued_at: first,
      started_at: new Date(stage.clock.now()).toISOString().replace("Z", "000Z"),
    });
  });
});
