/** What one cycle may know of the platform: the facts, and how a fact was read. No client, no I/O. */

/** When a fact was read: the answer was made somewhere between these two instants. */
export interface ReadingTime {
  /** Unix ms, just before the request was sent. */
  readonly fromMs: number;
  /** Unix ms, when the answer was complete. */
  readonly toMs: number;
}

/**
 * A fact with when it was read, or why it could not be.
 * `off` marks a source that the operator left out on purpose, and a fact that this release of the platform does not have:
 * their invariants are not run at all.
 */
export type Reading<T> =
  | {
      readonly read: true;
      readonly value: T;
      readonly time: ReadingTime;
      /** Why some entries could not be listed: what is absent may still be there. */
      readonly unlisted?: string;
      /** Why so little was found that nothing can be called green by it: it may be of another platform, or of none. */
      readonly insufficient?: string;
    }
  | {
      readonly read: false;
      readonly reason: string;
      readonly off?: true;
      /** Nobody has named the source. */
      readonly notConfigured?: true;
    };

/** An agent of the roster. A number is null where its column holds something unreadable. */
export interface RosterAgent {
  readonly maxParallelTasks: number | null;
  readonly executionTimeoutSeconds: number | null;
  /** It is deleted, and its rows are kept on purpose. */
  readonly isDeleted: boolean;
}
export type Roster = ReadonlyMap<string, RosterAgent>;

export type LiveStatus = "queued" | "running";
export const TERMINAL_STATUSES = ["cancelled", "failed", "skipped", "success"] as const;
export type TerminalStatus = (typeof TERMINAL_STATUSES)[number];

/** The names of a row. One that can't be read is null. */
export interface RowName {
  readonly id: string | null;
  readonly agent: string | null;
}

/** A queued or running row of `schedule_executions`. Instants are unix ms, null where empty or unreadable. */
export interface Execution {
  readonly id: string;
  readonly agent: string;
  readonly status: LiveStatus;
  /** As stored, for the operator to search for. */
  readonly startedAt: string | null;
  readonly startedAtMs: number | null;
  /**
   * When it was queued. Of a running row: when it was admitted, where its dispatch was parked or it waited in the queue; then
   * started_at says when it was dispatched.
   */
  readonly queuedAtMs: number | null;
  /** Set when a pull worker has claimed the row, which then holds no Redis slot. */
  readonly lease: { readonly expiresAt: string; readonly expiresAtMs: number | null } | null;
  /** What started the run: `schedule`, `manual`, `chat`, …; null where it can't be read. */
  readonly triggeredBy: string | null;
  /** The conversation that the run is a turn of; null for none, and where the installation has no such column. */
  readonly conversation: string | null;
  /** Whether the row has a Claude session, or is marked as dispatched; null where the installation has no such column. */
  readonly hasSession: boolean | null;
  /**
   * Of a running chat turn: how many other runs of the agent were under way when it began; Infinity where there were too many
   * turns to count that for each. Null for any other row, and where it can't be known.
   */
  readonly runsAtStart: number | null;
  /** The timeout of the row's schedule in seconds; null where it has none, "unreadable" where it can't be read. */
  readonly scheduleTimeoutSeconds: number | null | "unreadable";
}

/** A live row whose id or agent, or both, can't be read: that is null. */
export interface UnreadableRow extends Omit<Execution, "id" | "agent">, RowName {}

export interface Executions {
  readonly live: readonly Execution[];
  /** Live rows that can't be named. They spoil nothing but themselves: there is such a row, and it counts. */
  readonly unreadable: readonly UnreadableRow[];
}

/** Rows that became terminal since the cursor (a superset: a row may have been seen before). */
export interface Ended {
  readonly rows: readonly { readonly id: string; readonly status: TerminalStatus }[];
  /** Where the next read of this fact starts. */
  readonly cursor: EndedCursor;
}

/** A finished row. Times are as stored and as instants (unix ms), which are null where empty or unreadable. */
export interface FinishedRow extends RowName {
  readonly status: TerminalStatus;
  readonly startedAt: string | null;
  readonly startedAtMs: number | null;
  readonly completedAt: string | null;
  readonly completedAtMs: number | null;
}

/** A queued row that can't be drained as it is stored. */
export interface BacklogDefect extends RowName {
  /** `unread`: its metadata is more than is read at once. */
  readonly defect: "queued_at_null" | "backlog_metadata_null" | "backlog_metadata_invalid_json" | "unread";
}

/** A queued row whose backlog_metadata holds what looks like a credential. */
export interface QueuedCredential extends RowName {
  /** The name of the pattern; null where the metadata could not be searched. */
  readonly pattern: string | null;
}

