import type { Unseen } from "../facts/coverage.ts";
import type { DrainTick, Execution, ReadingTime, UnreadableRow } from "../facts/facts.ts";
import { admittedAtMs } from "../facts/runs.ts";
import { plural } from "../text.ts";
import { docker, noted } from "./commands.ts";
import { type Finding, invariant } from "./invariant.ts";
import { BACKEND, containerOf, RECREATE, verifyPool, verifySweep } from "./platform-commands.ts";
import { idleWorkers, type Pool, poolOf, pullAgentsOf } from "./pull-pools.ts";
import {
  countSubjects,
  effectiveCap,
  hasUnseenSlots,
  nameSubjects,
  namesOf,
  realSlots,
  rowsByAgent,
  secondsBetween,
  UNREADABLE_ID,
  unreadSlotCount,
  wholeOrText,
} from "./rules.ts";

/** A queue that the platform's sweeps drain. */
interface Pushed {
  agent_name: string;
  mode: "push";
  queued_count: number;
  slot_count: number;
  max_parallel_tasks: number;
  /** The smaller of the agent's cap and the ceiling of all agents. */
  effective_max_parallel_tasks: number;
  free_slots: number;
  drain_tick_at: number | string | null;
  drain_tick_age_seconds: number | string | null;
  drain_tick_grace_seconds: number;
}

/** A queue that workers of the agent claim from. */
interface Pulled {
  agent_name: string;
  mode: "pull";
  kind: "queued_not_claimed" | "pilot_stopped";
  queued_count: number;
  oldest_queued_age_seconds: number;
  claim_grace_seconds: number;
  /** Null where the container does not run, or was not read. */
  container_pull_mode: boolean | null;
  pool_size: number | null;
  busy_workers: number | null;
  idle_workers: number | null;
}

type Row = Execution | UnreadableRow;

/** The sweep runs this often. */
const GRACE_SECONDS = 60;
/** It begins up to 15 s later, and takes time itself: before this it is late at most. */
const LATE_SECONDS = 90;
/** Until here it may only be late, and a row counts only if it has waited itself. */
const DEAD_SECONDS = 120;
/** What an idle worker may take to claim a row. */
const CLAIM_SECONDS = 120;

const PULL_EXAMPLE = {
  agent_name: "<agent>",
  mode: "pull",
  queued_count: 1,
  oldest_queued_age_seconds: 130,
  claim_grace_seconds: CLAIM_SECONDS,
  container_pull_mode: true,
  pool_size: 3,
  busy_workers: 0,
  idle_workers: 3,
} as const;

