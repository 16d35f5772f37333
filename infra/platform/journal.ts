/** What the platform did and when, as it records it itself: for judging what the canary saw. */

export type ExecutionStatus =
  | "queued"
  | "running"
  | "pending_retry"
  | "success"
  | "failed"
  | "cancelled"
  | "skipped";

/** One thing that a write changed. */
export type Change =
  /** The row has this status now. `startedAtMs`, `queuedAtMs`: the instants that were written with it, where they were. */
  | {
      readonly what: "row";
      readonly agent: string;
      readonly executionId: string;
      readonly status: ExecutionStatus;
      readonly startedAtMs?: number;
      readonly queuedAtMs?: number;
    }
  | { readonly what: "session"; readonly agent: string; readonly executionId: string }
  /** A member of the agent's slots: of an execution, or a `drain-` sentinel. */
  | {
      readonly what: "slot taken";
      readonly agent: string;
      readonly executionId: string;
      readonly scoreSeconds: number;
    }
  | { readonly what: "slot given back"; readonly agent: string; readonly executionId: string }
  /** The slot's hash: made, given its time to live, removed. */
  | {
      readonly what: "hash written";
      readonly agent: string;
      readonly executionId: string;
      readonly timeoutSeconds: number;
    }
  | {
      readonly what: "hash expires";
      readonly agent: string;
      readonly executionId: string;
      readonly ttlSeconds: number;
    }
  | { readonly what: "hash removed"; readonly agent: string; readonly executionId: string }
  /** The agent is on the roster with these settings. */
  | {
      readonly what: "agent";
      readonly agent: string;
      readonly maxParallelTasks: number;
      readonly executionTimeoutSeconds: number;
    }
  /** The agent is off the roster, and its rows in the other tables are gone. */
  | { readonly what: "agent removed"; readonly agent: string }
  | { readonly what: "drain tick"; readonly atSeconds: number };

/**
 * A change, with the instant before its write was sent and the one after it was acknowledged (unix ms that don't jump):
 * it took hold somewhere between them.
 */
export type JournalEvent<C = Change> = C & { readonly sentAtMs: number; readonly ackedAtMs: number };

/**
 * Called once for each change, after it was acknowledged. A write that failed is not recorded; one whose connection
 * broke may have taken hold nonetheless.
 */
export interface Journal<C = Change> {
  record(event: JournalEvent<C>): void;
}

/** @returns unix ms by a clock that never jumps: the wall clock's at the start of the process, monotonic from there */
export const steadyNow = (): number => performance.timeOrigin + performance.now();

/**
 * Makes one write and records its changes.
 * @param changes what it changes, or what it turns out to have changed by its answer
 * @returns the write's answer
 */
export async function journaled<T, C = Change>(
  journal: Journal<C>,
  write: () => Promise<T>,
  changes: (answer: T) => readonly C[],
): Promise<T> {
  const sentAtMs = steadyNow();
  const answer = await write();
  const ackedAtMs = steadyNow();
  for (const change of changes(answer)) journal.record({ ...change, sentAtMs, ackedAtMs });
  return answer;
}
