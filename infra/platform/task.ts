/** What a run does once it is dispatched. Kept as JSON with a queued row, so that the backlog outlives the process. */
import { z } from "zod";

const Task = z.object({
  message: z.string().default("echo"),
  /** How long the agent works, in ms of the platform's own time. Past its timeout it is failed, and its answer is late. */
  runMs: z.number().min(0).default(0),
  ends: z.enum(["success", "failed"]).default("success"),
  /** How often a failed run is tried again, and after how long. */
  retries: z.int().min(0).default(0),
  retryAfterMs: z.number().min(0).default(60_000),
  /** The schedule's own timeout, where it has one; else the agent's holds. */
  timeoutSeconds: z.int().positive().nullable().default(null),
});

export type Task = z.infer<typeof Task>;

/** @param partial what differs from a run that succeeds at once */
export const newTask = (partial: Partial<Task>): Task => Task.parse(partial);

/** @param metadata a queued row's backlog_metadata. @returns its task; the simplest one where it can't be read */
export function parseTask(metadata: unknown): Task {
  try {
    return Task.parse(JSON.parse(String(metadata)));
  } catch {
    return newTask({});
  }
}

/** One run: its row in the database, and its task. */
export interface Execution {
  readonly id: string;
  readonly agent: string;
  readonly task: Task;
}
