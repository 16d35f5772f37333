/** The churn: runs of every kind, queues that overflow and drain, agents that come and go, sweeps, clocks that jump. */
import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { AgentSpec } from "../platform/agents.ts";
import { timestamp } from "../platform/clock.ts";
import { textOf } from "../platform/context.ts";
import type { Task } from "../platform/task.ts";
import { type Random, seededRandom } from "./random.ts";
import type { Stage } from "./stage.ts";

export interface Load {
  readonly agents: readonly AgentSpec[];
  /** Agents that are left as they are, but for their runs. */
  readonly held: Set<string>;
  readonly sweeps: Sweeps;
  /** How often each kind of thing happened. */
  readonly did: Readonly<Record<"jumps" | "bursts" | "agentsRemade" | "resizes" | "lateSweeps", number>>;
  stop(): Promise<void>;
}

export interface Sweeps {
  /** No sweep begins from now on; one that runs is waited for. */
  hang(): Promise<void>;
  /** Goes on with a sweep at once. */
  resume(): void;
}

export interface LoadOptions {
  readonly seed: number;
  /** Executions a second, of this machine's time. */
  readonly rate: number;
  readonly agentCount: number;
  /** The largest jumps of the platform's wall clock. */
  readonly jumpAheadMs: number;
  readonly jumpBackMs: number;
}

/** What of the slots is taken on average: enough for queues, and for room in between. */
const OCCUPANCY = 0.65;
const CAPS = [3, 8] as const;
const MEAN_CAP = (CAPS[0] + CAPS[1]) / 2;
/** Longer than a start counts as under way, so that every stop is one that a check may judge. */
const LONG_RUN_MS = [3_200, 8_000] as const;
const LATE_SWEEP_MS = [61_000, 72_000] as const;
/** A cycle reads five minutes of what has ended again: a little for one in five minutes, a lot for five in a second. */
const HISTORY_MS = 60_000;
const FORGET_EVERY_MS = 2_000;
const PUMP_EVERY_MS = 10;
const MOST_AT_ONCE = 25;

/** How many rows of one agent may be queued: a quiet fleet never filled the platform's usual 50. */
export const maxQueuedAt = (rate: number): number => (rate >= 50 ? 50 : 10);

/** Runs one thing again and again until it is stopped; what goes wrong is told and ends nothing. */
function repeat(
  stage: Stage,
  signal: AbortSignal,
  every: () => number,
  work: () => Promise<void>,
): Promise<void> {
  const loop = async () => {
    for (;;) {
      await wait(every(), undefined, { signal });
      await work().catch((error) => {
        if (!signal.aborted) stage.log(`the load: ${textOf(error)}`);
      });
    }
  };
  return loop().catch((error) => {
    if (!signal.aborted) stage.log(`the load: ${textOf(error)}`);
  });
}

function startSweeps(stage: Stage, random: Random, signal: AbortSignal, onLate: () => void) {
  let isHung = false;
  let sweeping: Promise<void> = Promise.resolve();
  let cut = new AbortController();
  const pause = async () => {
    // Most come as they should; now and then one is later than the grace of B-02. It stays below what looks dead, also
    // where the heartbeat was written by a clock that was set back.
    const isLate = random.percent(2.5);
    if (isLate) onLate();
    const pauseMs = isLate ? random.between(...LATE_SWEEP_MS) : random.between(1_500, 5_000);
    await wait(pauseMs, undefined, { signal: AbortSignal.any([signal, cut.signal]) }).catch(() => {});
  };
  const loop = async () => {
    while (!signal.aborted) {
      await pause();
      if (isHung || signal.aborted) continue;
      sweeping = stage.platform
        .runMaintenance()
        .catch((error) => stage.log(`a sweep failed: ${textOf(error)}`));
      await sweeping;
    }
  };
  const done = loop();
  const sweeps: Sweeps = {
    async hang() {
      isHung = true;
      await sweeping;
    },
    resume() {
      isHung = false;
      cut.abort();
      cut = new AbortController();
    },
  };
  return { sweeps, done };
}

function drawAgent(random: Random, index: number): AgentSpec {
  return {
    name: `agent-${String(index).padStart(4, "0")}`,
    maxParallelTasks: random.whole(...CAPS),
    executionTimeoutSeconds: random.one([60, 180, 900, 3600]),
  };
}

/** @returns what draws a run, so that at this rate the slots of the fleet are taken as often as they should be */
function taskDrawer(random: Random, { rate, agentCount }: LoadOptions, scale: number) {
  const share = (OCCUPANCY * MEAN_CAP * 1000 * agentCount) / rate;
  const longMs = (LONG_RUN_MS[0] + LONG_RUN_MS[1]) / 2;
  const longPercent = Math.min(8, (50 * share) / longMs);
  const shortMs = Math.min(4_000, (share / 2) * (1 - longPercent / 100));
  return (): Partial<Task> => {
    const isLong = random.percent(longPercent);
    const runMs = (isLong ? random.between(...LONG_RUN_MS) : random.between(0.1, 1.9) * shortMs) * scale;
    if (random.percent(2)) {
      // Fails at its timeout, and its answer comes late.
      const timeoutSeconds = random.whole(2, 4);
      return { timeoutSeconds, runMs: timeoutSeconds * 1000 + random.between(200, 800) };
    }
    if (random.percent(88)) return { runMs };
    const retries = random.whole(0, 1);
    return { runMs, ends: "failed", retries, retryAfterMs: random.between(200, 2_000) * scale };
  };
}

/**
 * Makes the fleet and lets it run.
 * @param options the seed of all that is drawn, and how much is to happen
 * @throws where an agent can't be made
 */
