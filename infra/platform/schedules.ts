/** Runs every agent's cron schedule, in the platform's own time. */
import { Cron } from "croner";
import { timestamp } from "./clock.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { type Executor, scheduleIdOf } from "./executor.ts";
import type { Task } from "./task.ts";

export interface Schedules {
  /** @param expression five fields, or six with seconds first; UTC. @throws Error that names the bad expression */
  parse(expression: string): Cron;
  /** Runs an agent by its schedule, until `stop`, or until its row of agent_schedules is gone. */
  start(agent: string, cron: Cron, task: Partial<Task>): void;
  stop(agent: string): void;
  /** Stops all, and waits until no write is in progress. */
  stopAll(): Promise<void>;
}

function parseCron(expression: string): Cron {
  try {
    return new Cron(expression, { timezone: "UTC", paused: true });
  } catch (error) {
    throw new Error(`${JSON.stringify(expression)} is not a cron expression: ${messageOf(error)}`);
  }
}

/** Submits one run where the schedule is enabled. Gives false where the schedule is gone. */
async function tick(
  { database, clock }: PlatformContext,
  executor: Executor,
  { agent, nextInMs, task }: { agent: string; nextInMs: number; task: Partial<Task> },
): Promise<boolean> {
  const [answer] = await database.write(
    [
      {
        sql: "UPDATE agent_schedules SET next_run_at = ? WHERE id = ? RETURNING enabled, message, timeout_seconds",
        args: [timestamp(clock.now() + nextInMs / clock.scale), scheduleIdOf(agent)],
      },
    ],
    () => [],
  );
  const [schedule] = answer!.rows;
  if (!schedule) return false;
  const timeoutSeconds = Number.isInteger(schedule.timeout_seconds) ? Number(schedule.timeout_seconds) : null;
  if (schedule.enabled === 1)
    await executor.submit({
      agent,
      triggeredBy: "schedule",
      task: { message: String(schedule.message ?? "echo"), timeoutSeconds, ...task },
    });
  return true;
}

export function createSchedules(context: PlatformContext, executor: Executor): Schedules {
  const { clock, log } = context;
  const running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  const startedAtMs = clock.now() - clock.elapsed();
  /** The instant in the platform's own time: the wall clock's, unless time is scaled or the wall clock has jumped. */
  const platformNow = () => startedAtMs + clock.elapsed();

  async function run(agent: string, cron: Cron, task: Partial<Task>, signal: AbortSignal): Promise<void> {
    let atMs = platformNow();
    for (;;) {
      // A timer may fire a moment early: counting from the last run, no run comes twice.
      const next = cron.nextRun(new Date(Math.max(atMs, platformNow())));
      if (!next) return;
      await clock.sleep(next.getTime() - platformNow(), signal);
      atMs = next.getTime();
      const following = cron.nextRun(next);
      const nextInMs = following ? following.getTime() - platformNow() : 0;
      const goesOn = await tick(context, executor, { agent, nextInMs, task }).catch((error) => {
        log(`schedule of ${agent}: ${messageOf(error)}`);
        return true;
      });
      if (!goesOn) return;
    }
  }

  return {
    parse: parseCron,
    start(agent, cron, task) {
      const controller = new AbortController();
      const done = run(agent, cron, task, controller.signal)
        .catch((error) => {
          if (!controller.signal.aborted) log(`schedule of ${agent}: ${messageOf(error)}`);
        })
        .finally(() => {
          if (running.get(agent)?.controller === controller) running.delete(agent);
        });
      running.set(agent, { controller, done });
    },
    stop: (agent) => running.get(agent)?.controller.abort(),
    async stopAll() {
      for (const { controller } of running.values()) controller.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}
