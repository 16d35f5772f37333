/** One soak: a platform at full churn, a canary that looks at it without a pause, and a judge who knows better. */
import { setTimeout as wait } from "node:timers/promises";
import type { AgentSpec } from "../platform/agents.ts";
import { steadyNow } from "../platform/journal.ts";
import { BREAKS } from "./breaks.ts";
import { type Judgement, judge, type PlannedBreak, type WatchedCycle } from "./judge.ts";
import { type Load, type LoadOptions, maxQueuedAt, startLoad } from "./load.ts";
import { type Random, seededRandom } from "./random.ts";
import { openStage, type Stage } from "./stage.ts";
import { type Watcher, watchWith } from "./watch.ts";

export interface SoakOptions extends LoadOptions {
  readonly cycles: number;
  readonly breaks: number;
  /** How many times as fast the platform lives. */
  readonly scale: number;
  readonly confirmMs: number;
  /** Told how far it is, once in a while. */
  readonly onProgress?: (line: string) => void;
  /** Ends the run before its time, and leaves nothing running. */
  readonly signal?: AbortSignal;
  /** What is to run in place of the canary. */
  readonly watcher?: (stage: Stage) => Watcher;
}

export interface SoakReport {
  readonly options: Omit<SoakOptions, "onProgress" | "watcher" | "signal">;
  readonly engines: string;
  readonly seconds: number;
  readonly cycles: number;
  readonly cycleMs: { readonly median: number; readonly longest: number };
  /** Runs that came to an end, for each second. */
  readonly endedPerSecond: number;
  readonly executions: number;
  readonly did: Load["did"];
  readonly told: Readonly<Record<string, number>>;
  readonly breaksByName: Readonly<Record<string, number>>;
  readonly judgement: Judgement;
  /** What platform and load logged. */
  readonly lines: readonly string[];
}

/** Cycles that have to look at a break before it is mended. */
const CYCLES_SEEN = 2;
const PROGRESS_EVERY = 100;

interface Plan {
  readonly name: string;
  readonly atCycle: number;
  readonly firstAgent: number;
}

/** Each break falls into a stretch of its own, somewhere in its first half; the last ones are mended within the run. */
function drawPlan(random: Random, { breaks, cycles, agentCount }: SoakOptions): Plan[] {
  const names = Object.keys(BREAKS);
  const length = (cycles - 1) / Math.max(1, breaks);
  return Array.from({ length: breaks }, (_, i) => ({
    // Each kind once, then at random.
    name: i < names.length ? names[i]! : random.one(names),
    atCycle: Math.floor((i + random.between(0, 0.5)) * length) + 1,
    firstAgent: random.whole(0, agentCount - 1),
  }));
}

/**
 * Runs one soak.
 * @throws SoakError for what the machine lacks, Error where the soak itself fails: a cycle that could not happen, a
 *   break that could not be made or mended
 */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { seed, scale, confirmMs, rate } = options;
  const stage = await openStage({ scale, confirmMs, maxQueued: maxQueuedAt(rate) });
  try {
    const load = await startLoad(stage, options);
    try {
      return await soakOn(stage, load, options, drawPlan(seededRandom(seed, "breaks"), options));
    } finally {
      await load.stop();
    }
  } finally {
    await stage.close();
  }
}

async function soakOn(
  stage: Stage,
  load: Load,
  { onProgress, watcher, signal, ...options }: SoakOptions,
  plan: readonly Plan[],
): Promise<SoakReport> {
  const { confirmMs } = options;
  const cycle = watcher?.(stage) ?? watchWith(stage.canary);
  const cycles: WatchedCycle[] = [];
  const waiting = new Set<() => void>();
  const nextCycle = () => new Promise<void>((resolve) => waiting.add(resolve));
  /** The one that runs has begun before; the one behind it is whole. */
  const cyclePasses = async () => {
    await nextCycle();
    await nextCycle();
  };

  const broken: PlannedBreak[] = [];
  let failure: unknown;
  let sweepsTurn: Promise<unknown> = Promise.resolve();

  async function breakOnce({ name, firstAgent }: Plan): Promise<void> {
    const agent = await hold(load, firstAgent);
    try {
      const made = await BREAKS[name]!({ stage, load, agent, cyclePasses });
      await wait(Math.max(0, made.dueAtMs - Date.now()));
      const fromMs = steadyNow();
      for (let n = 0; n < CYCLES_SEEN; n += 1) await cyclePasses();
      const toMs = steadyNow();
      await made.cure();
      broken.push({ name, item: made.item, brokenMs: [fromMs, toMs] });
    } catch (error) {
      failure ??= new Error(`the break "${name}" of ${agent.name} failed`, { cause: error });
    } finally {
      load.held.delete(agent.name);
    }
  }
  const start = (one: Plan): Promise<void> => {
    if (one.name !== "hung sweep") return breakOnce(one);
    // There is one sweep to hang.
    const turn = sweepsTurn.then(() => breakOnce(one));
    sweepsTurn = turn;
    return turn;
  };

  const startedAtMs = steadyNow();
  const underWay = new Set<Promise<void>>();
  let nextPlan = 0;
  while (cycles.length < options.cycles || nextPlan < plan.length || underWay.size > 0) {
    if (failure) throw failure;
    signal?.throwIfAborted();
    for (; nextPlan < plan.length && plan[nextPlan]!.atCycle <= cycles.length; nextPlan += 1) {
      const done: Promise<void> = start(plan[nextPlan]!).finally(() => underWay.delete(done));
      underWay.add(done);
    }
    cycles.push(await cycle());
    const resolvers = [...waiting];
    waiting.clear();
    for (const resolve of resolvers) resolve();
    if (cycles.length % PROGRESS_EVERY === 0)
      onProgress?.(`${cycles.length} cycles, ${broken.length} breaks made and mended`);
    // What waits for the end of a cycle acts before the next begins.
    await wait(0);
  }
  if (failure) throw failure;
  const seconds = (steadyNow() - startedAtMs) / 1000;
  await load.stop();
  await stage.platform.stop();
  onProgress?.("judging");
  const { events } = stage.witness;
  const ended = events.filter(
    (event) => event.what === "row" && ["success", "failed", "cancelled", "skipped"].includes(event.status),
  ).length;
  const times = cycles.map(({ first, second }) => (second ?? first)[1] - first[0]).sort((a, b) => a - b);
  return {
    options,
    engines: stage.engines,
    seconds,
    cycles: cycles.length,
    cycleMs: { median: times[Math.floor(times.length / 2)]!, longest: times.at(-1)! },
    endedPerSecond: ended / seconds,
    executions: new Set(events.flatMap((e) => (e.what === "row" ? [e.executionId] : []))).size,
    did: load.did,
    told: Object.fromEntries([...stage.told].sort()),
    breaksByName: Object.fromEntries(
      Object.keys(BREAKS).map((name) => [name, broken.filter((one) => one.name === name).length]),
    ),
    judgement: judge(events, cycles, broken, confirmMs),
    lines: stage.lines,
  };
}

/** @returns the agent of that number, or the next that nobody else has, held from now on */
async function hold({ agents, held }: Load, first: number): Promise<AgentSpec> {
  for (;;) {
    for (let n = 0; n < agents.length; n += 1) {
      const agent = agents[(first + n) % agents.length]!;
      if (held.has(agent.name)) continue;
      held.add(agent.name);
      return agent;
    }
    await wait(50);
  }
}
