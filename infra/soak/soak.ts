/** Runs one soak: a platform at full churn, a canary with cycles back to back, and a judge that knows the journal. */
import { setTimeout as wait } from "node:timers/promises";
import { INVARIANT_IDS } from "../../shared/invariants/index.ts";
import { FAULTS } from "../faults/index.ts";
import type { LocalDocker } from "../local/docker.ts";
import type { Backend } from "../platform/file-client.ts";
import { steadyNow } from "../platform/journal.ts";
import { drawDispatch } from "../platform/scheduler.ts";
import { type Breaks, type Plan, startBreaks } from "./breaks.ts";
import type { CorrectionName } from "./corrections.ts";
import { type Harness, openHarness } from "./harness.ts";
import { type Judgement, judgeSoak, type ObservedCycle } from "./judge.ts";
import type { LoadOptions } from "./load/churn.ts";
import { maxQueuedAt } from "./load/runs.ts";
import { drawSweeps } from "./load/surroundings.ts";
import { type Load, startLoad } from "./load.ts";
import { type Random, seededRandom } from "./random.ts";
import type { SoakEvent } from "./timeline.ts";
import { type Watcher, watchWith } from "./watch.ts";

export interface SoakOptions extends LoadOptions {
  /** Where the platform keeps its rows. Left out: SQLite. */
  readonly database?: Backend | undefined;
  readonly cycles: number;
  readonly breaks: number;
  /** What is taken out of the canary, to see which false reds it saves. */
  readonly without?: CorrectionName;
  /** Invariants that are not run. */
  readonly checksOff?: readonly string[];
  /** The most seconds that a break may have to last before it counts. Left out: any. */
  readonly longest?: number;
  /** How many times as fast the platform runs. */
  readonly scale: number;
  readonly confirmMs: number;
  /** The daemon of this machine for containers. Left out, as where it is absent: nothing that needs them is run. */
  readonly docker?: LocalDocker | undefined;
  /** Called now and then with the progress. */
  readonly onProgress?: (line: string) => void;
  /** Ends the run early, and leaves nothing running. */
  readonly signal?: AbortSignal;
  /** Runs in place of the canary. */
  readonly watcher?: (harness: Harness) => Watcher;
}

export interface SoakReport {
  readonly options: Omit<SoakOptions, "onProgress" | "watcher" | "signal" | "docker">;
  readonly engines: string;
  readonly seconds: number;
  readonly cycles: number;
  readonly cycleMs: { readonly median: number; readonly longest: number };
  /** Runs that ended, per second. */
  readonly endedPerSecond: number;
  readonly executions: number;
  /** Counts of what the load did, by kind. */
  readonly churn: Load["counts"] & { readonly lateSweeps: number };
  readonly alerts: Readonly<Record<string, number>>;
  readonly breaksByName: Readonly<Record<string, number>>;
  /** The invariants that no break was for. */
  readonly unbroken: readonly string[];
  readonly judgement: Judgement;
  /** The log of the platform and the load. */
  readonly lines: readonly string[];
}

const PROGRESS_EVERY = 100;
const ENDED: ReadonlySet<string> = new Set(["success", "failed", "cancelled", "skipped"]);

/** The faults that can be made on that harness, of the invariants that are run. */
const possibleOn = ({ target, canary }: Harness, longest = Infinity) =>
  FAULTS.filter(
    ({ invariantId, obstacle, holdSeconds = 0 }) =>
      !canary.checks.off.has(invariantId) && (obstacle?.(target) ?? null) === null && holdSeconds <= longest,
  );

/** Draws for each break an instant in the first half of its own part of the run, so that the last ones are cured in time. */
function drawPlan(
  random: Random,
  harness: Harness,
  { breaks, cycles, agentCount, longest }: SoakOptions,
): Plan[] {
  const faults = possibleOn(harness, longest);
  const short = faults.filter(({ holdSeconds }) => holdSeconds === undefined);
  const length = (cycles - 1) / Math.max(1, breaks);
  return Array.from({ length: breaks }, (_, i) => ({
    // Each kind once, then at random those that need no minute.
    fault: faults[i] ?? random.one(short),
    atCycle: Math.floor((i + random.between(0, 0.5)) * length) + 1,
    firstAgent: random.whole(0, agentCount - 1),
  }));
}

