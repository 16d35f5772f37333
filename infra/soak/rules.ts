/**
 * The rules of docs/invariants.md, written a second time over the journal's timeline. They share no code with the checks
 * that they judge: a mistake in one of the two shows as a disagreement.
 */
import type { ExecutionStatus } from "../platform/journal.ts";
import {
  countsAsSlot,
  DOUBT_MS,
  inFlight,
  isFull,
  isMember,
  isOnRoster,
  isPushed,
  isQueued,
  isRunning,
  isSentinel,
  olderThan,
  ownCap,
} from "./conditions.ts";
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
} from "./intervals.ts";
import { hasNoWorkers, isPullAgent, queueIsUnclaimed } from "./pull-rules.ts";
import { OF_ROWS, scheduleIsOverdue, scheduleItems } from "./rules-of-rows.ts";
import { isMisled, isOfSources, readsWrongPlace, sourceItems } from "./rules-of-sources.ts";
import { type SlotRules, slotRulesOf } from "./slot-rules.ts";
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
  /** Gives when that execution was definitely finished, in a way that it should not come back from. */
  ended(executionId: string): Intervals;
  /** Bounds when the canary reads a place that is not the platform's. */
  readonly misled: Bounds;
  /** All items of the journal. */
  items(): Iterable<RuleItem>;
}

const BUFFER_MS = 300_000;
const TTL_TOLERANCE_MS = 2_000;
/** Redis rounds a TTL to the nearest second. */
const TTL_ROUNDING_MS = 500;
/** The reaper of leases owns a row until its lease is overdue by that. */
const LEASE_REAPER_MS = 600_000;
const LIVE: ReadonlySet<ExecutionStatus | null> = new Set(["queued", "running"]);
/** Only a failed run is retried. */
const NEVER_RETRIED: ReadonlySet<ExecutionStatus | null> = new Set(["success", "cancelled", "skipped"]);
const TERMINAL: ReadonlySet<ExecutionStatus | null> = new Set(["success", "failed", "cancelled", "skipped"]);

/**
 * The life of a slot lasts from its score to when its hash expires. That suffices for acquisitions up to some instant: a later
 * one has too short a life. An older Redis does not say when the hash expires. Then the life is its TTL plus its age, and an age
 * below 0 counts as 0: a slot that was acquired by a clock that is ahead is found only once that instant has passed.
 */
