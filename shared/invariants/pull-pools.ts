/** Agents whose runs are claimed by workers of their own, in place of the platform's drain, and what these workers do. */
import type {
  Containers,
  Execution,
  Executions,
  PullPolls,
  Reading,
  RosterAgent,
  RunningContainer,
  UnreadableRow,
} from "../facts/facts.ts";

/** What is known of an agent's container. */
export type PoolContainer =
  | { readonly state: "running"; readonly isPullMode: boolean; readonly startedAtMs: number | null }
  | { readonly state: "not running" }
  /** Docker, or this container, was not read. */
  | { readonly state: "unknown" };

export interface Pool {
  readonly container: PoolContainer;
  /** Null where neither the container nor the roster says it. */
  readonly size: number | null;
  /** Workers with a run whose lease has not ended; null where a lease can't be read. */
  readonly busy: number | null;
}

/** Lists the agents with pull workers: they have asked for work, or hold a lease. */
export function pullAgentsOf({ live, unreadable }: Executions, polls: PullPolls): ReadonlySet<string> {
  const leased = [...live, ...unreadable].flatMap(({ agent, lease }) =>
    agent !== null && lease !== null ? [agent] : [],
  );
  return new Set([...polls.keys(), ...leased]);
}

const startOf = ({ startedAtMs }: RunningContainer): number => startedAtMs ?? 0;

/**
 * An agent can have two containers, which come in any order: the one that works the queue counts, and of several the one that
 * started last.
 */
const byUse = (a: RunningContainer, b: RunningContainer): number =>
  Number(b.isPullMode) - Number(a.isPullMode) ||
  startOf(b) - startOf(a) ||
  (a.containerId < b.containerId ? -1 : 1);

function containerOf(agent: string, reading: Reading<Containers>) {
  if (!reading.read) return { size: null, container: { state: "unknown" } as const };
  const { running, unseenContainers, unseenDaemons } = reading.value;
  const found = running.filter((container) => container.agent === agent).sort(byUse)[0];
  if (found) {
    const { isPullMode, startedAtMs, poolSize } = found;
    return { size: poolSize, container: { state: "running", isPullMode, startedAtMs } as const };
  }
  const mayRun =
    unseenDaemons.length > 0 ||
    reading.unlisted !== undefined ||
    unseenContainers.some((container) => container.agent === agent);
  return { size: null, container: { state: mayRun ? "unknown" : "not running" } as const };
}

/**
 * Says what is known of an agent's workers.
 * @param rows the agent's live rows
 * @param readAtMs when they were read, unix ms
 */
export function poolOf(
  agent: string,
  { maxParallelTasks }: RosterAgent,
  rows: readonly (Execution | UnreadableRow)[],
  containers: Reading<Containers>,
  readAtMs: number,
): Pool {
  const { container, size } = containerOf(agent, containers);
  const leases = rows.flatMap(({ status, lease }) => (status === "running" && lease !== null ? [lease] : []));
  const isReadable = leases.every(({ expiresAtMs }) => expiresAtMs !== null);
  return {
    container,
    size: size ?? maxParallelTasks,
    busy: isReadable ? leases.filter(({ expiresAtMs }) => expiresAtMs! > readAtMs).length : null,
  };
}

/** Counts the workers that wait for work. */
export const idleWorkers = (size: number, busy: number): number => Math.max(0, size - busy);
