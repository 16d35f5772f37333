/** Pull agents: rows that workers claim under a lease, without any slot. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeLive, until } from "../../support/live.ts";
import { PULL, type SteppedPlatform, startSteppedPlatform } from "../../support/stepped-platform.ts";

describeLive(["redis-server"], "a pull agent", () => {
  let stage: SteppedPlatform;
  const environments: unknown[] = [];
  beforeEach(async () => {
    environments.length = 0;
    const containers = {
      create: async (_: string, environment?: unknown) => void environments.push(environment),
      remove: async () => {},
    };
    stage = await startSteppedPlatform({ containers });
    await stage.addAgent({ isPull: true });
    // Its worker has asked once, and found nothing.
    await stage.clock.sleeping(PULL.pollEveryMs);
  });
  afterEach(() => stage.close());

  const submit = async (task: Parameters<SteppedPlatform["platform"]["submit"]>[0]["task"]) => {
    const id = (await stage.platform.submit({ agent: "ruby", task: task! }))!;
    await stage.pass(60);
    await stage.untilRow(id, "queued");
    return id;
  };
  const poll = () => stage.bench.redis.get("agent:pull_poll:ruby");
  const at = (ms: number) => new Date(ms).toISOString().replace("Z", "000Z");

  test("has its pool in its container's environment, and its workers ask for work", async () => {
    expect(environments).toEqual([{ TRINITY_PULL_MODE: "true", TRINITY_MAX_PARALLEL_TASKS: "1" }]);
    expect(await poll()).toBe(String(stage.clock.now() / 1000));
    expect(await stage.bench.redis.ttl("agent:pull_poll:ruby")).toBe(86_400);
    stage.clock.advance(PULL.pollEveryMs);
    await until(async () => expect(await poll()).toBe(String(stage.clock.now() / 1000)));
  });

  test("takes the turns of one conversation one after the other, and others beside them", async () => {
    await stage.platform.agents.purge("ruby");
    await stage.addAgent({ name: "ada", isPull: true, maxParallelTasks: 2 });
    // All three workers have asked once, and found nothing.
    await stage.clock.sleeping(PULL.pollEveryMs, 3);
    const turn = (conversation: string | null) =>
      stage.platform.submit({ agent: "ada", task: { runMs: 30_000, conversation } });
    const ids: string[] = [];
    for (const conversation of ["c", "c", null]) {
      ids.push((await turn(conversation))!);
      await stage.pass(60);
    }
    const rows = () => stage.bench.rows("ada");
    await until(async () => expect(Object.values(await rows())).toEqual(Array(3).fill("queued")));
    await stage.pass(PULL.pollEveryMs, 3);
    const [first, second, other] = ids as [string, string, string];
    await until(async () =>
      expect(await rows()).toEqual({ [first]: "running", [second]: "queued", [other]: "running" }),
    );
  });

  test("runs a queued row under a lease that is renewed, without a slot, its session at the end", async () => {
    const id = await submit({ runMs: 40_000 });
    await stage.platform.runMaintenance();
    await stage.untilRow(id, "queued");
    await stage.pass(PULL.pollEveryMs);
    await stage.untilRow(id, "running");
    const claimedAtMs = stage.clock.now();
    expect(await stage.row(id)).toMatchObject({
      claude_session_id: null,
      started_at: at(claimedAtMs),
      lease_expires_at: at(claimedAtMs + PULL.leaseMs),
    });
    await stage.pass(PULL.leaseMs / 3);
    await stage.clock.sleeping(10_000);
    expect(await stage.row(id)).toMatchObject({ lease_expires_at: at(claimedAtMs + (PULL.leaseMs * 4) / 3) });
    await stage.pass(10_000);
    await stage.untilRow(id, "success");
    expect(await stage.row(id)).toMatchObject({ claude_session_id: expect.any(String), duration_ms: 40_000 });
    expect(await stage.bench.redis.keys("agent:slot*")).toEqual([]);
    expect(stage.recorded(id)).toEqual([
      "running",
      "queued",
      "lease",
      "running",
      "lease",
      "success",
      "session",
    ]);
  });

  test("gets a row back under the same id where its worker dies, and not for ever", async () => {
    const id = await submit({ runMs: 2_000, workersLost: 9 });
    const count = (status: string) => stage.recorded(id).filter((what) => what === status).length;
    for (let lost = 1; lost <= 4; lost += 1) {
      // The pool asks before or after the row is queued again.
      await until(async () => {
        if (stage.clock.sleeps().includes(PULL.pollEveryMs)) stage.clock.advance(PULL.pollEveryMs);
        // It was running when it was submitted, too.
        expect(count("running")).toBe(lost + 1);
      });
      await stage.pass(1_000);
      // The worker is gone. Its pool asks for work, and finds none.
      await stage.clock.sleeping(PULL.pollEveryMs);
      expect(await stage.row(id)).toMatchObject({ status: "running", redelivery_count: lost - 1 });
      stage.clock.advance(PULL.leaseMs);
      await until(async () => expect(count("queued") + count("failed")).toBe(lost + 1));
    }
    expect(count("queued")).toBe(4);
    expect(await stage.row(id)).toMatchObject({ error: "its workers were lost" });
  });

  test("is deleted like any other: its row is cancelled, and nobody asks for work any more", async () => {
    const id = await submit({ runMs: 40_000 });
    await stage.pass(PULL.pollEveryMs);
    await stage.untilRow(id, "running");
    await stage.platform.agents.remove("ruby");
    await stage.untilRow(id, "cancelled");
    await until(async () => expect(stage.clock.sleeps()).not.toContain(PULL.pollEveryMs));
    expect(stage.bench.lines).toEqual([]);
  });
});