/** An enabled schedule with the time of its next run. */
export interface DueSchedule extends RowName {
  /** As stored. */
  readonly nextRunAt: string | null;
  /** Unix ms; null where it can't be read. */
  readonly nextRunAtMs: number | null;
}

/** Up to where ended rows were read. */
export interface EndedCursor {
  /** Unix ms of the last reading. */
  readonly readAtMs: number;
}

/** The platform's own settings, for all agents. */
export interface PlatformSettings {
  /**
   * No agent may have more slots than this, whatever its own cap says. Null where the installation knows no such ceiling,
   * "unreadable" where its value can't be read.
   */
  readonly maxParallelTasksCeiling: number | null | "unreadable";
}

/** Where a source continues reading; null: it looks back by itself. */
export interface Since {
  readonly ended: EndedCursor | null;
  /** Daemons whose containers the last cycle could not all look at. */
  readonly unfinishedDaemons?: readonly UnfinishedDaemon[] | undefined;
}

export interface OrphanRef {
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
}

/** What names an agent that is not on the roster, by that name. */
export interface Orphans {
  readonly ghosts: ReadonlyMap<
    string,
    { readonly rowsByTable: ReadonlyMap<string, number>; readonly samples: readonly OrphanRef[] }
  >;
  /** Tables that are there but could not be searched. */
  readonly unseenTables: readonly string[];
  /** Tables with rows of agents whose name can't be read. */
  readonly tablesWithUnreadable: readonly string[];
}

/** Queue lengths as the platform's own accessor gives them. */
export interface QueueCounts {
  readonly counts: ReadonlyMap<string, number>;
  /** Whether an agent without an entry has a queue of 0 (the SQL accessor), or was given no number (HTTP). */
  readonly absentIsZero: boolean;
  /** The same counted in SQL just before and just after the accessor answered; null where the accessor is SQL. */
  readonly around: readonly [ReadonlyMap<string, number>, ReadonlyMap<string, number>] | null;
}

export const DRAIN_PREFIX = "drain-";
/** Says whether a member is the drain's own: it holds one for milliseconds while it claims a queued row. */
export const isDrainSentinel = (slotId: string): boolean => slotId.startsWith(DRAIN_PREFIX);

export interface Slot {
  readonly id: string;
  /** Unix seconds when the slot was acquired. */
  readonly score: number;
  /** Redis TTL of the slot's hash in seconds: -2 is missing, -1 never expires. Null for a drain sentinel. */
  readonly ttlSeconds: number | null;
  /** When the hash expires, in unix seconds of Redis's own clock; null where it does not, or this Redis can't say it. */
  readonly expiresAtSeconds: number | null;
  /** The execution's own timeout from the slot's hash; null where it has none that can be read. */
  readonly timeoutSeconds: number | null;
}

/** Names and ids with more characters are not read. */
export const MAX_NAME_LENGTH = 1_000;
export const isReadableName = (name: string): boolean => name.length <= MAX_NAME_LENGTH;

/** How many members of one agent's set are there and were not read. Each of them holds a slot. */
export interface UnreadMembers {
  /** Id or score can't be read. */
  readonly unreadable: number;
  /** More than are read of one agent: any execution may be among them. */
  readonly beyond: number;
}

export interface Slots {
  /** The members of `agent:slots:{agent}` that were read, drain sentinels among them, for agents that have any. */
  readonly byAgent: ReadonlyMap<string, readonly Slot[]>;
  /** For agents that have any. */
  readonly unread: ReadonlyMap<string, UnreadMembers>;
  /** Keys whose agent can't be read: what can be shown of its name. */
  readonly unreadKeys: readonly string[];
  readonly unseenAgents: ReadonlySet<string>;
}

/** The last finished capacity sweep. */
export interface DrainTick {
  /** Unix seconds, not in the future but of any age, also before 1970; null if it was never written. */
  readonly atSeconds: number | null;
}

/** The zombie processes named claude in one running agent container. */
export interface ContainerProcesses {
  readonly agent: string;
  readonly containerId: string;
  readonly daemon: string;
  /** When this start of the container began, as Docker says it. */
  readonly startedAt: string | null;
  /** Sorted; the first thousand. */
  readonly zombiePids: readonly number[];
}

/** Names one zombie: the same pid in the same start of the same container. */
export const zombieKey = (container: ContainerProcesses, pid: number): string =>
  `${container.containerId}/${container.startedAt}/${pid}`;

