/**
 * The rules of docs/invariants.md, written a second time over the journal's timeline. They share no code with the checks
 * that they judge: a mistake in one of the two shows as a disagreement.
 */
import type { ExecutionStatus } from "../platform/journal.ts";
import {
  ALWAYS,
  after,
  and,
  type Bounds,
  holds,
  type Intervals,
  is,
  moreThan,
  NEVER,
  not,
  or,
  type Register,
} from "./intervals.ts";
import { OF_ROWS, scheduleIsOverdue, scheduleItems } from "./rules-of-rows.ts";
import type { AgentTimeline, ExecutionTimeline, Timeline } from "./timeline.ts";

/**
 * One thing that can be broken. The key is `redis:ID` or `sql:ID` for S-01, the schedule's id for E-06, otherwise an
 * execution's id or the agent.
 */
export interface RuleItem {
  readonly invariant: string;
  readonly subject: string;
  readonly key: string;
}

export interface Rules {
  /** Bounds when the item is broken, after its grace. An item that is not in the journal never is. */
  broken(item: RuleItem): Bounds;
  /** Gives when that execution was definitely finished. */
  ended(executionId: string): Intervals;
  /** All items of the journal. */
  items(): Iterable<RuleItem>;
}

/** The reader's clock and the journal's differ, and the system's may be slewed. */
const DOUBT_MS = 250;
const IN_FLIGHT_MS = 3_000;
const SENTINEL_LEAK_MS = 10_000;
const BUFFER_MS = 300_000;
const TTL_TOLERANCE_MS = 2_000;
/** Redis rounds a TTL to the nearest second. */
const TTL_ROUNDING_MS = 500;

const LIVE: ReadonlySet<ExecutionStatus | null> = new Set(["queued", "running", "pending_retry"]);
const TERMINAL: ReadonlySet<ExecutionStatus | null> = new Set(["success", "failed", "cancelled", "skipped"]);

/** The checks round ages down to whole seconds: "over 60 s" is certain at 61 s. */
const olderThan = (atMs: number, limitMs: number): Bounds => ({
  possibly: after(atMs + limitMs, DOUBT_MS).possibly,
  definitely: after(atMs + limitMs + 1_000, DOUBT_MS).definitely,
});

const inFlight = (atMs: number): Bounds =>
  and(after(atMs - IN_FLIGHT_MS, DOUBT_MS), not(after(atMs + IN_FLIGHT_MS, DOUBT_MS)));

const isSentinel = ({ id }: ExecutionTimeline) => id.startsWith("drain-");
const isMember = ({ slot }: ExecutionTimeline) => is(slot, (score) => score !== null);
const isRunning = ({ status }: ExecutionTimeline) => is(status, (value) => value === "running");
const isOnRoster = ({ settings }: AgentTimeline) => is(settings, (value) => value !== null);
const isQueued = ({ status }: ExecutionTimeline) => is(status, (value) => value === "queued");

/** A sentinel counts once it has leaked. */
const countsAsSlot = (execution: ExecutionTimeline): Bounds =>
  isSentinel(execution)
    ? holds(execution.slot, (score) => (score === null ? NEVER : after(score + SENTINEL_LEAK_MS, DOUBT_MS)))
    : isMember(execution);

const mapped = <T, U>({ initial, writes }: Register<T>, to: (value: T) => U): Register<U> => ({
  initial: to(initial),
  writes: writes.map((write) => ({ ...write, value: to(write.value) })),
});

function slotWithoutRow(execution: ExecutionTimeline): Bounds {
  const old = holds(execution.slot, (score) => (score === null ? NEVER : not(inFlight(score))));
  return and(countsAsSlot(execution), not(isRunning(execution)), old);
}

function rowWithoutSlot(execution: ExecutionTimeline): Bounds {
  const old = holds(execution.startedAtMs, (atMs) => (atMs === null ? ALWAYS : not(inFlight(atMs))));
  return and(isRunning(execution), not(isMember(execution)), old);
}

/**
 * The life of a slot is its TTL plus its age, and an age below 0 counts as 0. The expiry suffices for acquisitions up to
 * some instant. The life is too short once both the time and the score are later than that instant.
 */
function livesTooShort({ hash }: ExecutionTimeline, scoreMs: number): Bounds {
  return holds(hash, (value) => {
    if (!value?.ends) return NEVER;
    const leastMs = value.timeoutSeconds * 1000 + BUFFER_MS - TTL_TOLERANCE_MS;
    const tooLate = (fromMs: number): Intervals => (scoreMs > fromMs ? [[fromMs, Infinity]] : []);
    return {
      possibly: tooLate(value.ends.earliestMs - leastMs - TTL_ROUNDING_MS - DOUBT_MS),
      definitely: tooLate(value.ends.latestMs - leastMs + TTL_ROUNDING_MS + DOUBT_MS),
    };
  });
}

function slotLifeIsWrong(execution: ExecutionTimeline): Bounds {
  if (isSentinel(execution)) return NEVER;
  const isGone = holds(execution.hash, (value) =>
    value === null
      ? ALWAYS
      : value.ends === null
        ? NEVER
        : {
            possibly: [[value.ends.earliestMs, Infinity]],
            definitely: [[value.ends.latestMs, Infinity]],
          },
  );
  const isForEver = is(execution.hash, (value) => value !== null && value.ends === null);
  return holds(execution.slot, (score) =>
    score === null
      ? NEVER
      : or(and(or(isGone, isForEver), not(inFlight(score))), livesTooShort(execution, score)),
  );
}

