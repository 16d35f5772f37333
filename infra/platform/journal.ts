/** The platform's own record of what it did and when. The soak judges the canary by it. */

export type ExecutionStatus =
  | "queued"
  | "running"
  | "pending_retry"
  | "success"
  | "failed"
  | "cancelled"
  | "skipped";

/** What caused a run. The platform knows more; these are made here. */
export type TriggeredBy = "schedule" | "retry" | "manual" | "webhook" | ChatKind;
/** A chat turn by what caused it. */
export type ChatKind = "chat" | "mcp" | "agent";

/** One row, or one slot with its hash. A chat turn has two: its slot has another id than its row. */
interface OfExecution {
  readonly agent: string;
  readonly executionId: string;
}

/** A change of a row. */
export type RowChange = OfExecution &
  (
    | {
        readonly what: "row";
        /**
         * The row got this status. The instants are those that were written with it, if any. A `completedAtMs` of null: an
         * ended row does not say when.
         */
        readonly status: ExecutionStatus;
        readonly startedAtMs?: number;
        readonly queuedAtMs?: number;
        readonly completedAtMs?: number | null;
        /** Only where the row was made. */
        readonly triggeredBy?: TriggeredBy;
      }
    /** The row got `dispatched` or a session. */
    | { readonly what: "session" }
    /** Only started_at was rewritten. */
    | { readonly what: "start moved"; readonly startedAtMs: number }
    /** lease_expires_at was written; null: it was cleared. */
    | { readonly what: "lease"; readonly expiresAtMs: number | null }
    /** retry_scheduled_at was written; null: it was cleared. */
    | { readonly what: "retry scheduled"; readonly atMs: number | null }
  );

/** A change of a slot. */
export type SlotChange = OfExecution &
  /** A member of the agent's slots got this score, for an execution, a chat turn or a `drain-` sentinel. */
  (
    | { readonly what: "slot taken"; readonly scoreSeconds: number }
    | { readonly what: "slot given back" }
    /** The slot's hash was made, got its time to live, was removed. */
    | { readonly what: "hash written"; readonly timeoutSeconds: number }
    | { readonly what: "hash expires"; readonly ttlSeconds: number }
    | { readonly what: "hash removed" }
  );

/** A change of an agent, or of what belongs to it. */
export type AgentChange = { readonly agent: string } & (
  | {
      readonly what: "agent";
      /** The agent is on the roster with these settings. */
      readonly maxParallelTasks: number;
      readonly executionTimeoutSeconds: number;
    }
  /** The agent is on the roster as deleted, and its rows in the other tables are kept. */
  | { readonly what: "agent deleted softly" }
  /** The agent is off the roster. Its rows in the other tables are gone, unless it left them. */
  | { readonly what: "agent removed"; readonly leavesRows: boolean }
  /** A pull worker of the agent asked for work. */
  | { readonly what: "pull poll"; readonly atSeconds: number }
  /** Its container runs, with pull workers in it or without, or is gone. The pool is as many workers, where it says so. */
  | { readonly what: "container started"; readonly isPullMode: boolean; readonly poolSize?: number }
  | { readonly what: "container removed" }
  /** A chat turn without a slot went into the list of them, or left it. */
  | { readonly what: "turn listed" | "turn unlisted"; readonly turn: string }
);

/** One thing that a write changed. */
export type Change =
  | RowChange
  | SlotChange
  | AgentChange
  | { readonly what: "drain tick"; readonly atSeconds: number }
  /** The ceiling of the fleet; null: the setting is missing. */
  | { readonly what: "ceiling"; readonly maxParallelTasks: number | null }
  /** An alarm of the platform itself in operator_queue. */
  | { readonly what: "alarm"; readonly alarm: string; readonly isPending: boolean };

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
