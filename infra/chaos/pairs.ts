/** Two canaries at the same table for some minutes: with the same clock, with clocks apart, or on a table that fails. */
import { setTimeout as wait } from "node:timers/promises";
import { seededRandom } from "../soak/random.ts";
import type { CanaryProcess, Way } from "./canary-process.ts";
import { begin, type Course, countedCycle, finish, hasRoom } from "./course.ts";
import { faultsOf, NO_FAULT } from "./table-faults.ts";

export interface PairOptions {
  readonly ms: number;
  /** How far the second canary's clock is ahead, one after the other, for an equal part of the time each. */
  readonly aheadMs: readonly number[];
  /** Seeds the faults of the table; null where it has none. */
  readonly faultSeed: number | null;
}

const CHANGE_EVERY_MS = [300, 1_500] as const;
const PAUSE_MS = 250;

/** Each canary does at least so many cycles, however slow the machine is. */
const LEAST_CYCLES = 2;

/** Whose clock is how far ahead: each distance for an equal part of the time, and for some cycles of both canaries. */
function schedule({ ms, aheadMs }: PairOptions, over: AbortController) {
  let [place, fromMs] = [0, performance.now()];
  let done = new Map<CanaryProcess, number>();
  return {
    aheadMs: () => aheadMs[place] ?? aheadMs.at(-1)!,
    /** To be called with each cycle that was done. */
    onDone(canary: CanaryProcess) {
      done.set(canary, (done.get(canary) ?? 0) + 1);
      const both = done.size === 2 && [...done.values()].every((n) => n >= LEAST_CYCLES);
      if (!both || performance.now() - fromMs < ms / aheadMs.length) return;
      [place, fromMs, done] = [place + 1, performance.now(), new Map()];
      if (place >= aheadMs.length) over.abort();
    },
  };
}

/** @returns what did not hold at the end */
export async function runPair(course: Course, options: PairOptions): Promise<string[]> {
  const { stage, counts, signal } = course;
  const { ms, aheadMs, faultSeed } = options;
  const ways = [await stage.way("first"), await stage.way("second")];
  const [first, second] = ways.map((way) => stage.start(way)) as [CanaryProcess, CanaryProcess];
  await begin(course, first);
  if (faultSeed !== null) {
    // A channel that is down hides what a table does to alerts: where the table fails, the webhook works.
    stage.webhook.isFailing = false;
    failFrom(course, ways, faultSeed);
  }
  const over = new AbortController();
  const ended = AbortSignal.any([signal, over.signal]);
  const plan = schedule(options, over);
  const from = performance.now();
  const seconds = (time: number) => Math.round(time / 1000);

  async function run(canary: CanaryProcess, ahead: () => number): Promise<void> {
    while (!ended.aborted) {
      canary.aheadMs = ahead();
      if ((await countedCycle(course, canary)).outcome === "done") plan.onDone(canary);
      course.progress(
        () =>
          `${seconds(performance.now() - from)} of ${seconds(ms)} s, ${counts.done} cycles, ${counts.busy} busy, ${counts.stateless} gave way or failed`,
      );
      await wait(stage.random.fraction() * PAUSE_MS, undefined, { signal: ended }).catch(() => {});
    }
  }

  let failure: unknown;
  const work = [
    run(first, () => 0),
    run(second, plan.aheadMs),
    stage.platform.change(CHANGE_EVERY_MS, ended, () => hasRoom(stage)),
  ].map((part) =>
    part.catch((error) => {
      failure ??= error;
      over.abort();
    }),
  );
  // One that fails ends the others, and all have ended before anything is closed.
  await Promise.all(work);
  if (failure !== undefined) throw failure;
  signal.throwIfAborted();
  for (const { keeper } of ways) keeper.fault = () => NO_FAULT;
  first.aheadMs = Math.max(0, ...aheadMs);
  return finish(course, first);
}

/** Lets the table fail from now on, for each canary in its own way: a row of faults is not used up by the other one. */
function failFrom({ counts }: Course, ways: readonly Way[], seed: number): void {
  for (const { name, keeper } of ways) {
    const faults = faultsOf(seededRandom(seed, `table of the ${name}`));
    keeper.fault = (operation) => {
      const fault = faults(operation);
      if (fault !== NO_FAULT) counts.faults += 1;
      return fault;
    };
  }
}