export const noQueuedWithoutSlotsFull = invariant({
  id: "B-02",
  title: "No queued without slots full",
  tier: "B",
  severity: "critical",
  impact:
    "Work waits although there is room for it, and nobody drains the queue: queued runs fail after 24 hours, so get up.",
  runbook:
    "Where the platform drains the queue: look at the log of its maintenance loop, and restart the backend if the loop hangs or has died. Where the agent's own workers claim from it: start the container if it is stopped, or see why they claim nothing.",
  safe: "A restart of the backend ends no run in an agent's container, but cuts requests that wait for an answer. A restart of the agent's container ends every run in it.",
  example: {
    agent_name: "<agent>",
    mode: "push",
    queued_count: 1,
    slot_count: 0,
    max_parallel_tasks: 2,
    effective_max_parallel_tasks: 2,
    free_slots: 2,
    drain_tick_at: 1779100200,
    drain_tick_age_seconds: 600,
    drain_tick_grace_seconds: GRACE_SECONDS,
  },
  otherExamples: [
    { ...PULL_EXAMPLE, kind: "queued_not_claimed" },
    { ...PULL_EXAMPLE, kind: "queued_not_claimed", container_pull_mode: false },
    { ...PULL_EXAMPLE, kind: "pilot_stopped", container_pull_mode: null, busy_workers: 0, idle_workers: 3 },
  ],
  reads: ["roster", "executions", "slots", "drainTick", "pullPolls", "platformSettings"],
  optional: ["containers"],
  confirm: true,

  check({ roster, executions, slots, drainTick, pullPolls, platformSettings }, { times, readings }) {
    // A row that can't be named waits like any other.
    const rowsOf = rowsByAgent(executions);
    const pullAgents = pullAgentsOf(executions, pullPolls);
    const readAtMs = times.executions.fromMs;
    const unseen: Unseen[] = [];
    const findings: Finding<Pushed | Pulled>[] = [];
    for (const [agent, limits] of roster) {
      const rows = rowsOf.get(agent) ?? [];
      const queued = rows.filter((e) => e.status === "queued");
      let look: Look = HEALTHY;
      if (pullAgents.has(agent)) {
        const pool = poolOf(agent, limits, rows, readings.containers, readAtMs);
        if (queued.length > 0)
          look = pulled(agent, queued, { pool, running: conversationsIn(rows), readAtMs });
      } else {
        const cap = effectiveCap(limits, platformSettings);
        const isUnseen = cap === null || hasUnseenSlots(slots, agent);
        const slotCount = realSlots(slots, agent, times.slots).length + unreadSlotCount(slots, agent);
        if (isUnseen) look = { finding: null, unseen: [{ subject: agent }] };
        else if (queued.length > 0 && slotCount < cap)
          look = pushed(agent, queued, { own: limits.maxParallelTasks!, cap, slotCount }, drainTick, times);
      }
      unseen.push(...look.unseen);
      if (look.finding) findings.push(look.finding);
    }
    return { subjects: namesOf(roster), unseen, findings };
  },

  summarize(findings) {
    const pull = findings.filter((f) => f.observed.mode === "pull").length;
    const queuedRuns = findings.reduce((n, f) => n + f.observed.queued_count, 0);
    const push = findings.map((f) => f.observed).find((observed) => observed.mode === "push");
    const age = push?.drain_tick_age_seconds ?? null;
    const why = [
      ...(push ? [age === null ? "the drain never ran" : `the last drain was ${age} s ago`] : []),
      ...(pull > 0 ? [`the pull workers of ${plural(pull, "agent")} claim nothing`] : []),
    ].join(", ");
    return `${plural(queuedRuns, "queued run waits", "queued runs wait")} beside free slots across ${plural(countSubjects(findings), "agent")}, ${why}: ${nameSubjects(findings)}`;
  },
  size: ({ queued_count }) => queued_count,

  explain(observed) {
    const { agent_name, queued_count } = observed;
    if (observed.mode === "push") {
      const { slot_count, effective_max_parallel_tasks: cap, drain_tick_age_seconds: age } = observed;
      return `${agent_name}: ${queued_count} queued, ${slot_count} of ${cap} slots taken, last drain ${age === null ? "never" : `${age} s ago`}`;
    }
    return `${agent_name}: ${queued_count} queued, the oldest for ${observed.oldest_queued_age_seconds} s; ${whyUnclaimed(observed, (idle, size) => `${idle} of ${plural(size, "worker")} idle`)}`;
  },

  verify: (observed) =>
    observed.mode === "pull" ? verifyPool(observed.agent_name) : verifySweep(observed.agent_name),
  fix: (observed) => {
    const container = containerOf(observed.agent_name);
    // An older version stored no mode: then it was the platform's queue.
    if (observed.mode !== "pull")
      return [noted("where the loop hangs or has died", docker("restart", BACKEND))];
    if (observed.kind === "pilot_stopped") return [noted("where it is stopped", docker("start", container))];
    if (observed.container_pull_mode === false) return [RECREATE];
    return [noted("where its workers hang, ends every run in it", docker("restart", container))];
  },
});

/** What is seen of one agent's queue. */
interface Look {
  readonly finding: Finding<Pushed | Pulled> | null;
  readonly unseen: readonly Unseen[];
}
const HEALTHY: Look = { finding: null, unseen: [] };

/** The rows of which it can't be said how long they have waited. */
const unreadWaits = (agent: string, queued: readonly Row[]): Unseen[] =>
  queued
    .filter((row) => admittedAtMs(row) === null)
    .map(({ id }) => ({ subject: agent, key: id ?? UNREADABLE_ID }));

