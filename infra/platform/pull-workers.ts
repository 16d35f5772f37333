/**
 * Pull agents: their runs hold no slot. Each agent has a pool of workers that ask for work, claim a queued row under a
 * lease and renew it. The backend never drains their rows; it queues a row again whose lease has run out.
 */
import type { Background } from "./background.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { claimRow, endLeased, type LeasedRow, reapLeases, renewLease } from "./leases.ts";
import { limitsOf } from "./limits.ts";
import { PULL_POLL_TTL_SECONDS, pullPollKey } from "./names.ts";
import { recorded } from "./slots.ts";
import type { PlatformExecution } from "./task.ts";

/** Times of pull workers, in ms of the platform's own time. */
export interface PullTimes {
  /** How long an idle worker waits before it asks again. */
  readonly pollEveryMs: number;
  /** The life of a lease. It is renewed each third of it. */
  readonly leaseMs: number;
  /** How often leases that ran out are looked for. */
  readonly reapEveryMs: number;
}

export const PULL_TIMES: PullTimes = { pollEveryMs: 5_000, leaseMs: 120_000, reapEveryMs: 60_000 };

export interface PullWorkers {
  /** Starts the agent's pool. */
  start(agent: string, workers: number): void;
  /** Ends the pool. What its workers have claimed goes on until it is cancelled. */
  stop(agent: string): void;
  /** Ends all pools, and waits until no write is in progress. */
  stopAll(): Promise<void>;
}

interface Parts {
  readonly background: Background;
  readonly times: PullTimes;
  readonly onFailed: (execution: PlatformExecution) => void;
}

/** Says that a worker of the agent asks for work. */
function writePoll(context: PlatformContext, agent: string): Promise<unknown> {
  const atSeconds = context.clock.now() / 1000;
  return recorded(
    context,
    () => context.redis.set(pullPollKey(agent), String(atSeconds), "EX", PULL_POLL_TTL_SECONDS),
    () => ({ what: "pull poll", agent, atSeconds }),
  );
}

/** Works on a claimed row until its end, or until the worker dies or loses the row. */
async function workOn(
  context: PlatformContext,
  row: LeasedRow,
  { leaseMs, signal }: { readonly leaseMs: number; readonly signal: AbortSignal },
  onFailed: Parts["onFailed"],
): Promise<void> {
  const { clock } = context;
  const { execution, redeliveries, timeoutSeconds } = row;
  const { runMs, ends, workersLost } = execution.task;
  const isTimedOut = runMs > timeoutSeconds * 1000;
  const takesMs = Math.min(runMs, timeoutSeconds * 1000);
  const isLost = redeliveries < workersLost;
  let leftMs = isLost ? takesMs / 2 : takesMs;
  for (; leftMs > leaseMs / 3; leftMs -= leaseMs / 3) {
    await clock.sleep(leaseMs / 3, signal);
    if (!(await renewLease(context, row, leaseMs))) return;
  }
  await clock.sleep(leftMs, signal);
  if (isLost) return;
  const error = isTimedOut
    ? `timed out after ${timeoutSeconds} s`
    : ends === "failed"
      ? "the task failed"
      : null;
  const hasEnded = await endLeased(context, row, error === null ? "success" : "failed", error);
  if (hasEnded && error !== null) onFailed(execution);
}

export function createPullWorkers(
  context: PlatformContext,
  { background, times, onFailed }: Parts,
): PullWorkers {
  const { clock, log, pullAgents } = context;
  const { pollEveryMs, leaseMs, reapEveryMs } = times;
  const pools = new Map<string, AbortController>();
  const loops = new Set<Promise<void>>();
  const stopping = new AbortController();

  /** Repeats a step until the signal is aborted. A failure is logged and ends nothing. */
  function repeat(what: string, signal: AbortSignal, step: () => Promise<void>): void {
    const loop = (async () => {
      while (!signal.aborted)
        await step().catch(async (error) => {
          if (signal.aborted) return;
          log(`${what}: ${messageOf(error)}`);
          await clock.sleep(pollEveryMs, signal).catch(() => {});
        });
    })().finally(() => loops.delete(loop));
    loops.add(loop);
  }

  /** Asks for work once, and does it. */
  async function turn(agent: string, signal: AbortSignal): Promise<void> {
    await writePoll(context, agent);
    const limits = await limitsOf(context, agent);
    const row =
      limits && (await claimRow(context, agent, { leaseMs, timeoutSeconds: limits.timeoutSeconds }));
    if (!row) return clock.sleep(pollEveryMs, signal);
    await background.start(row.execution.id, agent, (own) =>
      workOn(context, row, { leaseMs, signal: own }, onFailed),
    );
  }

  if (context.traits.hasPullAgents)
    repeat("the leases could not be looked at", stopping.signal, async () => {
      await clock.sleep(reapEveryMs, stopping.signal);
      if (pullAgents.size > 0) await reapLeases(context);
    });
  return {
    start(agent, workers) {
      const controller = new AbortController();
      pools.set(agent, controller);
      pullAgents.add(agent);
      for (let n = 1; n <= workers; n += 1)
        repeat(`worker ${n} of ${agent}`, controller.signal, () => turn(agent, controller.signal));
    },
    stop(agent) {
      pools.get(agent)?.abort();
      pools.delete(agent);
      pullAgents.delete(agent);
    },
    async stopAll() {
      stopping.abort();
      for (const controller of pools.values()) controller.abort();
      await Promise.all(loops);
    },
  };
}
