/** Two canaries at the same table for some minutes: with the same clock, with clocks apart, or on a table that fails. */
import { setTimeout as wait } from "node:timers/promises";
import { seededRandom } from "../soak/random.ts";
import type { CanaryProcess } from "./canary-process.ts";
import { begin, ChaosError, type Course, countedCycle, finish, hasRoom } from "./course.ts";
import { drawFault, NO_FAULT } from "./table-faults.ts";

export interface PairOptions {
  readonly ms: number;
  /** How far the second canary's clock is ahead, one after the other, for an equal part of the time each. */
  readonly aheadMs: readonly number[];
  /** Seeds the faults of the table; null where it has none. */
  readonly faultSeed: number | null;
}

const CHANGE_EVERY_MS = [300, 1_500] as const;
const PAUSE_MS = 250;

/** Runs cycles until the signal is aborted. @param clockAt gives how far the clock is ahead now */
async function run(
  course: Course,
  canary: CanaryProcess,
  ended: AbortSignal,
  aheadMs: () => number,
): Promise<void> {
  const { random } = course.stage;
  while (!ended.aborted) {
    canary.aheadMs = aheadMs();
    await countedCycle(course, canary);
    await wait(random.fraction() * PAUSE_MS, undefined, { signal: ended }).catch(() => {});
  }
}

/** @returns what did not hold at the end */
export async function runPair(course: Course, { ms, aheadMs, faultSeed }: PairOptions): Promise<string[]> {
  const { stage, counts, signal } = course;
  const ways = [await stage.way("first"), await stage.way("second")];
  const [first, second] = ways.map((way) => stage.start(way)) as [CanaryProcess, CanaryProcess];
  await begin(course, first);
  if (faultSeed !== null) {
    const random = seededRandom(faultSeed, "table");
    for (const { keeper } of ways)
      keeper.fault = (operation) => {
        const fault = drawFault(random, operation);
        if (fault !== NO_FAULT) counts.faults += 1;
        return fault;
      };
  }
  const failed = new AbortController();
  const ended = AbortSignal.any([AbortSignal.timeout(ms), signal, failed.signal]);
  const from = performance.now();
  const phase = () =>
    Math.min(aheadMs.length - 1, Math.floor(((performance.now() - from) / ms) * aheadMs.length));
  const telling = setInterval(
    () =>
      course.progress(
        () =>
          `${Math.round((performance.now() - from) / 1000)} of ${Math.round(ms / 1000)} s, ${counts.done} cycles, ${counts.busy} busy, ${counts.stateless} gave way or failed`,
      ),
    1_000,
  );
  const work = [
    run(course, first, ended, () => 0),
    run(course, second, ended, () => aheadMs[phase()]!),
    stage.platform.change(CHANGE_EVERY_MS, ended, () => hasRoom(stage)),
  ];
  try {
    // One that fails ends the others, and all have ended before anything is closed.
    await Promise.all(work.map((part) => part.catch((error) => failed.abort(error))));
  } finally {
    clearInterval(telling);
  }
  signal.throwIfAborted();
  failed.signal.throwIfAborted();
  if (counts.done < 2) throw new ChaosError("no cycle was done in that time: give more --minutes");
  for (const { keeper } of ways) keeper.fault = () => NO_FAULT;
  first.aheadMs = Math.max(0, ...aheadMs);
  return finish(course, first);
}