export interface Zombies {
  readonly containers: readonly ContainerProcesses[];
  readonly unseenContainers: readonly { readonly agent: string; readonly containerId: string }[];
  /** Daemons whose containers could not be listed: absence from the list proves nothing then. */
  readonly unseenDaemons: readonly string[];
  /** Daemons on which the time did not suffice for all containers; those first of which the fewest were looked at. */
  readonly unfinished?: readonly UnfinishedDaemon[];
}

/** Where the next read of a daemon's containers begins. */
export interface UnfinishedDaemon {
  /** A short form of its name. */
  readonly daemon: string;
  /** A place in the order of its containers, from 0 to 2³². */
  readonly from: number;
}

/** A running container of an agent, as its inspect says it. */
export interface RunningContainer {
  readonly agent: string;
  readonly containerId: string;
  /** When this start of it began, in unix ms; null where that can't be read. */
  readonly startedAtMs: number | null;
  /** It runs pull workers (`TRINITY_PULL_MODE=true`). */
  readonly isPullMode: boolean;
  /** How many (`TRINITY_MAX_PARALLEL_TASKS`); null where that is not a count. */
  readonly poolSize: number | null;
}

export interface Containers {
  readonly running: readonly RunningContainer[];
  /** Running containers that could not be inspected. */
  readonly unseenContainers: readonly { readonly agent: string; readonly containerId: string }[];
  /** Daemons whose containers could not be listed: absence from the list proves nothing then. */
  readonly unseenDaemons: readonly string[];
}

/** When a pull worker of an agent last asked for work, by agent, in unix seconds; null where the value is not an instant. */
export type PullPolls = ReadonlyMap<string, number | null>;

/** Which keys of the platform Redis holds, whatever is in them. */
export interface PlatformKeys {
  /** Some `agent:slots:*` or `agent:slot:*`. */
  readonly hasSlotKey: boolean;
  readonly hasHeartbeat: boolean;
}

/** The executions that earlier cycles saw finished. */
export interface FinishedRuns {
  /** Returns the status in which that execution was last seen finished. */
  statusOf(executionId: string): TerminalStatus | undefined;
}

/** The zombies that earlier cycles saw. */
export interface ZombieSightings {
  /** How long the same zombie has to be there before it counts. */
  readonly dwellSeconds: number;
  /** When each zombie was first seen (unix ms), by `zombieKey`. */
  readonly firstSeenMs: ReadonlyMap<string, number>;
  /** When the first of those was seen that had no place in the memory; null where all are in `firstSeenMs`. */
  readonly othersSinceMs: number | null;
}

/** All facts. An invariant's `reads` names keys of this. */
export interface Facts {
  roster: Roster;
  executions: Executions;
  /** In unix ms, of the newest rows of the executions; null where there is none that can be read. */
  newestStart: number | null;
  /** Rows that wait for their retry, which will be a row of its own, and those whose retry was made lately. */
  pendingRetries: readonly RowName[];
  platformSettings: PlatformSettings;
  /** Ids of running rows that have a Claude session. */
  sessions: ReadonlySet<string>;
  ended: Ended;
  /** Rows of some days that succeeded, failed or were cancelled and have no completed_at; the newest of them. */
  endedWithoutTime: readonly FinishedRow[];
  /** Rows that may have ended within the last hour and before they started; the newest of them. */
  endedBeforeStart: readonly FinishedRow[];
  backlogDefects: readonly BacklogDefect[];
  /** Schedules that may be overdue: enabled, not deleted, with a next_run_at. */
  schedules: readonly DueSchedule[];
  credentialsInQueue: readonly QueuedCredential[];
  orphans: Orphans;
  queueCounts: QueueCounts;
  slots: Slots;
  drainTick: DrainTick;
  pullPolls: PullPolls;
  platformKeys: PlatformKeys;
  zombies: Zombies;
  containers: Containers;
  finishedRuns: FinishedRuns;
  zombieSightings: ZombieSightings;
  /** Since when the roster has been in doubt (facts/trust.ts), unix ms; null where the last cycle had no doubt. */
  rosterDoubtSince: number | null;
  /** When the newest slot was acquired that any cycle has seen, unix ms; null where none was. */
  newestSlotSeen: number | null;
}
export type FactName = keyof Facts;

export type Readings = { readonly [F in FactName]?: Reading<Facts[F]> };

/** One reading of each fact that was asked for. */
export interface Snapshot {
  readonly takenAtMs: number;
  readonly readings: Readings;
  /** One line for each source or part that could not be read, without secrets. */
  readonly unavailable: readonly string[];
  readonly latencyMsBySource: Readonly<Record<string, number>>;
  /** Sources that were not read on purpose, by name: left out, or nothing that was asked for needs them. */
  readonly offSources: readonly string[];
}
