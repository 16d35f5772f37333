/** Runs every agent's cron schedule, in the platform's own time. */
import { Cron } from "croner";
import { naiveTimestamp } from "./clock.ts";
import { messageOf, type PlatformContext } from "./context.ts";
import { scheduleIdOf } from "./executor.ts";
import type { Scheduler } from "./scheduler.ts";
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

/**
 * Writes when the schedule runs next, and when it ran. Gives the schedule; undefined where it is gone.
 * @param inMs until the next run, in ms of the platform's own time
 */
async function writeNextRun(
  { database, clock }: PlatformContext,
  agent: string,
  { inMs, hasRun }: { readonly inMs: number; readonly hasRun: boolean },
) {
  const now = clock.now();
  const [answer] = await database.write(
    [
      {
        sql: `UPDATE agent_schedules SET next_run_at = ?, last_run_at = COALESCE(?, last_run_at) WHERE id = ?
              RETURNING enabled, message, timeout_seconds`,
        args: [
          naiveTimestamp(now + inMs / clock.scale),
          hasRun ? naiveTimestamp(now) : null,
          scheduleIdOf(agent),
        ],
      },
    ],
    () => [],
  );
  return answer!.rows[0];
}

/** Makes one run where the schedule is enabled. Gives false where the schedule is gone. */
async function tick(
  context: PlatformContext,
  scheduler: Scheduler,
  { agent, nextInMs, task }: { agent: string; nextInMs: number; task: Partial<Task> },
): Promise<boolean> {
  const schedule = await writeNextRun(context, agent, { inMs: nextInMs, hasRun: true });
  if (!schedule) return false;
  const timeoutSeconds = Number.isInteger(schedule.timeout_seconds) ? Number(schedule.timeout_seconds) : null;
  if (schedule.enabled === 1)
    await scheduler.run({
      agent,
      task: { message: String(schedule.message ?? "echo"), timeoutSeconds, ...task },
    });
  return true;
}

export function createSchedules(context: PlatformContext, scheduler: Scheduler): Schedules {
  const { clock, log } = context;
  const running = new Map<string, { controller: AbortController; done: Promise<void> }>();
  const startedAtMs = clock.now() - clock.elapsed();
  /** The instant in the platform's own time: the wall clock's, unless time is scaled or the wall clock has jumped. */
  const platformNow = () => startedAtMs + clock.elapsed();

  async function run(agent: string, cron: Cron, task: Partial<Task>, signal: AbortSignal): Promise<void> {
    let atMs = platformNow();
    const first = cron.nextRun(new Date(atMs));
    if (first) await writeNextRun(context, agent, { inMs: first.getTime() - atMs, hasRun: false });
    for (;;) {
      // A timer may fire a moment early: counting from the last run, no run comes twice.
      const next = cron.nextRun(new Date(Math.max(atMs, platformNow())));
      if (!next) return;
      await clock.sleep(next.getTime() - platformNow(), signal);
      atMs = next.getTime();
      const following = cron.nextRun(next);
      const nextInMs = following ? following.getTime() - platformNow() : 0;
      const goesOn = await tick(context, scheduler, { agent, nextInMs, task }).catch((error) => {
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
