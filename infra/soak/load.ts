/** The load of a soak: runs of every kind, queues that overflow and drain, agents that come and go, clocks that jump. */
import { setMaxListeners } from "node:events";
import { setTimeout as wait } from "node:timers/promises";
import type { AgentSpec } from "../platform/agents.ts";
import { timestamp } from "../platform/clock.ts";
import { messageOf } from "../platform/context.ts";
import { EXECUTIONS } from "../platform/names.ts";
import type { Task } from "../platform/task.ts";
import type { Harness } from "./harness.ts";
import { type Random, seededRandom } from "./random.ts";

export interface Load {
  readonly agents: readonly AgentSpec[];
  /** Agents that the load does not change or remove. */
  readonly held: Set<string>;
  /** Counts of what happened, by kind. */
  readonly counts: Readonly<Record<"jumps" | "bursts" | "agentsRemade" | "resizes", number>>;
  stop(): Promise<void>;
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

/** The average share of taken slots: high enough for queues, low enough for free slots. */
const OCCUPANCY = 0.65;
const CAPS = [3, 8] as const;
const MEAN_CAP = (CAPS[0] + CAPS[1]) / 2;
/** The largest cap that the platform's API allows. */
const LARGEST_CAP = 10;
const TIMEOUTS_SECONDS = [60, 180, 900, 3600];
/** Longer than the checks' grace for a start, so that they judge the end of such a run. */
const LONG_RUN_MS = [3_200, 8_000] as const;
const LATE_SWEEP_MS = [61_000, 72_000] as const;
/** A cycle reads the runs of the last five minutes again. At several cycles a second that is too much, so rows go earlier. */
const HISTORY_MS = 60_000;
const FORGET_EVERY_MS = 2_000;
const PUMP_EVERY_MS = 10;
const MOST_AT_ONCE = 25;

/** How many rows of one agent may be queued. A quiet fleet would never reach the platform's usual 50. */
export const maxQueuedAt = (rate: number): number => (rate >= 50 ? 50 : 10);

/**
 * Draws the times between sweeps, in ms. Most are usual; now and then one exceeds the grace of B-02. None is so long that
 * the platform looks dead, even where the heartbeat was written by a clock that was set back.
 */
export function drawSweeps(seed: number): { next(): number; lateCount(): number } {
  const random = seededRandom(seed, "sweeps");
  let late = 0;
  return {
    next() {
      if (!random.percent(2.5)) return random.between(1_500, 5_000);
      late += 1;
      return random.between(...LATE_SWEEP_MS);
    },
    lateCount: () => late,
  };
}

function drawAgent(random: Random, index: number): AgentSpec {
  return {
    name: `agent-${String(index).padStart(4, "0")}`,
    maxParallelTasks: random.whole(...CAPS),
    executionTimeoutSeconds: random.one(TIMEOUTS_SECONDS),
  };
}

/** Makes a function that draws tasks. Their lengths keep OCCUPANCY of the fleet's slots taken at this rate. */
function taskDrawer(random: Random, { rate, agentCount }: LoadOptions, scale: number) {
  const share = (OCCUPANCY * MEAN_CAP * 1000 * agentCount) / rate;
  const longMs = (LONG_RUN_MS[0] + LONG_RUN_MS[1]) / 2;
  const longPercent = Math.min(8, (50 * share) / longMs);
  const shortMs = Math.min(4_000, (share / 2) * (1 - longPercent / 100));
  return (): Partial<Task> => {
    const isLong = random.percent(longPercent);
    const runMs = (isLong ? random.between(...LONG_RUN_MS) : random.between(0.1, 1.9) * shortMs) * scale;
    if (random.percent(2)) {
      // Fails at its timeout, with a late answer.
      const timeoutSeconds = random.whole(2, 4);
      return { timeoutSeconds, runMs: timeoutSeconds * 1000 + random.between(200, 800) };
    }
    if (random.percent(88)) return { runMs };
    const retries = random.whole(0, 1);
    return { runMs, ends: "failed", retries, retryAfterMs: random.between(200, 2_000) * scale };
  };
}

/** What all kinds of churn share. */
interface Churn {
  readonly harness: Harness;
  readonly options: LoadOptions;
  readonly signal: AbortSignal;
  readonly agents: readonly AgentSpec[];
  readonly held: Set<string>;
  readonly counts: { -readonly [K in keyof Load["counts"]]: number };
  /** Logs an error, unless the load is being stopped. */
  report(error: unknown): void;
  /** Starts something in the background; `stop` waits for it. */
  start(work: () => Promise<unknown>): void;
}

/** Repeats one thing until the load is stopped. An error is logged and ends nothing. */
async function repeat(
  { signal, report }: Churn,
  every: () => number,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await wait(every(), undefined, { signal }).catch(() => {});
    if (!signal.aborted) await work().catch(report);
  }
}

/** Holds the agent during the work. Does nothing where it is held already. */
async function holding({ held }: Churn, agent: AgentSpec, work: () => Promise<void>): Promise<void> {
  if (held.has(agent.name)) return;
  held.add(agent.name);
  try {
    await work();
  } finally {
    held.delete(agent.name);
  }
}

