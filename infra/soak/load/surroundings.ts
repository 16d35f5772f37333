/** What happens around the runs: sweeps, clock jumps, alarms, the ceiling of the fleet, and old rows that go. */
import { setTimeout as wait } from "node:timers/promises";
import { ALARMS } from "../../platform/alarms.ts";
import { timestamp } from "../../platform/clock.ts";
import { EXECUTIONS } from "../../platform/names.ts";
import { seededRandom } from "../random.ts";
import { CEILING, type Churn, holding, isLoaded, repeat } from "./churn.ts";

const LATE_SWEEP_MS = [61_000, 72_000] as const;
/** A cycle reads the runs of the last five minutes again. At several cycles a second that is too much, so rows go earlier. */
const HISTORY_MS = 60_000;
const FORGET_EVERY_MS = 2_000;

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

/** Raises alarms of the platform, and resolves them. */
function raiseAlarms(churn: Churn): Promise<void> {
  const { alarms } = churn.harness.platform;
  const random = seededRandom(churn.options.seed, "alarms");
  const every = () => random.between(500, 3_000);
  return repeat(churn, every, async () => {
    const alarm = random.one(ALARMS);
    if (random.percent(40)) return alarms.resolve(alarm);
    churn.counts.alarms += 1;
    await alarms.raise(alarm);
  });
}

/** Lowers the ceiling of the fleet for a while. Runs beyond it go on: no agent has more than its own cap allows. */
function lowerCeiling(churn: Churn): Promise<void> {
  const { options, harness, signal, counts } = churn;
  const { platform } = harness;
  const random = seededRandom(options.seed, "ceilings");
  const every = () => random.between(2_000, 8_000);
  return repeat(churn, every, () =>
    holding(churn, CEILING, async () => {
      counts.ceilings += 1;
      await platform.setCeiling(random.whole(2, 9));
      await wait(random.between(300, 2_000), undefined, { signal }).catch(() => {});
      await platform.setCeiling(null);
    }),
  );
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

export const changeSurroundings = (churn: Churn): Promise<void>[] => [
  jumpClock(churn),
  forgetHistory(churn),
  ...(isLoaded(churn.options, "alarms") ? [raiseAlarms(churn)] : []),
  ...(isLoaded(churn.options, "ceiling") ? [lowerCeiling(churn)] : []),
];
