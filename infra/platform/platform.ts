/** The simulated platform: it writes to SQLite and Redis as Trinity does, in the same order and with the same races. */
import type { Redis } from "ioredis";
import { type Agents, createAgents } from "./agents.ts";
import { type Capacity, createCapacity } from "./capacity.ts";
import { type Clock, scaledClock } from "./clock.ts";
import type { AgentContainers } from "./containers.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { platformDatabase } from "./database.ts";
import { createExecutor, type Executor } from "./executor.ts";
import type { SqlClient } from "./file-client.ts";
import type { Journal } from "./journal.ts";
import { createSchedules } from "./schedules.ts";

const SWEEP_EVERY_MS = 60_000;

export interface PlatformOptions {
  /** With the platform's tables in it. Faults should use another client. */
  readonly database: SqlClient;
  readonly redis: Redis;
  readonly clock?: Clock;
  readonly journal?: Journal;
  readonly log?: (line: string) => void;
  /** Left out: agents have no containers. */
  readonly containers?: AgentContainers;
  /** The time between the starts of two sweeps, in ms of the platform's own time. */
  readonly sweepEveryMs?: () => number;
  /** How many rows of one agent may be queued. Further ones are skipped. */
  readonly maxQueued?: number;
}

export interface Platform {
  readonly agents: Agents;
  readonly submit: Executor["submit"];
  readonly cancel: Executor["cancel"];
  readonly runMaintenance: Capacity["runMaintenance"];
  /** Lets the current sweep end and no other begin, as a hanging loop would. Gives the function that lets them go on. */
  holdMaintenance(): Promise<() => void>;
  /** Stops at once, as a process that dies does, and waits until no write is in progress. */
  stop(): Promise<void>;
}

/** Starts a platform without agents. A failure in the background is logged, and everything else goes on. */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  const { sweepEveryMs = () => SWEEP_EVERY_MS, containers = null, maxQueued } = options;
  const journal = options.journal ?? { record() {} };
  const context: PlatformContext = {
    database: platformDatabase(options.database, journal),
    redis: options.redis,
    clock: options.clock ?? scaledClock(),
    journal,
    log: options.log ?? console.error,
  };
  const { clock, log } = context;
  const executor = createExecutor(context, () => capacity);
  const capacity = await createCapacity(context, {
    onClaimed: executor.resume,
    ...(maxQueued !== undefined && { maxQueued }),
  });
  const schedules = createSchedules(context, executor);
  const stopping = new AbortController();
  let holds = 0;
  let sweepUnderWay = Promise.resolve();

  async function sweep(): Promise<void> {
    for (let dueAtMs = clock.elapsed(); ; ) {
      dueAtMs = Math.max(dueAtMs + sweepEveryMs(), clock.elapsed());
      await clock.sleep(dueAtMs - clock.elapsed(), stopping.signal);
      if (holds > 0) continue;
      sweepUnderWay = capacity
        .runMaintenance()
        .catch((error) => log(`the maintenance sweep failed: ${messageOf(error)}`));
      await sweepUnderWay;
    }
  }
  const sweeping = sweep().catch((error) => {
    if (!stopping.signal.aborted) log(`the maintenance loop ended: ${messageOf(error)}`);
  });

  return {
    agents: createAgents(context, { capacity, executor, schedules, containers }),
    submit: executor.submit,
    cancel: executor.cancel,
    runMaintenance: capacity.runMaintenance,
    async holdMaintenance() {
      holds += 1;
      let isHeld = true;
      await sweepUnderWay;
      return () => {
        if (isHeld) holds -= 1;
        isHeld = false;
      };
    },
    async stop() {
      stopping.abort();
      await schedules.stopAll();
      await executor.stop();
      await sweeping;
    },
  };
}
