/** Finished rows with wrong times are found among the newest, however the platform wrote the times. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ago, BACKENDS, type MemoryPlatform, memoryPlatform } from "../../support/sql-facts.ts";

describe.each(BACKENDS)("on %s", (backend) => {
  let platform: MemoryPlatform;
  afterEach(() => platform.client.close());

  const withoutIndex = async () =>
    void (await platform.client.execute("DROP INDEX idx_executions_completed_terminal"));
  const idsOf = async (fact: "endedWithoutTime" | "endedBeforeStart") =>
    (await platform.value(fact)).map(({ id }) => id).sort();
  let batches = 0;
  const batch = () => {
    batches += 1;
    return batches;
  };
  /** Old rows without completed_at. */
  const addOld = (n: number, status: string, startedAt: string) =>
    platform.client.execute(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n})
INSERT INTO schedule_executions (id, schedule_id, agent_name, status, started_at, message, triggered_by)
SELECT 'old-' || ${batch()} || '-' || i, 's', 'ruby', '${status}', '${startedAt}', 'm', 'manual' FROM n`);

  describe.each([
    ["with the index on completed_at", true],
    ["without it", false],
  ])("%s", (_, hasIndex) => {
    beforeEach(async () => {
      platform = await memoryPlatform(backend);
      await platform.insert("agent_ownership", { agent_name: "ruby" });
      if (!hasIndex) await withoutIndex();
    });

    test("a run that ended without saying when is read as it is stored", async () => {
      await platform.addRun({ id: "lost", status: "failed", started_at: ago(90) });
      await platform.addRun({ id: "fine", completed_at: ago(30) });
      expect(await platform.value("endedWithoutTime")).toEqual([
        {
          id: "lost",
          agent: "ruby",
          status: "failed",
          startedAt: ago(90),
          startedAtMs: Date.parse(ago(90)),
          completedAt: null,
          completedAtMs: null,
        },
      ]);
    });

    test("skipped, queued, running and waiting rows may lack it", async () => {
      for (const status of ["skipped", "queued", "running", "pending_retry"])
        await platform.addRun({ id: status, status });
      for (const status of ["success", "failed", "cancelled"]) await platform.addRun({ id: status, status });
      expect(await idsOf("endedWithoutTime")).toEqual(["cancelled", "failed", "success"]);
    });

    test("rows of an old installation are left out, and the newest is found behind 5,000 of them", async () => {
      await addOld(6_000, "success", "2026-01-01T00:00:00.000000Z");
      await platform.addRun({ id: "lost" });
      expect(await idsOf("endedWithoutTime")).toEqual(["lost"]);
    });

    test("a row that is older than the 5,000 newest is not looked at", async () => {
      await platform.addRun({ id: "far" });
      await addOld(5_000, "success", "2026-01-01T00:00:00.000000Z");
      // In PostgreSQL it is the newest of its agent, wherever it stands.
      expect(await idsOf("endedWithoutTime")).toEqual(backend === "sqlite" ? [] : ["far"]);
    });

    test("a start of another shape is for the check to read", async () => {
      for (const [id, started_at] of [
        ["naive", "2026-11-23T09:59:00.123456"],
        ["offset", "2026-11-23T01:59:00-08:00"],
        ["word", "(unknown)"],
        ["empty", ""],
      ])
        await platform.addRun({ id: id!, started_at: started_at! });
      const rows = await platform.value("endedWithoutTime");
      expect(Object.fromEntries(rows.map((row) => [row.id, row.startedAtMs !== null]))).toEqual({
        naive: true,
        offset: true,
        word: false,
        empty: false,
      });
    });

    test("runs that ended before they started, in each status that is an end", async () => {
      for (const status of ["success", "failed", "cancelled", "skipped"])
        await platform.addRun({ id: status, status, started_at: ago(60), completed_at: ago(90) });
      await platform.addRun({ id: "fine", started_at: ago(90), completed_at: ago(60) });
      await platform.addRun({ id: "running", status: "running", completed_at: ago(90) });
      await platform.addRun({ id: "old", started_at: ago(90_000), completed_at: ago(90_100) });
      await platform.addRun({ id: "without an end", started_at: ago(60) });
      expect(await idsOf("endedBeforeStart")).toEqual(["cancelled", "failed", "skipped", "success"]);
    });

    test("a run that ended hours before it started, and one that began before 5,000 others", async () => {
      await platform.addRun({ id: "long", started_at: ago(60), completed_at: ago(90) });
      await addOld(6_000, "running", ago(120));
      await platform.addRun({ id: "local time", started_at: ago(60), completed_at: ago(8 * 3_600) });
      expect(await idsOf("endedBeforeStart")).toEqual(
        hasIndex || backend === "postgres" ? ["local time", "long"] : ["local time"],
      );
    });

    test.for([
      ["a space for the T", "2026-11-23 09:58:30", "2026-11-23T09:59:00.123456Z"],
      ["a naive start", "2026-11-23T09:58:30.123456Z", "2026-11-23T09:59:00.123456"],
      ["+00:00", "2026-11-23T09:58:30+00:00", "2026-11-23T09:59:00.123456Z"],
      ["California's time", "2026-11-23T01:58:30-08:00", "2026-11-23T09:59:00.123456Z"],
      ["India's time", "2026-11-23T15:28:30+05:30", "2026-11-23T09:59:00.123456Z"],
      ["a start in California's time", "2026-11-23T09:58:30.123456Z", "2026-11-23T01:59:00-08:00"],
      ["a platform whose clock is ahead", "2026-11-23T10:29:00.123456Z", "2026-11-23T10:30:00.123456Z"],
    ])("an end before the start is not hidden by %s", async ([, completed_at, started_at]) => {
      await platform.addRun({ id: "odd", completed_at: completed_at!, started_at: started_at! });
      const [row] = await platform.value("endedBeforeStart");
      expect(row!.startedAtMs! - row!.completedAtMs!).toBeGreaterThan(20_000);
    });
  });

  describe.each(["endedWithoutTime", "endedBeforeStart"] as const)("%s, on an older release", (fact) => {
    beforeEach(async () => {
      platform = await memoryPlatform(backend);
      await withoutIndex();
    });

    test.for(["started_at", "completed_at"])(
      "without %s it is left out, and nothing is unavailable",
      async (column) => {
        await platform.client.execute(`ALTER TABLE schedule_executions RENAME COLUMN ${column} TO c`);
        expect(await platform.read(fact)).toEqual({
          reading: { read: false, off: true, reason: `${backend}.${fact}: column ${column} is missing` },
          unavailable: [],
        });
      },
    );

    test("a database without executions is no release of the platform: unread, not left out", async () => {
      await platform.client.execute("DROP TABLE schedule_executions");
      const reason = `${backend}.${fact}: table schedule_executions is missing`;
      expect(await platform.read(fact)).toEqual({ reading: { read: false, reason }, unavailable: [reason] });
    });
  });
});
