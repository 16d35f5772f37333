/** The platform's own record of what it did and when. The soak judges the canary by it. */

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
  /**
   * The row got this status. The instants that were written with it, if any. A `completedAtMs` of null: an ended row does not
   * say when; left out: nothing is said of it.
   */
  | {
      readonly what: "row";
      readonly agent: string;
      readonly executionId: string;
      readonly status: ExecutionStatus;
      readonly startedAtMs?: number;
      readonly queuedAtMs?: number;
      readonly completedAtMs?: number | null;
    }
  | { readonly what: "session"; readonly agent: string; readonly executionId: string }
  /** A member of the agent's slots, for an execution or a `drain-` sentinel. */
  | {
      readonly what: "slot taken";
      readonly agent: string;
      readonly executionId: string;
      readonly scoreSeconds: number;
    }
  | { readonly what: "slot given back"; readonly agent: string; readonly executionId: string }
  /** The slot's hash was made, got its time to live, was removed. */
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
 * A change, with the instant before its write was sent and the one after it was acknowledged (unix ms of `steadyNow`).
 * It took effect at some instant between them.
 */
export type JournalEvent<C = Change> = C & { readonly sentAtMs: number; readonly ackedAtMs: number };

/**
 * Records each change once, after it was acknowledged. A failed write is not recorded, though it may have taken effect
 * where its connection broke.
 */
export interface Journal<C = Change> {
  record(event: JournalEvent<C>): void;
}

/** Unix ms by a clock that never jumps: the wall clock at the start of the process, monotonic from there. */
export const steadyNow = (): number => performance.timeOrigin + performance.now();

/**
 * Makes one write and records its changes.
 * @param changes derives from the write's answer what it changed
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
