/** Which schedules are read as perhaps overdue, and which installations have none to read. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ago, BACKENDS, type MemoryPlatform, memoryPlatform } from "../../support/sql-facts.ts";

describe.each(BACKENDS)("on %s", (backend) => {
  let platform: MemoryPlatform;
  beforeEach(async () => {
    platform = await memoryPlatform(backend);
  });
  afterEach(() => platform.client.close());

  const add = (id: string, row: Record<string, string | number | null>) =>
    platform.insert("agent_schedules", { id, agent_name: "ruby", enabled: 1, ...row });
  const ids = async () => (await platform.value("schedules")).map(({ id }) => id).sort();

  test("an enabled schedule whose next run is past is read as it is stored", async () => {
    await add("late", { next_run_at: ago(4_000) });
    expect(await platform.value("schedules")).toEqual([
      { id: "late", agent: "ruby", nextRunAt: ago(4_000), nextRunAtMs: Date.parse(ago(4_000)) },
    ]);
  });

  test("a schedule that is disabled, deleted, not planned, or planned ahead is not read", async () => {
    await add("disabled", { next_run_at: ago(4_000), enabled: 0 });
    await add("never enabled", { next_run_at: ago(4_000), enabled: null });
    await add("deleted", { next_run_at: ago(4_000), deleted_at: ago(60) });
    await add("not planned", { next_run_at: null });
    await add("empty", { next_run_at: "" });
    await add("ahead", { next_run_at: ago(-60) });
    expect(await ids()).toEqual([]);
  });

  test("a next run of another shape is for the check to read", async () => {
    await add("california", { next_run_at: "2026-11-23T00:00:00-08:00" });
    await add("tokyo", { next_run_at: "2026-11-23T18:00:00+09:00" });
    await add("naive", { next_run_at: "2026-11-23T08:00:00" });
    await add("spaced", { next_run_at: "2026-11-23 08:00:00" });
    await add("word", { next_run_at: "soon" });
    const rows = await platform.value("schedules");
    expect(Object.fromEntries(rows.map((row) => [row.id, row.nextRunAtMs]))).toEqual({
      california: Date.parse("2026-11-23T08:00:00Z"),
      tokyo: Date.parse("2026-11-23T09:00:00Z"),
      naive: Date.parse("2026-11-23T08:00:00Z"),
      spaced: Date.parse("2026-11-23T08:00:00Z"),
      word: null,
    });
  });

  test("an installation whose schedules can't be deleted softly", async () => {
    await platform.client.execute("ALTER TABLE agent_schedules DROP COLUMN deleted_at");
    await add("late", { next_run_at: ago(4_000) });
    expect(await ids()).toEqual(["late"]);
  });

  test.for([
    ["agent_schedules", "DROP TABLE agent_schedules", "table agent_schedules is missing"],
    [
      "next_run_at",
      "ALTER TABLE agent_schedules RENAME COLUMN next_run_at TO n",
      "column next_run_at is missing",
    ],
    ["enabled", "ALTER TABLE agent_schedules RENAME COLUMN enabled TO e", "column enabled is missing"],
  ])("an installation without %s is left out, and nothing is unavailable", async ([, statement, why]) => {
    await platform.client.execute(statement!);
    expect(await platform.read("schedules")).toEqual({
      reading: { read: false, off: true, reason: `${backend}.schedules: ${why}` },
      unavailable: [],
    });
  });

  test("a database without a roster is no release of the platform: the fact is unread, not left out", async () => {
    await platform.client.execute("DROP TABLE agent_ownership");
    await platform.client.execute("DROP TABLE agent_schedules");
    expect(await platform.read("schedules")).toEqual({
      reading: { read: false, reason: `${backend}.schedules: table agent_ownership is missing` },
      unavailable: [`${backend}.schedules: table agent_ownership is missing`],
    });
  });

  test("a soft-deleted agent is on the roster, as deleted; without the column nobody is", async () => {
    for (const [agent_name, deleted_at] of [
      ["here", null],
      ["emptied", ""],
      ["gone", ago(60)],
    ] as const)
      await platform.insert("agent_ownership", { agent_name, deleted_at });
    const deleted = async () =>
      [...(await platform.value("roster"))].flatMap(([name, { isDeleted }]) => (isDeleted ? [name] : []));
    expect(await deleted()).toEqual(["gone"]);
    await platform.client.execute("ALTER TABLE agent_ownership DROP COLUMN deleted_at");
    expect(await deleted()).toEqual([]);
  });
});
