/** One bound on the containers that are looked at together, over all daemons, shared out evenly among these. */
import { SourceError } from "../../errors.ts";

/** The deadline leaves no time to look. */
export class NotReached extends SourceError {}

/** The containers of one daemon, in the order in which they are looked at. */
interface Lane {
  readonly rank: number;
  readonly waiting: (() => Promise<void>)[];
  running: number;
  begun: number;
  /** Of those that ended well: how many, and how long they took together. */
  ended: number;
  endedMs: number;
  /** Called once nothing of it runs, and nothing more will begin. */
  readonly end: () => void;
}

export interface TurnOptions {
  /** How many run at once, over all lanes. */
  readonly most: number;
  /** How many of one lane run at once. */
  readonly mostOfOne: number;
  /** What the time must suffice for, where nothing is known of the lane. */
  readonly leastMs: number;
  /** The time that is left. */
  readonly leftMs: () => number;
  /** Default: the process's own. */
  readonly clock?: () => number;
}

/**
 * Makes the function that runs a lane's work. A turn goes to the lane that has the fewest, so that a daemon that hangs holds
 * no more of them than others. Nothing begins that can't be expected to end in time: the time that is left must be more than
 * what the lane's work took on average.
 * @returns a function that takes the lane's rank (of equals the lowest begins) and its work, which must not throw what
 *   is of no concern to others, and returns how many were begun; the others were not, for want of time
 */
export function turns({ most, mostOfOne, leastMs, leftMs, clock = () => performance.now() }: TurnOptions) {
  const lanes = new Set<Lane>();
  let running = 0;

  const hasTime = ({ ended, endedMs }: Lane) => leftMs() > Math.max(leastMs, ended > 0 ? endedMs / ended : 0);
  const isBefore = (a: Lane, b: Lane) => (a.running - b.running || a.begun - b.begun || a.rank - b.rank) < 0;

  function next(): Lane | null {
    let found: Lane | null = null;
    for (const lane of lanes) {
      if (lane.waiting.length > 0 && !hasTime(lane)) lane.waiting.length = 0;
      if (lane.waiting.length === 0 && lane.running === 0) {
        lanes.delete(lane);
        lane.end();
      } else if (
        lane.waiting.length > 0 &&
        lane.running < mostOfOne &&
        (found === null || isBefore(lane, found))
      )
        found = lane;
    }
    return found;
  }

  function begin(): void {
    for (let lane = next(); lane !== null && running < most; lane = next()) void run(lane);
  }

  async function run(lane: Lane): Promise<void> {
    const work = lane.waiting.shift()!;
    const fromMs = clock();
    running += 1;
    lane.running += 1;
    lane.begun += 1;
    try {
      await work();
      lane.ended += 1;
      lane.endedMs += clock() - fromMs;
    } catch {
      // How long a failure takes says nothing of the others.
    } finally {
      running -= 1;
      lane.running -= 1;
      begin();
    }
  }

  return (rank: number, work: readonly (() => Promise<void>)[]): Promise<number> =>
    new Promise((resolve) => {
      const lane: Lane = {
        rank,
        waiting: [...work],
        running: 0,
        begun: 0,
        ended: 0,
        endedMs: 0,
        end: () => resolve(lane.begun),
      };
      lanes.add(lane);
      begin();
    });
}
export type Turns = ReturnType<typeof turns>;
