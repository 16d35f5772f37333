/** Chat turns as a reader of Redis and SQLite sees them: a slot and a row with nothing in common but agent and time. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { describeLive, until } from "../../support/live.ts";
import { type SteppedPlatform, startSteppedPlatform } from "../../support/stepped-platform.ts";

describeLive(["redis-server"], "a chat turn", () => {
  let stage: SteppedPlatform;
  beforeEach(async () => {
    stage = await startSteppedPlatform();
  });
  afterEach(() => stage.close());

  /** Starts a turn and lets its row come. */
  async function startTurn(more: Parameters<SteppedPlatform["platform"]["chat"]>[0] = { agent: "ruby" }) {
    const turn = stage.platform.chat({ task: { runMs: 10_000 }, ...more });
    await stage.pass(40);
    return (await turn)!;
  }

  test("takes its slot under an id of its own, and then makes its row under another", async () => {
    await stage.addAgent();
    const started = stage.platform.chat({ agent: "ruby", kind: "mcp", task: { runMs: 10_000 } });
    await stage.clock.sleeping(40);
    const [slotId] = await stage.bench.slots("ruby");
    expect(await stage.bench.redis.hget(`agent:slot:ruby:${slotId}`, "timeout_seconds")).toBe("60");
    expect(await stage.bench.rows("ruby")).toEqual({});
    stage.clock.advance(40);
    const { id, hasSlot, ended } = (await started)!;
    expect(hasSlot).toBe(true);
    expect(slotId).not.toBe(id);
    await stage.pass(200);
    expect(await stage.row(id)).toMatchObject({ status: "running", triggered_by: "mcp" });
    expect(stage.recorded(slotId!)).toEqual(["slot taken", "hash written", "hash expires"]);

    await stage.pass(10_000);
    await stage.untilRow(id, "success");
    expect(await stage.bench.slots("ruby")).toEqual([slotId]);
    await stage.pass(5);
    await ended;
    expect(await stage.bench.redis.keys("agent:*")).toEqual([]);
  });

  test("goes on without a slot where none is free, listed, and so do two more but not a fourth", async () => {
    await stage.addAgent();
    const first = await startTurn();
    const others = [await startTurn(), await startTurn(), await startTurn()];
    expect(others.map(({ hasSlot }) => hasSlot)).toEqual([false, false, false]);
    expect(await stage.platform.chat({ agent: "ruby" })).toBeNull();
    expect(await stage.bench.redis.llen("agent:queue:ruby")).toBe(3);
    expect(await stage.bench.slots("ruby")).toHaveLength(1);
    expect(Object.values(await stage.bench.rows("ruby"))).toEqual(Array(4).fill("running"));
    for (const { id } of [first, ...others]) await stage.platform.cancel(id);
    await stage.pass(5, 4);
    await Promise.all([first, ...others].map(({ ended }) => ended));
    expect(await stage.bench.redis.keys("agent:*")).toEqual([]);
    expect(stage.bench.lines).toEqual([]);
  });

  test("is refused where it does not want to go on without a slot, and where the agent is deleted", async () => {
    await stage.addAgent();
    await startTurn();
    expect(await stage.platform.chat({ agent: "ruby", whenFull: "refuse" })).toBeNull();
    expect(await stage.bench.redis.llen("agent:queue:ruby")).toBe(0);
    await stage.platform.agents.remove("ruby");
    expect(await stage.platform.chat({ agent: "ruby" })).toBeNull();
  });

  test("that is parked leaves its slot as it was, and its row's age begins anew", async () => {
    await stage.addAgent();
    const { id } = await startTurn({ agent: "ruby", task: { parkedMs: 20_000, runMs: 10_000 } });
    const scored = () => stage.bench.redis.zrange("agent:slots:ruby", 0, -1, "WITHSCORES");
    const { started_at: admitted } = await stage.row(id);
    const acquired = await scored();
    await stage.pass(15_000);
    await stage.pass(5_000);
    await stage.clock.sleeping(200);
    expect(await scored()).toEqual(acquired);
    expect(await stage.row(id)).toMatchObject({ queued_at: admitted, claude_session_id: "dispatched" });
    expect(String((await stage.row(id)).started_at) > String(admitted)).toBe(true);
  });

  test("gives its slot back where the agent is deleted before the row is made", async () => {
    await stage.addAgent();
    const started = stage.platform.chat({ agent: "ruby" });
    await stage.clock.sleeping(40);
    // Only the roster: the slot is to be the turn's to give back.
    await stage.bench.database.execute("DELETE FROM agent_ownership");
    stage.clock.advance(40);
    expect(await started).toBeNull();
    await until(async () => expect(await stage.bench.redis.keys("agent:*")).toEqual([]));
  });
});
