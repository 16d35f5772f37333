/** What all kinds of load share. */
import { setTimeout as wait } from "node:timers/promises";
import type { Release } from "../../platform/releases.ts";
import type { Harness } from "../harness.ts";
import type { Fleet } from "./fleet.ts";

/** What can be left out of the load. Tasks, queues that overflow, resizes and clock jumps always are in it. */
export const LOAD_KINDS = [
  "chat",
  "scheduler",
  "retries",
  "deletes",
  "parked",
  "pull",
  "alarms",
  "ceiling",
] as const;
export type LoadKind = (typeof LOAD_KINDS)[number];

/** Kinds that the release of the seed does not know. */
const OF_TODAY: ReadonlySet<LoadKind> = new Set(["parked", "pull", "ceiling"]);

export interface LoadOptions {
  readonly seed: number;
  readonly release: Release;
  /** Kinds that the release does not know are left out anyway. */
  readonly kinds: readonly LoadKind[];
  /** Executions a second, of this machine's time. */
  readonly rate: number;
  readonly agentCount: number;
  /** The largest jumps of the platform's wall clock. */
  readonly jumpAheadMs: number;
  readonly jumpBackMs: number;
}

/** Whether that kind is part of the load. */
export const isLoaded = ({ kinds, release }: LoadOptions, kind: LoadKind): boolean =>
  kinds.includes(kind) && (release === "today" || !OF_TODAY.has(kind));

/** Counts of what the load did, by kind. */
export interface LoadCounts {
  jumps: number;
  /** One agent's queue was flooded. */
  floods: number;
  /** Fifty scheduled runs at once. */
  bursts: number;
  agentsRemade: number;
  resizes: number;
  chatTurns: number;
  /** Chat turns that went on without a slot. */
  turnsWithoutSlot: number;
  alarms: number;
  ceilings: number;
}

export const noCounts = (): LoadCounts => ({
  jumps: 0,
  floods: 0,
  bursts: 0,
  agentsRemade: 0,
  resizes: 0,
  chatTurns: 0,
  turnsWithoutSlot: 0,
  alarms: 0,
  ceilings: 0,
});

export interface Churn {
  readonly harness: Harness;
  readonly options: LoadOptions;
  readonly signal: AbortSignal;
  readonly fleet: Fleet;
  /** Agents that nothing else may change or remove. */
  readonly held: Set<string>;
  readonly counts: LoadCounts;
  /** Logs an error, unless the load is being stopped. */
  report(error: unknown): void;
  /** Starts something in the background; `stop` waits for it. */
  start(work: () => Promise<unknown>): void;
}

/** Repeats one thing until the load is stopped. An error is logged and ends nothing. */
export async function repeat(
  { signal, report }: Churn,
  every: () => number,
  work: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    await wait(every(), undefined, { signal }).catch(() => {});
    if (!signal.aborted) await work().catch(report);
  }
}

/** Holds an agent, or another thing with a name, during the work. Does nothing where it is held already. */
export async function holding({ held }: Churn, name: string, work: () => Promise<void>): Promise<void> {
  if (held.has(name)) return;
  held.add(name);
  try {
    await work();
  } finally {
    held.delete(name);
  }
}

/** Held by what rests on the ceiling of the fleet. No agent can have this name. */
export const CEILING = "(the ceiling of the fleet)";
