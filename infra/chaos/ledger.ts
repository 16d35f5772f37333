/**
 * The ledger of a part of the chaos: what the world around the canaries saw. The accounting is made from it and from nothing
 * that a canary says of itself. Instants (`…Ms`) are those of one steady clock, unless they are said to be unix ms.
 */

/** The platform was broken or cured. It took effect at some time between the two instants. */
export interface Change {
  readonly invariant: string;
  readonly subject: string;
  readonly isBroken: boolean;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A canary took the lease. */
export interface LeaseTaken {
  readonly runner: string;
  readonly owner: string;
  readonly atMs: number;
  /** Unix ms. */
  readonly untilMs: number;
  /** The clock of the canary that took it, at the latest (unix ms). */
  readonly clockMs: number;
  /** The end of the lease that stood until then, unix ms; null where none stood. */
  readonly replacedUntilMs: number | null;
}

/** What a committed version says of one invariant. */
export interface StateSeen {
  readonly status: "green" | "red" | "unknown";
  readonly red: readonly string[];
  /** The last verdict was unknown. */
  readonly isBlind: boolean;
}

/** A version of the memory that the table took. */
export interface Commit {
  readonly version: number;
  /** The canary that wrote it. */
  readonly runner: string;
  /** Who held the lease at that time; null where nobody did. */
  readonly owner: string | null;
  /** When the write arrived at the table. */
  readonly arrivedMs: number;
  readonly states: Readonly<Record<string, StateSeen>>;
  /** What the cycle could not read, as it says. */
  readonly unread: readonly string[];
  /** The keys of the alerts that wait. */
  readonly outbox: readonly string[];
}

/** An alert arrived at the webhook. */
export interface Posted {
  readonly key: string;
  /** Whether the webhook kept it: it can also do so and not answer. */
  readonly isTaken: boolean;
  /** Whether it answered `ok`: only then may the canary strike the alert off. */
  readonly isConfirmed: boolean;
  readonly atMs: number;
}

export interface Ledger {
  readonly changes: Change[];
  readonly leases: LeaseTaken[];
  readonly commits: Commit[];
  readonly posts: Posted[];
  /** Why the memory could not be read, each time that it could not. */
  readonly unreadable: string[];
  /** The records of the cycles that made alerts: what changed in each (`S-01/broke`), by snapshot time. */
  readonly records: Map<string, readonly string[]>;
  /** When the chaos ended. From then on everything works, and the outbox is drained. */
  endedMs: number;
}

export const emptyLedger = (): Ledger => ({
  changes: [],
  leases: [],
  commits: [],
  posts: [],
  unreadable: [],
  records: new Map(),
  endedMs: Number.POSITIVE_INFINITY,
});