function runsTooLong(execution: ExecutionTimeline, { settings }: AgentTimeline): Bounds {
  const isTooOld = holds(settings, (agent) => {
    if (agent === null) return NEVER;
    return holds(execution.hash, (slot) => {
      const timeoutSeconds = Math.max(agent.executionTimeoutSeconds, slot?.timeoutSeconds ?? 0);
      return holds(execution.startedAtMs, (atMs) =>
        atMs === null ? NEVER : olderThan(atMs, timeoutSeconds * 1000 + BUFFER_MS),
      );
    });
  });
  return and(isRunning(execution), isTooOld);
}

function hasNoSession(execution: ExecutionTimeline): Bounds {
  const isOld = holds(execution.startedAtMs, (atMs) => (atMs === null ? NEVER : olderThan(atMs, 60_000)));
  return and(isRunning(execution), not(is(execution.session, Boolean)), isOld);
}

/** Finished, and later queued or running. A failed run that was to be retried does not count. */
function cameBackToLife({ status }: ExecutionTimeline): Bounds {
  let hasEnded = false;
  const writes = status.writes.map((write) => {
    if (TERMINAL.has(write.value)) hasEnded = true;
    if (write.value === "pending_retry") hasEnded = false;
    return { ...write, value: hasEnded && LIVE.has(write.value) };
  });
  return is({ initial: false, writes }, Boolean);
}

function isOverbooked(agent: AgentTimeline): Bounds {
  const cap = mapped(agent.settings, (settings) => settings?.maxParallelTasks ?? Infinity);
  return moreThan(agent.executions.map(countsAsSlot), cap);
}

function queueStandsStill(agent: AgentTimeline, { tickMs }: Timeline): Bounds {
  const tickOlderThan = (limitMs: number) =>
    holds(tickMs, (atMs) => (atMs === null ? NEVER : olderThan(atMs, limitMs)));
  // "90 s or more" is what the check asks.
  const late = tickOlderThan(89_000);
  if (late.possibly.length === 0) return NEVER;
  const queued = agent.executions.filter(({ status }) => status.writes.some((w) => w.value === "queued"));
  const hasWaited = queued.map((execution) =>
    and(
      isQueued(execution),
      holds(execution.queuedAtMs, (atMs) => (atMs === null ? NEVER : olderThan(atMs, 60_000))),
    ),
  );
  const oneBelowCap = mapped(agent.settings, (settings) => (settings?.maxParallelTasks ?? Infinity) - 1);
  const isFull = moreThan(agent.executions.map(countsAsSlot), oneBelowCap);
  const isDead = and(tickOlderThan(120_000), or(...queued.map(isQueued)));
  return and(isOnRoster(agent), not(isFull), or(isDead, and(late, or(...hasWaited))));
}

function isGhost(agent: AgentTimeline): Bounds {
  const isGone = not(isOnRoster(agent));
  // Most agents never leave, so their runs need not be examined.
  if (!agent.settings.writes.some(({ value }) => value === null)) return NEVER;
  const isNamed = or(
    is(agent.belongings, Boolean),
    ...agent.executions.flatMap((execution) => [
      is(execution.status, (value) => LIVE.has(value)),
      isMember(execution),
    ]),
  );
  return and(isGone, isNamed);
}

const OF_EXECUTIONS: Record<string, (execution: ExecutionTimeline, agent: AgentTimeline) => Bounds> = {
  "S-03": (execution, agent) => and(isOnRoster(agent), slotLifeIsWrong(execution)),
  "E-01": runsTooLong,
  "E-02": cameBackToLife,
  "E-05": hasNoSession,
  ...OF_ROWS,
};
const OF_AGENTS: Record<string, (agent: AgentTimeline, timeline: Timeline) => Bounds> = {
  "S-02": isOverbooked,
  "L-03": isGhost,
  "B-01": (agent) => and(isOnRoster(agent), is(agent.accessorIsWrong, Boolean)),
  "B-02": queueStandsStill,
};

/** Makes the rules for a timeline. R-01 is not among them: no timeline has containers. */
export function rulesOf(timeline: Timeline): Rules {
  const ofAgents = new Map<string, Bounds>();

  function boundsOf({ invariant, subject, key }: RuleItem): Bounds {
    const agent = timeline.agents.get(subject);
    if (!agent) return NEVER;
    const ofAgent = OF_AGENTS[invariant];
    if (ofAgent) return ofAgent(agent, timeline);
    if (invariant === "E-06") return scheduleIsOverdue(agent, key, isOnRoster(agent));
    const [, side, id = key] = /^(redis|sql):(.*)$/s.exec(key) ?? [];
    const execution = timeline.executions.get(id);
    if (!execution || execution.agent !== subject) return NEVER;
    if (invariant === "S-01")
      return and(isOnRoster(agent), side === "redis" ? slotWithoutRow(execution) : rowWithoutSlot(execution));
    return OF_EXECUTIONS[invariant]?.(execution, agent) ?? NEVER;
  }

  return {
    broken(item) {
      if (!(item.invariant in OF_AGENTS)) return boundsOf(item);
      const name = `${item.invariant} ${item.subject}`;
      const bound = ofAgents.get(name) ?? boundsOf(item);
      ofAgents.set(name, bound);
      return bound;
    },
    ended(executionId) {
      const execution = timeline.executions.get(executionId);
      return execution ? is(execution.status, (value) => TERMINAL.has(value)).definitely : [];
    },
    *items() {
      for (const { id, agent: subject } of timeline.executions.values()) {
        for (const side of ["redis", "sql"]) yield { invariant: "S-01", subject, key: `${side}:${id}` };
        for (const invariant of Object.keys(OF_EXECUTIONS)) yield { invariant, subject, key: id };
      }
      yield* scheduleItems(timeline);
      for (const subject of timeline.agents.keys())
        for (const invariant of Object.keys(OF_AGENTS)) yield { invariant, subject, key: subject };
    },
  };
}
