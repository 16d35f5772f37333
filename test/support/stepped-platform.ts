/** A simulated platform on a clock that the test moves, with one agent `ruby`, and what a reader of its stores sees. */
import { expect } from "vitest";
import type { AgentSpec } from "../../infra/platform/agents.ts";
import { type Platform, type PlatformOptions, startPlatform } from "../../infra/platform/platform.ts";
import type { Release } from "../../infra/platform/releases.ts";
import { until } from "./live.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { type PlatformBench, startPlatformBench } from "./platform-bench.ts";

/** Each time that something waits for differs from the others, so that a test can tell them apart. */
export const SWEEP_MS = 60_000;
export const DISPATCH_MS = 4_700;
export const PULL = { pollEveryMs: 7_000, leaseMs: 90_000, reapEveryMs: 45_000 } as const;

export interface SteppedPlatform {
  readonly bench: PlatformBench;
  readonly clock: ManualClock;
  readonly platform: Platform;
  /** Makes the agent ruby: one slot, a timeout of 60 s. */
  addAgent(more?: Partial<AgentSpec>): Promise<void>;
  /** Lets time pass to the end of a sleep of that length, once there are so many. */
  pass(ms: number, count?: number): Promise<void>;
  /** All columns of a row. */
  row(id: string): Promise<Readonly<Record<string, unknown>>>;
  untilRow(id: string, status: string): Promise<void>;
  untilSlots(...ids: string[]): Promise<void>;
  /** The statuses and other changes of an execution or a slot, in their order. */
  recorded(id: string): string[];
  close(): Promise<void>;
}

/** @param options of the platform; `startMs` is the wall clock at the start */
export async function startSteppedPlatform({
  release = "today",
  startMs = Date.now(),
  ...options
}: Partial<PlatformOptions> & { release?: Release; startMs?: number } = {}): Promise<SteppedPlatform> {
  const bench = await startPlatformBench("file", release);
  const clock = manualClock(startMs);
  const platform = await startPlatform({
    ...bench.options,
    clock,
    sweepEveryMs: () => SWEEP_MS,
    dispatchMs: () => DISPATCH_MS,
    pullTimes: PULL,
    ...options,
  });
  return {
    bench,
    clock,
    platform,
    addAgent: (more = {}) =>
      platform.agents.create({ name: "ruby", maxParallelTasks: 1, executionTimeoutSeconds: 60, ...more }),
    async pass(ms, count = 1) {
      await clock.sleeping(ms, count);
      clock.advance(ms);
    },
    row: async (id) =>
      (await bench.database.execute({ sql: "SELECT * FROM schedule_executions WHERE id = ?", args: [id] }))
        .rows[0]!,
    untilRow: (id, status) => until(async () => expect((await bench.rows("ruby"))[id]).toBe(status)),
    untilSlots: (...ids) => until(async () => expect(await bench.slots("ruby")).toEqual([...ids].sort())),
    recorded: (id) =>
      bench.events.flatMap((event) =>
        "executionId" in event && event.executionId === id
          ? [event.what === "row" ? event.status : event.what]
          : [],
      ),
    async close() {
      await platform.stop();
      await bench.close();
    },
  };
}