/**
 * Runs one soak.
 * @throws SoakError where the machine lacks something, Error where a cycle did not happen or a fault could not be made
 *   or cured
 */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const { seed, release, scale, confirmMs, rate } = options;
  const sweeps = drawSweeps(seed);
  const dispatches = seededRandom(seed, "dispatches");
  const harness = await openHarness({
    release,
    database: options.database,
    scale,
    confirmMs,
    without: options.without,
    checksOff: options.checksOff,
    docker: options.docker ?? { absent: "the soak was given no Docker daemon" },
    maxQueued: maxQueuedAt(rate),
    sweepEveryMs: sweeps.next,
    dispatchMs: () => drawDispatch(dispatches.fraction),
  });
  try {
    const load = await startLoad(harness, options);
    try {
      const plan = drawPlan(seededRandom(seed, "breaks"), harness, options);
      const breaks = startBreaks(harness, load, plan);
      const { cycles, seconds } = await runCycles(harness, breaks, options);
      await load.stop();
      await harness.platform.stop();
      options.onProgress?.("judging");
      const churn = { ...load.counts, lateSweeps: sweeps.lateCount() };
      return reportOf(harness, options, { cycles, seconds, churn, made: breaks.made });
    } finally {
      await load.stop();
    }
  } finally {
    await harness.close();
  }
}

/** Runs cycles back to back until there are enough, and every fault is made and cured. */
async function runCycles(
  harness: Harness,
  breaks: Breaks,
  { cycles: wanted, onProgress, watcher, signal }: SoakOptions,
): Promise<{ cycles: ObservedCycle[]; seconds: number }> {
  const cycle = watcher?.(harness) ?? watchWith(harness.canary);
  const cycles: ObservedCycle[] = [];
  const startedAtMs = steadyNow();
  while (cycles.length < wanted || breaks.underWay()) {
    signal?.throwIfAborted();
    breaks.startDue(cycles.length);
    harness.beginCycle();
    cycles.push(await cycle());
    breaks.onCycle();
    if (cycles.length % PROGRESS_EVERY === 0)
      onProgress?.(`${cycles.length} cycles, ${breaks.made.length} breaks made and cured`);
    // Lets everything that waits for the end of a cycle act before the next begins.
    await wait(0);
  }
  breaks.throwFailure();
  return { cycles, seconds: (steadyNow() - startedAtMs) / 1000 };
}

interface Outcome {
  readonly cycles: readonly ObservedCycle[];
  readonly seconds: number;
  readonly churn: SoakReport["churn"];
  readonly made: Breaks["made"];
}

function reportOf(
  harness: Harness,
  { onProgress, watcher, signal, docker, ...options }: SoakOptions,
  { cycles, seconds, churn, made }: Outcome,
): SoakReport {
  const { history, engines, alerts, lines } = harness;
  const rows = history.filter((event): event is Extract<SoakEvent, { what: "row" }> => event.what === "row");
  const times = cycles.map(({ first, second }) => (second ?? first)[1] - first[0]).sort((a, b) => a - b);
  const possible = possibleOn(harness, options.longest);
  return {
    options,
    engines,
    seconds,
    cycles: cycles.length,
    cycleMs: { median: times[Math.floor(times.length / 2)]!, longest: times.at(-1)! },
    endedPerSecond: rows.filter(({ status }) => ENDED.has(status)).length / seconds,
    executions: new Set(rows.map(({ executionId }) => executionId)).size,
    churn,
    alerts: Object.fromEntries([...alerts].sort()),
    breaksByName: Object.fromEntries(
      possible.map(({ name }) => [name, made.filter((one) => one.name === name).length]),
    ),
    unbroken: INVARIANT_IDS.filter((id) => !possible.some(({ invariantId }) => invariantId === id)),
    judgement: judgeSoak(history, cycles, made, options.confirmMs),
    lines,
  };
}
