/** The second statement of the rules about single rows: finished ones, queued ones, and schedules. */
import { after, and, type Bounds, holds, is, NEVER, type Register } from "./intervals.ts";
import type { RuleItem } from "./rules.ts";
import type { AgentTimeline, ExecutionTimeline, Timeline } from "./timeline.ts";

/** The load deletes rows that started and ended a minute ago; a broken one is certainly there for this long. */
const KEPT_MS = 50_000;
const SKEW_MS = 1_000;
const GRACE_MS = 3_600_000;
const DOUBT_MS = 250;

/** A status that needs a time at which the run ended. */
const isTimed = (status: string | null) =>
  status === "success" || status === "failed" || status === "cancelled";
const hasEnded = (status: string | null) => isTimed(status) || status === "skipped";

/** Bounds how long the row is there, if it started then. */
const isKept = (startedAtMs: number | null): Bounds =>
  startedAtMs === null
    ? NEVER
    : {
        possibly: [[-Infinity, Infinity]],
        definitely: [[-Infinity, startedAtMs + KEPT_MS]],
      };

function endsWithoutTime({ status, startedAtMs, completedAtMs }: ExecutionTimeline): Bounds {
  const isUntimed = is(completedAtMs, (atMs) => atMs === null);
  return and(is(status, isTimed), isUntimed, holds(startedAtMs, isKept));
}

function endsBeforeItStarts({ status, startedAtMs, completedAtMs }: ExecutionTimeline): Bounds {
  const isBackward = holds(startedAtMs, (startMs) =>
    is(completedAtMs, (endMs) => typeof endMs === "number" && startMs !== null && startMs - endMs > SKEW_MS),
  );
  return and(is(status, hasEnded), isBackward, holds(startedAtMs, isKept));
}

const queuedWith =
  (what: "nothing" | "a credential") =>
  ({ status, backlog }: ExecutionTimeline): Bounds =>
    and(
      is(status, (value) => value === "queued"),
      is(backlog, (held) => held === what),
    );

export const OF_ROWS: Record<string, (execution: ExecutionTimeline) => Bounds> = {
  "E-03": endsWithoutTime,
  "E-04": queuedWith("nothing"),
  "G-03": endsBeforeItStarts,
  "G-04": queuedWith("a credential"),
};

/** Bounds when a schedule is overdue. */
const isOverdue = (nextRunAtMs: Register<number | null>): Bounds =>
  holds(nextRunAtMs, (atMs) => (atMs === null ? NEVER : after(atMs + GRACE_MS, DOUBT_MS)));

/** Bounds when the agent's schedule with that id is overdue. @param isOnRoster when the agent is there */
export function scheduleIsOverdue({ schedules }: AgentTimeline, id: string, isOnRoster: Bounds): Bounds {
  const nextRunAtMs = schedules.get(id);
  return nextRunAtMs ? and(isOnRoster, isOverdue(nextRunAtMs)) : NEVER;
}

/** The items of schedules: their keys are the schedules' ids. */
export function* scheduleItems({ agents }: Timeline): Iterable<RuleItem> {
  for (const { name, schedules } of agents.values())
    for (const key of schedules.keys()) yield { invariant: "E-06", subject: name, key };
}