/** Judges the queue of an agent with free slots, by the heartbeat of the sweeps. */
function pushed(
  agent: string,
  queued: readonly Row[],
  { own, cap, slotCount }: { readonly own: number; readonly cap: number; readonly slotCount: number },
  { atSeconds }: DrainTick,
  { drainTick: { fromMs: readAtMs } }: Readonly<Record<"drainTick", ReadingTime>>,
): Look {
  const tickAgeSeconds = atSeconds === null ? null : secondsBetween(atSeconds * 1000, readAtMs);
  if (tickAgeSeconds !== null && tickAgeSeconds < LATE_SECONDS) return HEALTHY;
  if (tickAgeSeconds !== null && tickAgeSeconds <= DEAD_SECONDS) {
    const hasWaited = queued.some((row) => {
      const sinceMs = admittedAtMs(row);
      return sinceMs !== null && secondsBetween(sinceMs, readAtMs) > GRACE_SECONDS;
    });
    if (!hasWaited) return { finding: null, unseen: unreadWaits(agent, queued) };
  }
  const freeSlots = cap - slotCount;
  const age = tickAgeSeconds === null ? "never" : `${tickAgeSeconds}s > ${GRACE_SECONDS}s`;
  return {
    unseen: [],
    finding: {
      subject: agent,
      keys: [agent],
      observed: {
        agent_name: agent,
        mode: "push",
        queued_count: queued.length,
        slot_count: slotCount,
        max_parallel_tasks: own,
        effective_max_parallel_tasks: cap,
        free_slots: freeSlots,
        drain_tick_at: atSeconds === null ? null : wholeOrText(atSeconds),
        drain_tick_age_seconds: tickAgeSeconds === null ? null : wholeOrText(tickAgeSeconds),
        drain_tick_grace_seconds: GRACE_SECONDS,
      },
      signalQuery: `agent ${agent}: queued=${queued.length}, slots=${slotCount}/${cap} (free=${freeSlots}), drain_tick_age=${age}`,
    },
  };
}

/** The conversations with a turn that runs: no worker claims another turn of one. */
const conversationsIn = (rows: readonly Row[]): ReadonlySet<string> =>
  new Set(rows.flatMap(({ status, conversation }) => (status === "running" ? (conversation ?? []) : [])));

/** What the queue of an agent with pull workers is judged by. */
interface Workers {
  readonly pool: Pool;
  readonly running: ReturnType<typeof conversationsIn>;
  readonly readAtMs: number;
}

/** Judges the queue of an agent with pull workers. Slots say nothing of these. */
function pulled(agent: string, queued: readonly Row[], { pool, running, readAtMs }: Workers): Look {
  const claimable = queued.filter(({ conversation }) => conversation === null || !running.has(conversation));
  const waits = claimable.flatMap((row) => admittedAtMs(row) ?? []);
  const oldestSeconds =
    waits.length > 0
      ? secondsBetween(
          waits.reduce((least, ms) => Math.min(least, ms)),
          readAtMs,
        )
      : null;
  if (oldestSeconds === null || oldestSeconds <= CLAIM_SECONDS)
    return { finding: null, unseen: unreadWaits(agent, claimable) };
  const { container, size, busy } = pool;
  const isStopped = container.state === "not running";
  const isMisconfigured = container.state === "running" && !container.isPullMode;
  if (!isStopped && !isMisconfigured && (size === null || busy === null))
    return { finding: null, unseen: [{ subject: agent }] };
  const idle = size === null || busy === null ? null : idleWorkers(size, busy);
  if (!isStopped && !isMisconfigured && idle === 0) return HEALTHY;
  const observed: Pulled = {
    agent_name: agent,
    mode: "pull",
    kind: isStopped ? "pilot_stopped" : "queued_not_claimed",
    queued_count: queued.length,
    oldest_queued_age_seconds: oldestSeconds,
    claim_grace_seconds: CLAIM_SECONDS,
    container_pull_mode: container.state === "running" ? container.isPullMode : null,
    pool_size: size,
    busy_workers: busy,
    idle_workers: idle,
  };
  return {
    unseen: [],
    finding: {
      subject: agent,
      keys: [agent],
      // A stopped container is its operator's doing; where Docker was not read, nobody knows whether there are workers at all.
      severity: container.state === "running" ? "critical" : "major",
      observed,
      signalQuery: `agent ${agent}: queued=${queued.length}, oldest ${oldestSeconds}s > ${CLAIM_SECONDS}s with ${whyUnclaimed(observed, (idle, size) => `${idle}/${size} worker(s) idle`)}`,
    },
  };
}

function whyUnclaimed(
  { kind, container_pull_mode, pool_size, idle_workers }: Pulled,
  workers: (idle: number, size: number) => string,
): string {
  if (kind === "pilot_stopped") return "its container not running";
  if (container_pull_mode === false) return "a container that is not in pull mode";
  return workers(idle_workers ?? 0, pool_size ?? 0);
}