function livesTooShort({ hash }: ExecutionTimeline, scoreMs: number): Bounds {
  return holds(hash, (value) => {
    if (!value?.ends) return NEVER;
    const leastMs = value.timeoutSeconds * 1000 + BUFFER_MS - TTL_TOLERANCE_MS;
    const possiblyFromMs = value.ends.earliestMs - leastMs - TTL_ROUNDING_MS - DOUBT_MS;
    const certainFromMs = value.ends.latestMs - leastMs + TTL_ROUNDING_MS + DOUBT_MS;
    return {
      possibly: scoreMs > possiblyFromMs ? ALWAYS.possibly : [],
      definitely: scoreMs > certainFromMs ? [[certainFromMs, Infinity]] : [],
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
  const isReapers = holds(execution.leaseEndsMs, (atMs) =>
    atMs === null ? NEVER : not(after(atMs + LEASE_REAPER_MS, DOUBT_MS)),
  );
  return and(isRunning(execution), isTooOld, not(isReapers));
}

function hasNoSession(execution: ExecutionTimeline): Bounds {
  const isOld = holds(execution.startedAtMs, (atMs) => (atMs === null ? NEVER : olderThan(atMs, 60_000)));
  return and(isPushed(execution), not(is(execution.session, Boolean)), isOld);
}

/** Finished, and later queued or running; or to be retried, though it had not failed. */
function cameBackToLife({ status }: ExecutionTimeline): Bounds {
  let ended: ExecutionStatus | null = null;
  const writes = status.writes.map((write) => {
    if (TERMINAL.has(write.value)) ended = write.value;
    const isRevived = ended !== null && LIVE.has(write.value);
    return { ...write, value: isRevived || (write.value === "pending_retry" && NEVER_RETRIED.has(ended)) };
  });
  return is({ initial: false, writes }, Boolean);
}

function isOverbooked(agent: AgentTimeline): Bounds {
  return moreThan(agent.executions.map(countsAsSlot), ownCap(agent));
}

function queueStandsStill(agent: AgentTimeline, timeline: Timeline): Bounds {
  const { tickMs } = timeline;
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
  const isDead = and(tickOlderThan(120_000), or(...queued.map(isQueued)));
  const isStuck = or(isDead, and(late, or(...hasWaited)));
  return and(isOnRoster(agent), not(isPullAgent(agent)), not(isFull(agent, timeline)), isStuck);
}

function isGhost(agent: AgentTimeline): Bounds {
  const isGone = not(isOnRoster(agent));
  // Most agents never leave, so their runs need not be examined.
  if (!agent.settings.writes.some(({ value }) => value === null)) return NEVER;
  const isNamed = or(
    is(agent.belongings, Boolean),
    ...agent.executions.flatMap((execution) => [
      is(execution.status, (value) => LIVE.has(value)),
      and(
        is(execution.status, (value) => value === "pending_retry"),
        is(execution.retryWaits, Boolean),
      ),
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
  "B-02": (agent, timeline) => or(queueStandsStill(agent, timeline), queueIsUnclaimed(agent)),
  "B-08": hasNoWorkers,
};

/** Makes the rules for a timeline. R-01 is not among them: no timeline has processes. */
export function rulesOf(timeline: Timeline): Rules {
  const ofAgents = new Map<string, Bounds>();
  const slotRules = new Map<string, SlotRules>();

  function slotRulesIn(agent: AgentTimeline): SlotRules {
    const rules = slotRules.get(agent.name) ?? slotRulesOf(agent, timeline);
    slotRules.set(agent.name, rules);
    return rules;
  }

  function boundsOf(item: RuleItem): Bounds {
    const { invariant, subject, key } = item;
    if (isOfSources(invariant)) return readsWrongPlace(timeline, item);
    const agent = timeline.agents.get(subject);
    if (!agent) return NEVER;
    const ofAgent = OF_AGENTS[invariant];
    if (ofAgent) return ofAgent(agent, timeline);
    if (invariant === "E-06") return scheduleIsOverdue(agent, key, isOnRoster(agent));
    const [, side, id = key] = /^(redis|sql):(.*)$/s.exec(key) ?? [];
    const execution = timeline.executions.get(id);
    if (!execution || execution.agent !== subject) return NEVER;
    if (invariant === "S-01") {
      const { slotWithoutRow, rowWithoutSlot } = slotRulesIn(agent);
      return and(isOnRoster(agent), (side === "redis" ? slotWithoutRow : rowWithoutSlot)(execution));
    }
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
    misled: isMisled(timeline),
    ended(executionId) {
      const execution = timeline.executions.get(executionId);
      if (!execution) return [];
      // To be retried is a reversal only after an end that is never retried.
      const waits = execution.status.writes.some(({ value }) => value === "pending_retry");
      const ends = waits ? NEVER_RETRIED : TERMINAL;
      return is(execution.status, (value) => ends.has(value)).definitely;
    },
    *items() {
      for (const { id, agent: subject } of timeline.executions.values()) {
        for (const side of ["redis", "sql"]) yield { invariant: "S-01", subject, key: `${side}:${id}` };
        for (const invariant of Object.keys(OF_EXECUTIONS)) yield { invariant, subject, key: id };
      }
      yield* scheduleItems(timeline);
      yield* sourceItems(timeline);
      for (const subject of timeline.agents.keys())
        for (const invariant of Object.keys(OF_AGENTS)) yield { invariant, subject, key: subject };
    },
  };
}
