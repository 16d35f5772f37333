/** Orders the journal: for each thing that an invariant is about, its values over time. */
import type { FaultChange } from "../faults/target.ts";
import type { Elsewhere } from "../local/elsewhere.ts";
import type { ExecutionStatus, JournalEvent } from "../platform/journal.ts";
import { DEFAULT_CEILING } from "../platform/names.ts";
import type { Register } from "./intervals.ts";

/** One event of the platform or of a fault. */
export type SoakEvent = JournalEvent<FaultChange>;

interface Hash {
  readonly timeoutSeconds: number;
  /** When it expires (unix ms): EXPIRE took effect between the two instants. Null where it never expires. */
  readonly ends: { readonly earliestMs: number; readonly latestMs: number } | null;
}

/** One execution. A drain sentinel has only a slot, and so has the slot of a chat turn. */
export interface ExecutionTimeline {
  readonly id: string;
  readonly agent: string;
  /** Whether its row is that of a chat turn, whose slot has another id. */
  readonly isChatTurn: boolean;
  readonly status: Register<ExecutionStatus | null>;
  readonly startedAtMs: Register<number | null>;
  readonly queuedAtMs: Register<number | null>;
  /** When it ended, by its row; null: the row does not say it. Undefined where nothing is known of it. */
  readonly completedAtMs: Register<number | null | undefined>;
  /** What is wrong with its backlog_metadata while it is queued; null: nothing. */
  readonly backlog: Register<"nothing" | "a credential" | null>;
  readonly session: Register<boolean>;
  /** When its lease runs out, unix ms; null while it has none. */
  readonly leaseEndsMs: Register<number | null>;
  /** Whether its retry is still to be made. */
  readonly retryWaits: Register<boolean>;
  /** The score, in unix ms. */
  readonly slot: Register<number | null>;
  readonly hash: Register<Hash | null>;
}

export interface AgentTimeline {
  readonly name: string;
  /** Null while it is not on the roster. */
  readonly settings: Register<{
    readonly maxParallelTasks: number;
    readonly executionTimeoutSeconds: number;
  } | null>;
  /** Whether it has rows in the tables of an agent's belongings. */
  readonly belongings: Register<boolean>;
  /** Whether a pull worker of it has ever asked for work: it is a pull agent from then on. */
  readonly hasPolled: Register<boolean>;
  /** Whether there are pull workers in its container; null while no container runs. */
  readonly hasWorkers: Register<boolean | null>;
  /** How many workers its container says that it has; null where it does not, or none runs. */
  readonly poolSize: Register<number | null>;
  /** Whether the queue accessor gives a wrong count. */
  readonly accessorIsWrong: Register<boolean>;
  /** The next run of each of its schedules that is known, by id; null: the schedule is gone. */
  readonly schedules: ReadonlyMap<string, Register<number | null>>;
  readonly executions: ExecutionTimeline[];
}

export interface Timeline {
  readonly agents: ReadonlyMap<string, AgentTimeline>;
  readonly executions: ReadonlyMap<string, ExecutionTimeline>;
  /** The value of the drain heartbeat, in unix ms. */
  readonly tickMs: Register<number | null>;
  /** The ceiling of the fleet. */
  readonly ceiling: Register<number>;
  /** The place that the canary reads in place of the platform's. */
  readonly pointed: Register<Elsewhere | null>;
}

interface Writable<T> extends Register<T> {
  readonly writes: { value: T; sentAtMs: number; ackedAtMs: number }[];
}
const register = <T>(initial: T): Writable<T> => ({ initial, writes: [] });
const latest = <T>({ initial, writes }: Register<T>): T =>
  writes.length > 0 ? writes.at(-1)!.value : initial;
const write = <T>({ writes }: Writable<T>, value: T, { sentAtMs, ackedAtMs }: SoakEvent): void =>
  void writes.push({ value, sentAtMs, ackedAtMs });

const newExecution = (id: string, agent: string) => ({
  id,
  agent,
  isChatTurn: false,
  status: register<ExecutionStatus | null>(null),
  startedAtMs: register<number | null>(null),
  queuedAtMs: register<number | null>(null),
  completedAtMs: register<ExecutionTimeline["completedAtMs"]["initial"]>(undefined),
  backlog: register<ExecutionTimeline["backlog"]["initial"]>(null),
  session: register(false),
  leaseEndsMs: register<number | null>(null),
  retryWaits: register(false),
  slot: register<number | null>(null),
  hash: register<Hash | null>(null),
});
const newAgent = (name: string) => ({
  name,
  settings: register<AgentTimeline["settings"]["initial"]>(null),
  belongings: register(false),
  hasPolled: register(false),
  hasWorkers: register<boolean | null>(null),
  poolSize: register<number | null>(null),
  accessorIsWrong: register(false),
  schedules: new Map<string, Writable<number | null>>(),
  executions: [] as ExecutionTimeline[],
});
type ExecutionEvent = Extract<SoakEvent, { executionId: string }>;
type RowEvent = Extract<
  ExecutionEvent,
  { what: "row" | "backlog" | "session" | "start moved" | "lease" | "retry scheduled" }
