/** What a run does. A queued row holds it as JSON, so that the backlog outlives the process. */
import { z } from "zod";

const Task = z.object({
  message: z.string().default("echo"),
  /** How long the agent works, in ms of the platform's own time. Past the timeout the run is failed, and its answer is late. */
  runMs: z.number().min(0).default(0),
  /** How long its dispatch waits at the agent before the agent takes it, in ms of the platform's own time. */
  parkedMs: z.number().min(0).default(0),
  ends: z.enum(["success", "failed"]).default("success"),
  /** The conversation that it is a turn of. Pull workers take one turn of it after the other. */
  conversation: z.string().nullable().default(null),
  /** How many pull workers die while they work on it. */
  workersLost: z.int().min(0).default(0),
  /** How often a failed run of the scheduler is retried, and after how long. */
  retries: z.int().min(0).default(0),
  retryAfterMs: z.number().min(0).default(60_000),
  /** The schedule's own timeout. null: the agent's. */
  timeoutSeconds: z.int().positive().nullable().default(null),
});

export type Task = z.infer<typeof Task>;

/** Completes a task; the default is a run that succeeds at once. */
export const newTask = (partial: Partial<Task>): Task => Task.parse(partial);

/** Parses a queued row's backlog_metadata. Gives the default task where it can't be read. */
export function parseTask(metadata: unknown): Task {
  try {
    return Task.parse(JSON.parse(String(metadata)));
  } catch {
    return newTask({});
  }
}

/** One run: its row in the database, and its task. */
export interface PlatformExecution {
  readonly id: string;
  readonly agent: string;
  readonly task: Task;
}
