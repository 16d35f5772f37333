/** What the rules are made of: bounds for one condition of an execution or an agent. */
import {
  after,
  and,
  type Bounds,
  holds,
  type Interval,
  intersection,
  is,
  lifetimes,
  moreThan,
  NEVER,
  not,
  or,
  type Register,
  union,
} from "./intervals.ts";
import type { AgentTimeline, ExecutionTimeline, Timeline } from "./timeline.ts";

/** The reader's clock and the journal's differ, and the system's may be slewed. */
export const DOUBT_MS = 250;
const IN_FLIGHT_MS = 3_000;
const SENTINEL_LEAK_MS = 10_000;

/** The checks round ages down to whole seconds: "over 60 s" is certain at 61 s. */
export const olderThan = (atMs: number, limitMs: number): Bounds => ({
  possibly: after(atMs + limitMs, DOUBT_MS).possibly,
  definitely: after(atMs + limitMs + 1_000, DOUBT_MS).definitely,
});

export const inFlight = (atMs: number): Bounds =>
  and(after(atMs - IN_FLIGHT_MS, DOUBT_MS), not(after(atMs + IN_FLIGHT_MS, DOUBT_MS)));

export const isSentinel = ({ id }: ExecutionTimeline) => id.startsWith("drain-");
export const isMember = ({ slot }: ExecutionTimeline) => is(slot, (score) => score !== null);
export const isRunning = ({ status }: ExecutionTimeline) => is(status, (value) => value === "running");
export const isOnRoster = ({ settings }: AgentTimeline) => is(settings, (value) => value !== null);
/** A row with a lease is a pull worker's: it holds no slot, and gets its session when it ends. */
export const isLeased = ({ leaseEndsMs }: ExecutionTimeline) => is(leaseEndsMs, (atMs) => atMs !== null);
export const isPushed = (execution: ExecutionTimeline) => and(isRunning(execution), not(isLeased(execution)));
export const isQueued = ({ status }: ExecutionTimeline) => is(status, (value) => value === "queued");

/**
 * A sentinel counts once it has leaked. By a clock that was set back, one that is held for milliseconds looks old: a reader
 * may count it, and need not.
 */
export function countsAsSlot(execution: ExecutionTimeline): Bounds {
  if (!isSentinel(execution)) return isMember(execution);
  const { slot } = execution;
  const looksOld = holds(slot, (score) =>
    score === null ? NEVER : after(score + SENTINEL_LEAK_MS, DOUBT_MS),
  );
  const isOld = lifetimes(slot)
    .filter(({ value }) => value !== null)
    .map(({ interval: [fromMs, toMs] }): Interval => [fromMs + SENTINEL_LEAK_MS, toMs]);
  return { possibly: looksOld.possibly, definitely: intersection(looksOld.definitely, union(isOld)) };
}

export const mapped = <T, U>({ initial, writes }: Register<T>, to: (value: T) => U): Register<U> => ({
  initial: to(initial),
  writes: writes.map((write) => ({ ...write, value: to(write.value) })),
});

/** Bounds when at least `cap` slots of the agent are taken, for the cap at that time. */
export const isFullFor = (agent: AgentTimeline, cap: Register<number>): Bounds =>
  moreThan(
    agent.executions.map(countsAsSlot),
    mapped(cap, (slots) => slots - 1),
  );

export const ownCap = ({ settings }: AgentTimeline): Register<number> =>
  mapped(settings, (value) => value?.maxParallelTasks ?? Infinity);

/** The smaller of the agent's cap and the ceiling of the fleet: bounds when as many slots are taken. */
export const isFull = (agent: AgentTimeline, { ceiling }: Timeline): Bounds =>
  or(isFullFor(agent, ownCap(agent)), isFullFor(agent, ceiling));
