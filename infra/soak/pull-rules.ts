/** The second statement of the rules about pull agents, whose workers claim the queue. */
import { DOUBT_MS, isLeased, isOnRoster, isQueued, isRunning, olderThan, ownCap } from "./conditions.ts";
import { after, and, type Bounds, holds, is, moreThan, NEVER, not, or } from "./intervals.ts";
import type { AgentTimeline } from "./timeline.ts";

/** What an idle worker may take to claim a row. */
const CLAIM_MS = 120_000;

/** Its workers drain the queue of a pull agent, not the sweep: one has asked for work, or a live row has a lease. */
export const isPullAgent = ({ hasPolled, executions }: AgentTimeline): Bounds =>
  or(is(hasPolled, Boolean), ...executions.map((one) => and(isRunning(one), isLeased(one))));

/** Bounds when no worker is idle. The container says how many there are; without one that says it, the roster's cap does. */
function areAllBusy(agent: AgentTimeline): Bounds {
  const isBusy = agent.executions.map((execution) =>
    and(
      isRunning(execution),
      holds(execution.leaseEndsMs, (atMs) => (atMs === null ? NEVER : not(after(atMs, DOUBT_MS)))),
    ),
  );
  return holds(agent.poolSize, (size) =>
    size === null ? holds(ownCap(agent), (cap) => areBusy(isBusy, cap)) : areBusy(isBusy, size),
  );
}

const areBusy = (isBusy: readonly Bounds[], workers: number): Bounds =>
  moreThan(isBusy, { initial: workers - 1, writes: [] });

/** Bounds when the agent's container runs without workers. */
const runsWithout = ({ hasWorkers }: AgentTimeline): Bounds => is(hasWorkers, (has) => has === false);

/** Bounds when a row of a pull agent has waited too long beside an idle worker, or a container without any. */
export function queueIsUnclaimed(agent: AgentTimeline): Bounds {
  if (!agent.hasPolled.writes.some(({ value }) => value)) return NEVER;
  const hasWaited = agent.executions.map((execution) =>
    and(
      isQueued(execution),
      holds(execution.queuedAtMs, (atMs) => (atMs === null ? NEVER : olderThan(atMs, CLAIM_MS))),
    ),
  );
  const mayClaim = or(not(areAllBusy(agent)), runsWithout(agent));
  return and(isOnRoster(agent), isPullAgent(agent), or(...hasWaited), mayClaim);
}

/** Bounds when the container of a pull agent runs without workers. */
export function hasNoWorkers(agent: AgentTimeline): Bounds {
  if (!agent.hasWorkers.writes.some(({ value }) => value === false)) return NEVER;
  return and(isOnRoster(agent), isPullAgent(agent), runsWithout(agent));
}
