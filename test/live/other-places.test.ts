/** A canary that is pointed to a place that is not the platform's: one alert that names the cause, and nothing else is red. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { emptyRoster } from "../../infra/faults/h-01-empty-roster.ts";
import { leftBehindDatabase } from "../../infra/faults/h-02-left-behind-database.ts";
import type { Controls } from "../../infra/faults/target.ts";
import { type TestAgent, testAgent } from "../../infra/faults/test-agent.ts";
import type { Backend } from "../../infra/platform/file-client.ts";
import { type Harness, openHarness } from "../../infra/soak/harness.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import type { CycleReport } from "../../shared/wire/schemas/cycles.ts";
import { describeLive } from "../support/live.ts";
import { idsReading } from "../support/registry.ts";

const LIMITS = { maxParallelTasks: 2, executionTimeoutSeconds: 600 };

describeLive(["redis-server"], "a canary that reads another place than the platform's, on SQLite", () =>
  stories("sqlite"),
);
describeLive(
  ["redis-server", "postgres"],
  "a canary that reads another place than the platform's, on PostgreSQL",
  () => stories("postgres"),
);

function stories(backend: Backend) {
  let harness: Harness;
  let agent: TestAgent;
  /** How far the canary's clock is ahead, for what has to last. */
  let aheadMs = 0;
  beforeAll(async () => {
    harness = await openHarness({
      docker: { absent: "these stories need no container" },
      release: "today",
      database: backend,
      scale: 1,
      confirmMs: 20,
      maxQueued: 100,
      sweepEveryMs: () => 1_000,
      dispatchMs: () => 100,
    });
  });
  afterAll(() => harness?.close());
  beforeEach(async ({ task }) => {
    // No two stories may use the same ids: E-02 remembers those that have ended.
    agent = testAgent(harness.target, { name: "ruby", limits: LIMITS, runPrefix: `${task.id}-run-` });
    await agent.enlist();
  });
  afterEach(() => agent.unlist());

  /** Runs a cycle, to which what is pointed now applies. */
  async function cycle(): Promise<CycleReport> {
    harness.beginCycle();
    const canary = { ...harness.canary, now: () => Date.now() + aheadMs };
    const outcome = await runCycle(canary, { trigger: "test" });
    if (outcome.kind !== "done") throw new Error(`the cycle did not happen: ${outcome.kind}`);
    return outcome.report;
  }
  /** Does something that points the canary elsewhere, which takes effect as its next cycle begins. */
  async function pointed(point: () => Promise<unknown>): Promise<void> {
    let isDone = false;
    const done = point().finally(() => {
      isDone = true;
    });
    while (!isDone) {
      harness.beginCycle();
      await new Promise(setImmediate);
    }
    await done;
  }

  const idsOf = (report: CycleReport, status: string) =>
    Object.keys(report.verdicts).filter((id) => report.verdicts[id]!.status === status);
  const alertsSince = (before: ReadonlyMap<string, number>) =>
    [...harness.alerts].filter(([name, count]) => count !== (before.get(name) ?? 0)).sort();

  /** Asserts one alert that names the cause, and that all that rests on the source is unknown for it. */
  async function expectStory(
    id: string,
    because: string,
    resting: readonly string[],
    {
      point,
      red = cycle,
      cure,
    }: { point(): Promise<unknown>; red?(): Promise<CycleReport>; cure(): Promise<unknown> },
  ) {
    const before = new Map(harness.alerts);
    const healthy = await cycle();
    const run = INVARIANT_IDS.filter((one) => one in healthy.verdicts);
    expect(idsOf(healthy, "green")).toEqual(run);
    await pointed(point);
    for (const report of [await red(), await cycle()]) {
      expect(report.violations.map((v) => v.invariant_id)).toEqual([id]);
      expect(idsOf(report, "red")).toEqual([id]);
      const unknown = run.filter((one) => one !== id && resting.includes(one));
      expect(idsOf(report, "unknown")).toEqual(unknown);
      for (const one of unknown) expect(report.verdicts[one]!.reason).toBe(`${id}: ${because}`);
    }
    expect(alertsSince(before)).toEqual([[`broke ${id}`, expect.any(Number)]]);
    await pointed(cure);
    const cured = await cycle();
    expect(idsOf(cured, "green")).toEqual(run);
    expect(cured.recoveries.map((r) => r.invariant_id)).toEqual([id]);
    const once = (name: string) => [name, (before.get(name) ?? 0) + 1];
    expect(alertsSince(before)).toEqual([once(`broke ${id}`), once(`recovered ${id}`)]);
  }
  const controls = () => harness.target.controls as Controls;
  const DATABASE = () => [...idsReading(backend), ...idsReading("queue_counts")];

  test("another database number of the same Redis, beside running rows of two agents: H-03, and no slot is missed", async () => {
    const { twin } = agent;
    await twin.enlist();
    for (const one of [agent, twin]) {
      await one.addRun(one.id(1));
      await one.addSlot(one.id(1));
    }
    await expectStory("H-03", "Redis is not the one that the platform writes", idsReading("redis"), {
      point: () => controls().pointCanaryTo("other database number"),
      cure: () => controls().pointCanaryTo(null),
    });
    for (const one of [agent, twin]) await one.settle();
    await twin.unlist();
  });

  test("a copy of the database from a day ago, with runs and a queue frozen in it: H-02, and none of them is accused", async () => {
    await leftBehindDatabase.prepare!(agent);
    await expectStory("H-02", "the database is not the one that the platform writes", DATABASE(), {
      point: () => leftBehindDatabase.provoke(agent),
      cure: () => leftBehindDatabase.cure(agent),
    });
  });

  test("a database without agents, while one holds a slot: H-01 once it has lasted for a minute", async () => {
    await emptyRoster.prepare!(agent);
    await expectStory("H-01", "the roster of agents is empty or can't be read", DATABASE(), {
      point: () => emptyRoster.provoke(agent),
      async red() {
        expect((await cycle()).violations).toEqual([]);
        aheadMs += 61_000;
        return cycle();
      },
      cure: () => emptyRoster.cure(agent),
    });
  });
}
