/** What the journal tells, put in order: of each thing that an invariant is about, what it was and when. */
import type { Change, ExecutionStatus, JournalEvent } from "../platform/journal.ts";
import type { Register } from "./claims.ts";

/** What the platform never does by itself; whoever breaks it tells these. */
export type Tampering =
  | {
      readonly what: "row backdated";
      readonly agent: string;
      readonly executionId: string;
      readonly startedAtMs: number;
    }
  | { readonly what: "session lost"; readonly agent: string; readonly executionId: string }
  | { readonly what: "hash persists"; readonly agent: string; readonly executionId: string }
  /** The agent is off the roster; its rows in the other tables are not. */
  | { readonly what: "roster row lost"; readonly agent: string }
  /** The queue accessor is wrong by so many for this agent; 0 is right again. */
  | { readonly what: "accessor wrong"; readonly agent: string; readonly by: number };

export type SoakChange = Change | Tampering;
export type SoakEvent = JournalEvent<SoakChange>;

interface Hash {
  readonly timeoutSeconds: number;
  /** When its life ends (unix ms), given by EXPIRE somewhere between the two; null where it never does. */
  readonly ends: { readonly earliestMs: number; readonly latestMs: number } | null;
}

/** One execution, or a drain sentinel, which has a slot and nothing else. */
export interface ExecutionTimeline {
  readonly id: string;
  readonly agent: string;
  readonly status: Register<ExecutionStatus | null>;
  readonly startedAtMs: Register<number | null>;
  readonly queuedAtMs: Register<number | null>;
  readonly session: Register<boolean>;
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
  /** Whether it has rows in the tables of what belongs to an agent. */
  readonly belongings: Register<boolean>;
  readonly accessorOff: Register<number>;
  readonly executions: ExecutionTimeline[];
}

export interface Timeline {
  readonly agents: ReadonlyMap<string, AgentTimeline>;
  readonly executions: ReadonlyMap<string, ExecutionTimeline>;
  /** The instant that the drain heartbeat names, in unix ms. */
  readonly tickMs: Register<number | null>;
}

interface Writable<T> extends Register<T> {
  readonly writes: { value: T; sentAtMs: number; ackedAtMs: number }[];
}
const register = <T>(initial: T): Writable<T> => ({ initial, writes: [] });
const latest = <T>({ initial, writes }: Register<T>): T =>
  writes.length > 0 ? writes.at(-1)!.value : initial;

const newExecution = (id: string, agent: string) => ({
  id,
  agent,
  status: register<ExecutionStatus | null>(null),
  startedAtMs: register<number | null>(null),
  queuedAtMs: register<number | null>(null),
  session: register(false),
  slot: register<number | null>(null),
  hash: register<Hash | null>(null),
});
const newAgent = (name: string) => ({
  name,
  settings: register<AgentTimeline["settings"]["initial"]>(null),
  belongings: register(false),
  accessorOff: register(0),
  executions: [] as ExecutionTimeline[],
});

/** @param events in the order in which they were recorded: that of the writes, for each single thing */
export function timelineOf(events: readonly SoakEvent[]): Timeline {
  const agents = new Map<string, ReturnType<typeof newAgent>>();
  const executions = new Map<string, ReturnType<typeof newExecution>>();
  const tickMs = register<number | null>(null);

  const agentOf = (name: string) => {
    const agent = agents.get(name) ?? newAgent(name);
    agents.set(name, agent);
    return agent;
  };
  const executionOf = ({ executionId, agent }: { executionId: string; agent: string }) => {
    const known = executions.get(executionId);
    if (known) return known;
    const made = newExecution(executionId, agent);
    executions.set(executionId, made);
    agentOf(agent).executions.push(made);
    return made;
  };

  for (const event of events) {
    const { sentAtMs, ackedAtMs } = event;
    const write = <T>({ writes }: Writable<T>, value: T) => writes.push({ value, sentAtMs, ackedAtMs });
    switch (event.what) {
      case "row": {
        const { status, startedAtMs, queuedAtMs } = event;
        const execution = executionOf(event);
        write(execution.status, status);
        if (startedAtMs !== undefined) write(execution.startedAtMs, startedAtMs);
        if (queuedAtMs !== undefined) write(execution.queuedAtMs, queuedAtMs);
        // Each start forgets the session of the one before.
        if (status === "running" && startedAtMs !== undefined) write(execution.session, false);
        break;
      }
      case "row backdated":
        write(executionOf(event).startedAtMs, event.startedAtMs);
        break;
      case "session":
      case "session lost":
        write(executionOf(event).session, event.what === "session");
        break;
      case "slot taken":
        write(executionOf(event).slot, event.scoreSeconds * 1000);
        break;
      case "slot given back":
        write(executionOf(event).slot, null);
        break;
      case "hash written": {
        const { hash } = executionOf(event);
        write(hash, { timeoutSeconds: event.timeoutSeconds, ends: latest(hash)?.ends ?? null });
        break;
      }
      case "hash expires":
      case "hash persists": {
        const { hash } = executionOf(event);
        const was = latest(hash);
        const lifeMs = event.what === "hash expires" ? event.ttlSeconds * 1000 : 0;
        const ends =
          event.what === "hash expires"
            ? { earliestMs: sentAtMs + lifeMs, latestMs: ackedAtMs + lifeMs }
            : null;
        if (was) write(hash, { ...was, ends });
        break;
      }
      case "hash removed":
        write(executionOf(event).hash, null);
        break;
      case "agent": {
        const { maxParallelTasks, executionTimeoutSeconds } = event;
        const agent = agentOf(event.agent);
        write(agent.settings, { maxParallelTasks, executionTimeoutSeconds });
        write(agent.belongings, true);
        break;
      }
      case "agent removed":
      case "roster row lost": {
        const agent = agentOf(event.agent);
        write(agent.settings, null);
        if (event.what === "agent removed") write(agent.belongings, false);
        break;
      }
      case "accessor wrong":
        write(agentOf(event.agent).accessorOff, event.by);
        break;
      case "drain tick":
        write(tickMs, event.atSeconds * 1000);
        break;
    }
  }
  return { agents, executions, tickMs };
}
