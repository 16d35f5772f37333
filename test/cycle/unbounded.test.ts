/** Whatever a cycle finds, it is remembered, operators are notified, and the answer is one that a function can give. */
import { describe, expect, test } from "vitest";
import { redactor } from "../../shared/config/redactor.ts";
import { runCycle } from "../../shared/cycle/run-cycle.ts";
import { SourceError } from "../../shared/errors.ts";
import { collect } from "../../shared/sources/collect.ts";
import type { DayStats } from "../../shared/store/history.ts";
import { createApp } from "../../shared/web/app.ts";
import { bytesOf, fitInto } from "../../shared/wire/fit-into.ts";
import { live, runningRow, type ScriptedCanary, START_MS, slot, useCanaries } from "../support/cycle.ts";
import { rosterOf, slotsOf } from "../support/facts.ts";

const canaryOf = useCanaries();
const LAMBDA_ANSWER_BYTES = 6_291_556;
const HOUR_MS = 3_600_000;

const range = (canary: ScriptedCanary) => ({
  startMs: canary.now() - HOUR_MS,
  endMs: canary.now(),
  nowMs: canary.now(),
});

describe("2,200 violations", () => {
  test("are reported, counted, and recorded up to a number that DynamoDB takes in time", async () => {
    const canary = await canaryOf();
    const agents = Array.from({ length: 1_100 }, (_, i) => `agent-${i}`);
    canary.set({
      roster: rosterOf(Object.fromEntries(agents.map((agent) => [agent, { maxParallelTasks: 1 }]))),
      slots: slotsOf(Object.fromEntries(agents.map((agent) => [agent, [slot("a"), slot("b")]]))),
    });
    const report = await canary.cycle("S-01", "S-02");
    expect(report.transitions.map((t) => [t.invariant_id, t.violations_in_cycle])).toEqual([
      ["S-01", 1_100],
      ["S-02", 1_100],
    ]);
    expect(report.violations_total).toBe(2_200);
    // Of each invariant the same share.
    const shown = (id: string) => report.violations.filter((v) => v.invariant_id === id).length;
    expect([shown("S-01"), shown("S-02")]).toEqual([1_000, 1_000]);
    expect(bytesOf(report)).toBeLessThan(LAMBDA_ANSWER_BYTES);

    const { items } = await canary.store.history.listCycles(range(canary), 10, null);
    expect(items[0]).toMatchObject({ violation_count: 2_200, found: { "S-02": { violations: 1_100 } } });
    const [{ counts }] = (await canary.store.history.stats(range(canary))) as [DayStats];
    expect(counts).toContainEqual({ invariantId: "S-01", severity: "critical", count: 1_100 });
    const violations = await canary.store.history.listViolations(range(canary), 1_000, null);
    expect(violations.items).toHaveLength(1_000);

    canary.set({ slots: slotsOf({}) });
    expect((await canary.cycle("S-01", "S-02")).recoveries).toHaveLength(2);
  });
});

