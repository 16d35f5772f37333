/** How agents go on each release, what is left of them, and the alarms that stand beside what belongs to agents. */
import { afterEach, expect, test } from "vitest";
import { BELONGINGS, hasTable } from "../../../infra/platform/schema.ts";
import { describeLive, until } from "../../support/live.ts";
import { type SteppedPlatform, startSteppedPlatform } from "../../support/stepped-platform.ts";

describeLive(["redis-server"], "a deleted agent", () => {
  let stage: SteppedPlatform;
  const containers = new Set<string>();
  const daemon = {
    create: async (agent: string) => void containers.add(agent),
    remove: async (agent: string) => void containers.delete(agent),
  };
  afterEach(() => stage.close());

  /** Makes ruby with runs in every state, and a slot that nothing gives back. */
  async function populate() {
    await stage.addAgent({ schedule: { cron: "0 0 1 1 *" } });
    const running = (await stage.platform.submit({ agent: "ruby", task: { runMs: 10_000 } }))!;
    await stage.pass(60);
    await stage.untilSlots(running);
    const queued = (await stage.platform.submit({ agent: "ruby" }))!;
    await stage.pass(60);
    await stage.untilRow(queued, "queued");
    const dispatched = (await stage.platform.runSchedule({ agent: "ruby" }))!;
    await stage.bench.redis.zadd("agent:slots:ruby", 1, "leaked");
    await stage.bench.redis.hset("agent:slot:ruby:leaked", { timeout_seconds: "60" });
    return [running, queued, dispatched];
  }
  const named = async (release: "seed" | "today") => {
    const tables = ["agent_ownership", ...BELONGINGS.filter((table) => hasTable(release, table))];
    const counts = await Promise.all(
      tables.map(async (table) => {
        const { rows } = await stage.bench.database.execute(
          `SELECT COUNT(*) AS n FROM ${table} WHERE agent_name = 'ruby'`,
        );
        return [table, Number(rows[0]!.n)] as const;
      }),
    );
    return counts.filter(([, n]) => n > 0).map(([table]) => table);
  };
  /** Nothing of it goes on, and its executions are kept. */
  async function expectStopped(ids: readonly string[]) {
    expect(await stage.platform.submit({ agent: "ruby" })).toBeNull();
    expect(await stage.platform.runSchedule({ agent: "ruby" })).toBeNull();
    await stage.pass(5);
    await until(async () => expect(stage.clock.sleeps().filter((ms) => ms < 45_000)).toEqual([]));
    expect(await stage.bench.redis.keys("agent:*")).toEqual([]);
    expect(await stage.bench.rows("ruby")).toEqual(Object.fromEntries(ids.map((id) => [id, "cancelled"])));
    expect(containers.size).toBe(0);
    expect(stage.bench.lines).toEqual([]);
  }

  test("leaves nothing but its executions on the release of the seed", async () => {
    stage = await startSteppedPlatform({ release: "seed", containers: daemon });
    const ids = await populate();
    expect((await named("seed")).length).toBe(11);
    expect(await stage.platform.agents.remove("ruby")).toBe(true);
    expect(await stage.platform.agents.remove("ruby")).toBe(false);
    expect(await named("seed")).toEqual([]);
    await expectStopped(ids);
  });

  test("stays on the roster of today's, marked, with all its rows, until it is purged", async () => {
    stage = await startSteppedPlatform({ containers: daemon });
    const ids = await populate();
    expect(await stage.platform.agents.purge("ruby")).toBe(false);
    expect(await stage.platform.agents.remove("ruby")).toBe(true);
    expect(await stage.platform.agents.remove("ruby")).toBe(false);
    for (const table of ["agent_ownership", "agent_schedules"]) {
      const { rows } = await stage.bench.database.execute(`SELECT deleted_at FROM ${table}`);
      expect(rows).toEqual([{ deleted_at: expect.stringMatching(/Z$/) }]);
    }
    expect((await named("today")).length).toBe(12);
    await expect(stage.addAgent()).rejects.toThrow("there is an agent ruby already");
    await expectStopped(ids);

    expect(await stage.platform.agents.purge("ruby")).toBe(true);
    expect(await named("today")).toEqual([]);
    expect(await stage.bench.rows("ruby")).toEqual(Object.fromEntries(ids.map((id) => [id, "cancelled"])));
    expect(stage.bench.events.map(({ what }) => what).filter((what) => what.startsWith("agent"))).toEqual([
      "agent",
      "agent deleted softly",
      "agent removed",
    ]);
    await stage.addAgent();
  });

  test("leaves its rows in the other tables by a known bug of the old release", async () => {
    stage = await startSteppedPlatform({ release: "seed", bugs: { deleteLeavesRows: true } });
    await stage.addAgent();
    await stage.platform.agents.remove("ruby");
    expect(await named("seed")).toEqual(BELONGINGS.filter((table) => hasTable("seed", table)));
    expect(stage.bench.events.at(-1)).toMatchObject({ what: "agent removed", leavesRows: true });
  });

  test("has a cancelled run take all slots of its agent with it, by a known bug", async () => {
    stage = await startSteppedPlatform({ bugs: { cancelClearsAllSlots: true } });
    await stage.addAgent({ maxParallelTasks: 2 });
    const ids = [
      await stage.platform.submit({ agent: "ruby" }),
      await stage.platform.submit({ agent: "ruby" }),
    ];
    await stage.clock.sleeping(60, 2);
    stage.clock.advance(60);
    await stage.untilSlots(...(ids as string[]));
    await stage.platform.cancel(ids[0]!);
    expect(await stage.bench.slots("ruby")).toEqual([]);
    expect(await stage.bench.rows("ruby")).toMatchObject({ [ids[1]!]: "running" });
  });

  test("is no name of an alarm: those are pending in operator_queue until they are resolved", async () => {
    stage = await startSteppedPlatform();
    await stage.platform.alarms.raise("_db-backup");
    await stage.platform.alarms.raise("_db-backup");
    const alarms = async () =>
      (await stage.bench.database.execute("SELECT agent_name, status FROM operator_queue")).rows;
    expect(await alarms()).toEqual([{ agent_name: "_db-backup", status: "pending" }]);
    await stage.platform.alarms.resolve("_db-backup");
    expect(await alarms()).toEqual([{ agent_name: "_db-backup", status: "resolved" }]);
  });

  test("and a release lacks what came later", async () => {
    stage = await startSteppedPlatform({ release: "seed" });
    await stage.addAgent();
    await expect(stage.platform.setCeiling(5)).rejects.toThrow("has no cap for all agents");
    await expect(stage.addAgent({ name: "b", isPull: true })).rejects.toThrow("has no pull agents");
    const { rows } = await stage.bench.database.execute(
      "SELECT name FROM sqlite_master WHERE name IN ('agent_reports', 'system_settings')",
    );
    expect(rows).toEqual([]);
  });
});