>;
type SlotEvent = Exclude<ExecutionEvent, RowEvent>;
type AgentEvent = Exclude<Extract<SoakEvent, { agent: string }>, ExecutionEvent>;

const CHAT_KINDS: ReadonlySet<string> = new Set(["chat", "mcp", "agent"]);

const isOfSlot = (event: ExecutionEvent): event is SlotEvent => /^(slot|hash) /.test(event.what);

function writeRow(execution: ReturnType<typeof newExecution>, event: RowEvent): void {
  const { status, startedAtMs, queuedAtMs, completedAtMs, backlog, session, leaseEndsMs, retryWaits } =
    execution;
  switch (event.what) {
    case "row":
      write(status, event.status, event);
      if (event.triggeredBy) execution.isChatTurn = CHAT_KINDS.has(event.triggeredBy);
      if (event.startedAtMs !== undefined) write(startedAtMs, event.startedAtMs, event);
      if (event.queuedAtMs !== undefined) write(queuedAtMs, event.queuedAtMs, event);
      write(completedAtMs, event.completedAtMs, event);
      // A start clears the session of the previous one.
      if (event.status === "running" && event.startedAtMs !== undefined) write(session, false, event);
      break;
    case "backlog":
      write(backlog, event.holds, event);
      break;
    case "session":
      write(session, true, event);
      break;
    case "start moved":
      write(startedAtMs, event.startedAtMs, event);
      break;
    case "lease":
      write(leaseEndsMs, event.expiresAtMs, event);
      break;
    case "retry scheduled":
      write(retryWaits, event.atMs !== null, event);
  }
}

function writeSlot({ slot, hash }: ReturnType<typeof newExecution>, event: SlotEvent): void {
  switch (event.what) {
    case "slot taken":
      write(slot, event.scoreSeconds * 1000, event);
      break;
    case "slot given back":
      write(slot, null, event);
      break;
    case "hash written":
      write(hash, { timeoutSeconds: event.timeoutSeconds, ends: latest(hash)?.ends ?? null }, event);
      break;
    case "hash expires": {
      const was = latest(hash);
      const lifeMs = event.ttlSeconds * 1000;
      const ends = { earliestMs: event.sentAtMs + lifeMs, latestMs: event.ackedAtMs + lifeMs };
      if (was) write(hash, { ...was, ends }, event);
      break;
    }
    case "hash removed":
      write(hash, null, event);
  }
}

function writeAgent(agent: ReturnType<typeof newAgent>, event: AgentEvent): void {
  switch (event.what) {
    case "agent": {
      const { maxParallelTasks, executionTimeoutSeconds } = event;
      write(agent.settings, { maxParallelTasks, executionTimeoutSeconds }, event);
      write(agent.belongings, true, event);
      break;
    }
    case "agent removed":
      write(agent.settings, null, event);
      write(agent.belongings, event.leavesRows, event);
      break;
    case "pull poll":
      if (!latest(agent.hasPolled)) write(agent.hasPolled, true, event);
      break;
    case "pull polls gone":
      write(agent.hasPolled, false, event);
      break;
    case "container started":
      write(agent.hasWorkers, event.isPullMode, event);
      write(agent.poolSize, event.poolSize ?? null, event);
      break;
    case "container removed":
      write(agent.hasWorkers, null, event);
      write(agent.poolSize, null, event);
      break;
    case "roster row lost":
      write(agent.settings, null, event);
      break;
    case "accessor":
      write(agent.accessorIsWrong, event.isWrong, event);
      break;
    case "schedule": {
      const nextRunAtMs = agent.schedules.get(event.scheduleId) ?? register<number | null>(null);
      agent.schedules.set(event.scheduleId, nextRunAtMs);
      write(nextRunAtMs, event.nextRunAtMs, event);
    }
  }
}

/** @param events in the order of their recording, which for each single thing is that of the writes */
export function timelineOf(events: readonly SoakEvent[]): Timeline {
  const agents = new Map<string, ReturnType<typeof newAgent>>();
  const executions = new Map<string, ReturnType<typeof newExecution>>();
  const tickMs = register<number | null>(null);
  const ceiling = register(DEFAULT_CEILING);
  const pointed = register<Elsewhere | null>(null);

  const agentOf = (name: string) => {
    const agent = agents.get(name) ?? newAgent(name);
    agents.set(name, agent);
    return agent;
  };
  const executionOf = ({ executionId, agent }: ExecutionEvent) => {
    const known = executions.get(executionId);
    if (known) return known;
    const made = newExecution(executionId, agent);
    executions.set(executionId, made);
    agentOf(agent).executions.push(made);
    return made;
  };
  for (const event of events) {
    if ("executionId" in event) {
      const execution = executionOf(event);
      if (isOfSlot(event)) writeSlot(execution, event);
      else writeRow(execution, event);
    } else if ("agent" in event) writeAgent(agentOf(event.agent), event);
    else if (event.what === "ceiling") write(ceiling, event.maxParallelTasks ?? DEFAULT_CEILING, event);
    else if (event.what === "drain tick") write(tickMs, event.atSeconds * 1000, event);
    else if (event.what === "canary pointed") write(pointed, event.place, event);
  }
  return { agents, executions, tickMs, ceiling, pointed };
}