describe("an answer", () => {
  const LONG = "\u0001名".repeat(450);
  const NAMES = Array.from({ length: 1_100 }, (_, i) => `${i}${LONG}`);
  /** The first cycle will find every agent red by long ids. */
  async function hostile(): Promise<ScriptedCanary> {
    const canary = await canaryOf();
    canary.set({
      roster: rosterOf(Object.fromEntries(NAMES.map((name) => [name, { maxParallelTasks: 1 }]))),
      slots: slotsOf(Object.fromEntries(NAMES.map((name) => [name, [slot(`a${LONG}`), slot(`b${LONG}`)]]))),
    });
    return canary;
  }
  const app = (canary: ScriptedCanary) =>
    createApp({
      canary: canary.deps,
      runCycle: (request) => runCycle(canary.deps, request),
      adminToken: "a-token-of-more-than-24-characters",
      logError: () => {},
    });

  test("of any route is smaller than Lambda's limit, and is valid JSON or text", async () => {
    const canary = await hostile();
    const headers = { authorization: "Bearer a-token-of-more-than-24-characters" };
    for (const [method, path] of [
      ["POST", "/api/canary/run-cycle"],
      ["GET", "/api/canary/status"],
      ["GET", "/api/canary/violations?limit=1000"],
      ["GET", "/api/canary/cycles?limit=1000"],
      ["GET", "/metrics"],
    ] as const) {
      const response = await app(canary).request(path, { method, headers });
      expect(response.status).toBe(200);
      const body = Buffer.from(await response.arrayBuffer());
      expect([path, body.length < LAMBDA_ANSWER_BYTES, body.length]).toEqual([path, true, body.length]);
      if (response.headers.get("content-type")?.includes("json")) JSON.parse(body.toString());
    }
  });

  test("of a list of large items has fewer of them, and its cursor leads to all", async () => {
    const canary = await canaryOf();
    const ids = Array.from({ length: 250 }, (_, i) => slot(`${i}-${"x".repeat(900)}`));
    for (let i = 0; i < 40; i += 1) {
      canary.set({ slots: slotsOf({ alpha: i % 2 === 0 ? ids : ids.slice(1) }) });
      await canary.cycle("S-01");
    }
    const headers = { authorization: "Bearer a-token-of-more-than-24-characters" };
    const seen: number[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const more: string = cursor && `&cursor=${cursor}`;
      const response = await app(canary).request(`/api/canary/violations?limit=1000${more}`, { headers });
      const body = await response.text();
      expect(body.length).toBeLessThan(LAMBDA_ANSWER_BYTES);
      const page = JSON.parse(body) as { violations: { id: number }[]; next_cursor: string | null };
      seen.push(...page.violations.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(new Set(seen).size).toBe(40);
    expect(seen).toHaveLength(40);
  });

  test("that is cut says how long its lists were", () => {
    const value = { names: Array.from({ length: 2_000 }, () => "x".repeat(100)), total: 3 };
    expect(fitInto(value, 100_000)).toEqual({
      names: value.names.slice(0, 500),
      names_total: 2_000,
      total: 3,
    });
    expect(fitInto(value, 1_000_000)).toBe(value);
  });
});

describe("a number that can't be stored", () => {
  test.each([1e300, -1e300, Number.POSITIVE_INFINITY, 2 ** 53, 600.5])(
    "%d is shown as text, and keeps no transition from being written",
    async (timeout) => {
      const canary = await canaryOf();
      canary.set({
        executions: live(runningRow("r-1", "alpha", { startedAtMs: START_MS - 1000 * HOUR_MS })),
        slots: slotsOf({ alpha: [slot("x", { timeoutSeconds: timeout, ttlSeconds: 1 })] }),
        sessions: new Set(["r-1"]),
      });
      const report = await canary.cycle("S-01", "S-03", "E-01");
      expect(report.transitions.map((t) => t.invariant_id)).toContain("S-01");
      const violations = await canary.store.history.listViolations(range(canary), 100, null);
      expect(violations.items).toHaveLength(report.violations_total);
      for (const { observed_state } of violations.items)
        for (const value of Object.values(observed_state))
          expect(typeof value !== "number" || Number.isSafeInteger(value)).toBe(true);
    },
  );
});

test("200,000 lines of what could not be read, also where a red is read again", async () => {
  const canary = await canaryOf();
  const lines = Array.from({ length: 200_000 }, (_, i) => `redis.slots[${i}]: WRONGTYPE`);
  canary.set({ slots: slotsOf({ alpha: [slot("e-1")] }) });
  const sources = canary.deps.sources.map((source) =>
    source.name === "redis" && "read" in source
      ? {
          ...source,
          read: async (context: Parameters<typeof source.read>[0]) => ({
            ...(await source.read(context)),
            unavailable: lines,
          }),
        }
      : source,
  );
  const outcome = await runCycle({ ...canary.deps, sources }, { trigger: "test" });
  if (outcome.kind !== "done") throw new Error("the cycle did not happen");
  expect(outcome.report.transitions).toMatchObject([{ invariant_id: "S-01" }]);
  expect(outcome.report.sources_unavailable).toHaveLength(501);
  expect(outcome.report.sources_unavailable.at(-1)).toBe("and 199500 more lines");
});

describe("a line", () => {
  const TOKEN = "token-that-redis-sends-back-1234567890";

  test("is cut after its secrets were taken out, so that no part of one is left at the cut", async () => {
    const canary = await canaryOf();
    const deps = { ...canary.deps, redact: redactor([TOKEN]) };
    for (let before = 200; before < 300; before += 1) {
      canary.when("redis", async () => {
        throw new SourceError("x".repeat(before) + TOKEN);
      });
      const { unavailable, readings } = await collect({
        sources: deps.sources,
        wanted: new Set(["slots"]),
        deadlineMs: 10_000,
        now: canary.now,
        since: { ended: null },
        redact: deps.redact,
        isStranger: () => false,
      });
      const texts = [...unavailable, JSON.stringify(readings)];
      for (const text of texts) expect(text).not.toMatch(/token-th|en-that/);
      expect(unavailable[0]!.length).toBeLessThanOrEqual(300);
    }
  });

  test("of 30 million characters is a line of 300 everywhere", async () => {
    const canary = await canaryOf();
    canary.when("redis", async () => {
      throw new SourceError("x".repeat(30_000_000));
    });
    const report = await canary.cycle();
    expect(Math.max(...report.sources_unavailable.map((line) => line.length))).toBe(300);
    expect(report.verdicts["S-02"]?.reason).toHaveLength(300);
    expect(Math.max(...(await canary.memory()).lastFullCycle!.sourcesUnavailable.map((l) => l.length))).toBe(
      300,
    );
  });
});
