/** The cron of every agent's schedule, in the platform's own time. */
import { Cron } from "croner";
import { timestamp } from "./clock.ts";
import { type PlatformContext, textOf } from "./context.ts";
import { type Executor, scheduleIdOf } from "./executor.ts";
import type { Task } from "./task.ts";

export interface Schedules {
  /** @param expression five fields, or six with seconds first; UTC. @throws Error that names what is no cron */
  parse(expression: string): Cron;
  /** Lets an agent run by its schedule, until `stop`, or until its row of agent_schedules is gone. */
  start(agent: string, cron: Cron, task: Partial<Task>): void;
  stop(agent: string): void;
  /** Stops all, and waits until no write is under way. */
  stopAll(): Promise<void>;
}

export function createSchedules({ database, clock, log }: PlatformContext, executor: Executor): Schedules {
  const running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  const startedAtMs = clock.now() - clock.elapsed();
  /** The instant that it is in the platform's own time; the wall clock's where nothing is scaled and nothing jumped. */
  const platformNow = () => startedAtMs + clock.elapsed();

  async function tick(agent: string, nextInMs: number, task: Partial<Task>): Promise<boolean> {
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
    const timeoutSeconds = Number.isInteger(schedule.timeout_seconds)
      ? Number(schedule.timeout_seconds)
      : null;
    if (schedule.enabled === 1)
      await executor.submit({
        agent,
        triggeredBy: "schedule",
        task: { message: String(schedule.message ?? "echo"), timeoutSeconds, ...task },
      });
    return true;
  }

  async function run(agent: string, cron: Cron, task: Partial<Task>, signal: AbortSignal): Promise<void> {
    let atMs = platformNow();
    for (;;) {
      // A timer may fire a moment early: from the last run on, none comes twice.
      const next = cron.nextRun(new Date(Math.max(atMs, platformNow())));
      if (!next) return;
      await clock.sleep(next.getTime() - platformNow(), signal);
      atMs = next.getTime();
      const following = cron.nextRun(next);
      const goesOn = await tick(agent, following ? following.getTime() - platformNow() : 0, task).catch(
        (error) => {
          log(`schedule of ${agent}: ${textOf(error)}`);
          return true;
        },
      );
      if (!goesOn) return;
    }
  }

  return {
    parse(expression) {
      try {
        return new Cron(expression, { timezone: "UTC", paused: true });
      } catch (error) {
        throw new Error(`${JSON.stringify(expression)} is no cron expression: ${textOf(error)}`);
      }
    },
    start(agent, cron, task) {
      const controller = new AbortController();
      const done = run(agent, cron, task, controller.signal)
        .catch((error) => {
          if (!controller.signal.aborted) log(`schedule of ${agent}: ${textOf(error)}`);
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