export async function startLoad(stage: Stage, options: LoadOptions): Promise<Load> {
  const { platform, clock } = stage;
  const { seed, rate, agentCount } = options;
  const randomFor = (stream: string) => seededRandom(seed, stream);
  const fleet = randomFor("fleet");
  const agents = Array.from({ length: agentCount }, (_, i) => drawAgent(fleet, i));
  await Promise.all(agents.map((agent) => platform.agents.create(agent)));

  const held = new Set<string>();
  const did = { jumps: 0, bursts: 0, agentsRemade: 0, resizes: 0, lateSweeps: 0 };
  const stopping = new AbortController();
  const { signal } = stopping;
  // As many as there are waits at once: no leak.
  setMaxListeners(0, signal);
  const errands = new Set<Promise<void>>();
  const inBackground = (work: () => Promise<unknown>) => {
    const done: Promise<void> = work()
      .then(
        () => {},
        (error) => {
          if (!signal.aborted) stage.log(`the load: ${textOf(error)}`);
        },
      )
      .finally(() => errands.delete(done));
    errands.add(done);
  };
  const freeAgent = (random: Random): AgentSpec | null => {
    const agent = random.one(agents);
    return held.has(agent.name) ? null : agent;
  };

  const runs = randomFor("runs");
  const drawTask = taskDrawer(runs, options, clock.scale);
  const startedAtMs = performance.now();
  let submitted = 0;
  const submitOne = (agent: string, task: Partial<Task>) => {
    submitted += 1;
    const cancelAfterMs = runs.percent(3) ? runs.between(0, 1_500) : null;
    inBackground(async () => {
      const id = await platform.submit({ agent, task, triggeredBy: "schedule" });
      if (id === null || cancelAfterMs === null) return;
      await wait(cancelAfterMs, undefined, { signal });
      await platform.cancel(id);
    });
  };
  const pump = repeat(
    stage,
    signal,
    () => PUMP_EVERY_MS,
    async () => {
      const due = Math.floor(((performance.now() - startedAtMs) / 1000) * rate) - submitted;
      for (let n = Math.min(due, MOST_AT_ONCE); n > 0; n -= 1) submitOne(runs.one(agents).name, drawTask());
    },
  );

  const burst = randomFor("bursts");
  const burstSize = maxQueuedAt(rate) + 10;
  const bursts = repeat(
    stage,
    signal,
    () => burst.between(0.5, 1.5) * Math.max(4_000, (4_000 * burstSize) / rate),
    async () => {
      did.bursts += 1;
      const { name } = burst.one(agents);
      for (let n = 0; n < burstSize; n += 1) submitOne(name, { runMs: burst.between(50, 200) * clock.scale });
    },
  );

  const remake = randomFor("agents");
  const remaking = repeat(
    stage,
    signal,
    () => remake.between(500, 2_500),
    async () => {
      const gapMs = remake.between(0, 1_000);
      const agent = freeAgent(remake);
      if (!agent) return;
      held.add(agent.name);
      try {
        await platform.agents.remove(agent.name);
        await wait(gapMs);
        caps.set(agent.name, agent.maxParallelTasks);
        await platform.agents.create(agent);
        did.agentsRemade += 1;
      } finally {
        held.delete(agent.name);
      }
    },
  );

  const resize = randomFor("resizes");
  const caps = new Map(agents.map(({ name, maxParallelTasks }) => [name, maxParallelTasks]));
  const resizing = repeat(
    stage,
    signal,
    () => resize.between(1_000, 5_000),
    async () => {
      const byTasks = resize.whole(0, 2);
      const executionTimeoutSeconds = resize.one([60, 180, 900, 3600]);
      const agent = freeAgent(resize);
      if (!agent) return;
      held.add(agent.name);
      try {
        // A cap below what runs would be a break of S-02, and not the load's to make: it only grows.
        const maxParallelTasks = Math.min(10, caps.get(agent.name)! + byTasks);
        caps.set(agent.name, maxParallelTasks);
        await platform.agents.resize(agent.name, { maxParallelTasks, executionTimeoutSeconds });
        did.resizes += 1;
      } finally {
        held.delete(agent.name);
      }
    },
  );

  const jump = randomFor("jumps");
  const jumping = repeat(
    stage,
    signal,
    () => jump.between(1_000, 5_000),
    async () => {
      const ms = jump.percent(50)
        ? jump.between(0, options.jumpAheadMs)
        : -jump.between(0, options.jumpBackMs);
      const holdMs = jump.between(500, 4_000);
      did.jumps += 1;
      clock.jump(ms);
      await wait(holdMs, undefined, { signal }).catch(() => {});
      clock.jump(-ms);
    },
  );

  const forgetting = repeat(
    stage,
    signal,
    () => FORGET_EVERY_MS,
    async () => {
      const before = timestamp(Date.now() - HISTORY_MS);
      await stage.database.write(
        [
          {
            sql: `DELETE FROM schedule_executions WHERE status IN ('success', 'failed', 'cancelled', 'skipped')
                  AND started_at < ? AND COALESCE(completed_at, '') < ?`,
            args: [before, before],
          },
        ],
        () => [],
      );
    },
  );

  const { sweeps, done: sweeping } = startSweeps(stage, randomFor("sweeps"), signal, () => {
    did.lateSweeps += 1;
  });

  return {
    agents,
    held,
    sweeps,
    did,
    async stop() {
      stopping.abort();
      await Promise.all([pump, bursts, remaking, resizing, jumping, forgetting, sweeping]);
      await Promise.all(errands);
    },
  };
}
