/** The simulated platform: it writes to SQLite and Redis as Trinity does, in the same order and with the same races. */
import type { Redis } from "ioredis";
import { type Agents, createAgents } from "./agents.ts";
import { type Alarms, createAlarms } from "./alarms.ts";
import { createBackground } from "./background.ts";
import { type Capacity, createCapacity } from "./capacity.ts";
import { createChatTurns, type StartChatTurn } from "./chat-turns.ts";
import { type Clock, scaledClock } from "./clock.ts";
import type { AgentContainers } from "./containers.ts";
import type { PlatformContext } from "./context.ts";
import { platformDatabase } from "./database.ts";
import { createExecutor, type Executor } from "./executor.ts";
import type { SqlClient } from "./file-client.ts";
import type { Journal } from "./journal.ts";
import { setCeiling } from "./limits.ts";
import { createPullWorkers, PULL_TIMES, type PullTimes } from "./pull-workers.ts";
import { type Bugs, type Release, TRAITS } from "./releases.ts";
import { createRetries } from "./retries.ts";
import { createScheduler, drawDispatch, type Scheduler } from "./scheduler.ts";
import { createSchedules } from "./schedules.ts";
import { drawSweepPause, type Sweeps, startSweeps } from "./sweeps.ts";
import type { PlatformExecution } from "./task.ts";

export interface PlatformOptions {
  /** With the release's tables in it. Faults should use another client. */
  readonly database: SqlClient;
  readonly redis: Redis;
  /** Default: `today`. */
  readonly release?: Release;
  /** The known bugs that it has. Default: none. */
  readonly bugs?: Bugs;
  readonly clock?: Clock;
  readonly journal?: Journal;
  readonly log?: (line: string) => void;
  /** Left out: agents have no containers. */
  readonly containers?: AgentContainers;
  /** The time between two sweeps, in ms of the platform's own time. */
  readonly sweepEveryMs?: () => number;
  /** How long the scheduler's next dispatch takes, in ms of the platform's own time. */
  readonly dispatchMs?: () => number;
  readonly pullTimes?: PullTimes;
  /** How many rows of one agent may be queued. Further ones are skipped. */
  readonly maxQueued?: number;
}

export interface Platform {
  readonly agents: Agents;
  readonly alarms: Alarms;
  /** Takes a task over HTTP. */
  readonly submit: Executor["submit"];
  /** Runs a schedule at once, by the scheduler's way. */
  readonly runSchedule: Scheduler["run"];
  readonly chat: StartChatTurn;
  readonly cancel: Executor["cancel"];
  /** Sets the ceiling of the fleet; null removes it. @throws Error on a release that has none */
  setCeiling(maxParallelTasks: number | null): Promise<void>;
  readonly runMaintenance: Capacity["runMaintenance"];
  /** Lets the current sweep end and no other begin, as a hanging loop would. Gives the function that lets them go on. */
  readonly holdMaintenance: Sweeps["hold"];
  /** Stops at once, as a process that dies does, and waits until no write is in progress. */
  stop(): Promise<void>;
}

function contextOf(options: PlatformOptions): PlatformContext {
  const journal = options.journal ?? { record() {} };
  return {
    database: platformDatabase(options.database, journal),
    redis: options.redis,
    clock: options.clock ?? scaledClock(),
    journal,
    log: options.log ?? console.error,
    traits: TRAITS[options.release ?? "today"],
    bugs: options.bugs ?? {},
    pullAgents: new Set(),
  };
}

/** Starts a platform without agents. A failure in the background is logged, and everything else goes on. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { containers = null, maxQueued, dispatchMs = () => drawDispatch(Math.random) } = options;
  const context = contextOf(options);
  const background = createBackground(context);
  const onFailed = (execution: PlatformExecution) => retry(execution);
  const executor = createExecutor(context, { background, capacity: () => capacity, onFailed });
  const capacity = await createCapacity(context, {
    onClaimed: executor.resume,
    ...(maxQueued !== undefined && { maxQueued }),
  });
  const { runOf } = executor;
  const scheduler = createScheduler(context, { background, runOf, dispatchMs });
  const retry = createRetries(context, { background, scheduler });
  const schedules = createSchedules(context, scheduler);
  const pullWorkers = createPullWorkers(context, {
    background,
    times: options.pullTimes ?? PULL_TIMES,
    onFailed,
  });
  const sweeps = startSweeps(context, capacity.runMaintenance, options.sweepEveryMs ?? drawSweepPause);
  return {
    agents: createAgents(context, { capacity, background, schedules, pullWorkers, containers }),
    alarms: createAlarms(context),
    submit: executor.submit,
    runSchedule: scheduler.run,
    chat: createChatTurns(context, { background, capacity, runOf }),
    cancel: executor.cancel,
    setCeiling: (maxParallelTasks) => setCeiling(context, maxParallelTasks),
    runMaintenance: capacity.runMaintenance,
    holdMaintenance: sweeps.hold,
    async stop() {
      const loops = [sweeps.stop(), schedules.stopAll(), pullWorkers.stopAll()];
      await background.stop();
      await Promise.all(loops);
    },
  };
}
