/** The load of a soak: runs of every kind, queues that overflow and drain, agents that come and go, clocks that jump. */
import { setMaxListeners } from "node:events";
import type { AgentSpec } from "../platform/agents.ts";
import { messageOf } from "../platform/context.ts";
import type { Harness } from "./harness.ts";
import { changeAgents } from "./load/agents.ts";
import { overflowChats } from "./load/chat.ts";
import { type Churn, type LoadCounts, type LoadOptions, noCounts } from "./load/churn.ts";
import { drawFleet } from "./load/fleet.ts";
import { submitRuns } from "./load/runs.ts";
import { changeSurroundings } from "./load/surroundings.ts";

export interface Load {
  /** The agents that faults may be made on. */
  readonly agents: readonly AgentSpec[];
  /** Agents that the load does not change or remove. */
  readonly held: Set<string>;
  readonly counts: Readonly<LoadCounts>;
  stop(): Promise<void>;
}

/**
 * Makes the fleet and starts its churn.
 * @throws Error where an agent can't be made
 */
export async function startLoad(harness: Harness, options: LoadOptions): Promise<Load> {
  const fleet = drawFleet(options);
  const agents = [...fleet.ordinary, ...fleet.pull, ...fleet.talkers];
  await Promise.all(agents.map((agent) => harness.platform.agents.create(agent)));

  const stopping = new AbortController();
  const { signal } = stopping;
  // Every wait listens to it, so that many listeners are no leak.
  setMaxListeners(0, signal);
  const errands = new Set<Promise<void>>();
  const report = (error: unknown) => {
    if (!signal.aborted) harness.log(`the load: ${messageOf(error)}`);
  };
  const churn: Churn = {
    harness,
    options,
    signal,
    fleet,
    held: new Set(),
    counts: noCounts(),
    report,
    start(work) {
      const done: Promise<void> = work()
        .then(() => {}, report)
        .finally(() => errands.delete(done));
      errands.add(done);
    },
  };
  const loops = [
    ...submitRuns(churn),
    ...overflowChats(churn),
    ...changeAgents(churn),
    ...changeSurroundings(churn),
  ];
  return {
    agents: fleet.ordinary,
    held: churn.held,
    counts: churn.counts,
    async stop() {
      stopping.abort();
      await Promise.all(loops);
      await Promise.all(errands);
    },
  };
}