/** Submits runs at the rate, cancels some of them, and now and then floods one agent's queue. */
function submitRuns(churn: Churn): Promise<void>[] {
  const { harness, options, signal, agents, counts } = churn;
  const { platform, clock } = harness;
  const runs = seededRandom(options.seed, "runs");
  const drawTask = taskDrawer(runs, options, clock.scale);
  const startedAtMs = performance.now();
  let submitted = 0;
  const submit = (agent: string, task: Partial<Task>) => {
    submitted += 1;
    const cancelAfterMs = runs.percent(3) ? runs.between(0, 1_500) : null;
    churn.start(async () => {
      const id = await platform.submit({ agent, task });
      if (id === null || cancelAfterMs === null) return;
      await wait(cancelAfterMs, undefined, { signal });
      await platform.cancel(id);
    });
  };
  const everyPump = () => PUMP_EVERY_MS;
  const pump = repeat(churn, everyPump, async () => {
    const due = Math.floor(((performance.now() - startedAtMs) / 1000) * options.rate) - submitted;
    for (let n = Math.min(due, MOST_AT_ONCE); n > 0; n -= 1) submit(runs.one(agents).name, drawTask());
  });
  const burst = seededRandom(options.seed, "bursts");
  const size = maxQueuedAt(options.rate) + 10;
  const everyBurst = () => burst.between(0.5, 1.5) * Math.max(4_000, (4_000 * size) / options.rate);
  const bursts = repeat(churn, everyBurst, async () => {
    counts.bursts += 1;
    const { name } = burst.one(agents);
    for (let n = 0; n < size; n += 1) submit(name, { runMs: burst.between(50, 200) * clock.scale });
  });
  return [pump, bursts];
}

/** Deletes agents and makes them again, and changes settings. */
function changeAgents(churn: Churn): Promise<void>[] {
  const { harness, options, agents, counts } = churn;
  const { platform } = harness;
  const caps = new Map(agents.map(({ name, maxParallelTasks }) => [name, maxParallelTasks]));
  const remake = seededRandom(options.seed, "agents");
  const everyRemake = () => remake.between(500, 2_500);
  const remaking = repeat(churn, everyRemake, async () => {
    const gapMs = remake.between(0, 1_000);
    const agent = remake.one(agents);
    await holding(churn, agent, async () => {
      await platform.agents.remove(agent.name);
      await wait(gapMs);
      caps.set(agent.name, agent.maxParallelTasks);
      await platform.agents.create(agent);
      counts.agentsRemade += 1;
    });
  });
  const resize = seededRandom(options.seed, "resizes");
  const everyResize = () => resize.between(1_000, 5_000);
  const resizing = repeat(churn, everyResize, async () => {
    const byTasks = resize.whole(0, 2);
    const executionTimeoutSeconds = resize.one(TIMEOUTS_SECONDS);
    const agent = resize.one(agents);
    await holding(churn, agent, async () => {
      // A cap below the number of runs would break S-02, and the load must break nothing: the cap only grows.
      const maxParallelTasks = Math.min(LARGEST_CAP, caps.get(agent.name)! + byTasks);
      caps.set(agent.name, maxParallelTasks);
      await platform.agents.resize(agent.name, { maxParallelTasks, executionTimeoutSeconds });
      counts.resizes += 1;
    });
  });
  return [remaking, resizing];
}

/** Makes the platform's wall clock jump ahead or back, and return. */
function jumpClock(churn: Churn): Promise<void> {
  const { options, harness, signal, counts } = churn;
  const random = seededRandom(options.seed, "jumps");
  const every = () => random.between(1_000, 5_000);
  return repeat(churn, every, async () => {
    const ms = random.percent(50)
      ? random.between(0, options.jumpAheadMs)
      : -random.between(0, options.jumpBackMs);
    const holdMs = random.between(500, 4_000);
    counts.jumps += 1;
    harness.clock.jump(ms);
    await wait(holdMs, undefined, { signal }).catch(() => {});
    harness.clock.jump(-ms);
  });
}

/** Removes rows that ended a while ago. */
function forgetHistory(churn: Churn): Promise<void> {
  const sql = `DELETE FROM ${EXECUTIONS} WHERE status IN ('success', 'failed', 'cancelled', 'skipped')
    AND started_at < ? AND COALESCE(completed_at, '') < ?`;
  const every = () => FORGET_EVERY_MS;
  return repeat(churn, every, async () => {
    const before = timestamp(Date.now() - HISTORY_MS);
    await churn.harness.target.database.write([{ sql, args: [before, before] }], () => []);
  });
}

/**
 * Makes the fleet and starts its churn.
 * @throws Error where an agent can't be made
 */
export async function startLoad(harness: Harness, options: LoadOptions): Promise<Load> {
  const fleet = seededRandom(options.seed, "fleet");
  const agents = Array.from({ length: options.agentCount }, (_, i) => drawAgent(fleet, i));
  await Promise.all(agents.map((agent) => harness.platform.agents.create(agent)));

  const stopping = new AbortController();
  const { signal } = stopping;
  // Every wait listens to it, so that many listeners are no leak.
  setMaxListeners(0, signal);
  const errands = new Set<Promise<void>>();
  const report = (error: unknown) => {
    if (!signal.aborted) harness.log(`the load: ${messageOf(error)}`);
  };
  const churn: Churn = {
    harness,
    options,
    signal,
    agents,
    held: new Set(),
    counts: { jumps: 0, bursts: 0, agentsRemade: 0, resizes: 0 },
    report,
    start(work) {
      const done: Promise<void> = work()
        .then(() => {}, report)
        .finally(() => errands.delete(done));
      errands.add(done);
    },
  };
  const loops = [...submitRuns(churn), ...changeAgents(churn), jumpClock(churn), forgetHistory(churn)];
  return {
    agents,
    held: churn.held,
    counts: churn.counts,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      await Promise.all(errands);
    },
  };
}
