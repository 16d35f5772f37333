/** The containers of a soak: the pull agents' own, and those that faults make. The journal has each. */
import type { FaultChange } from "../faults/target.ts";
import type { AgentContainers } from "../platform/containers.ts";
import { type Journal, journaled } from "../platform/journal.ts";

export interface SoakContainers {
  /** For faults: any agent gets one. */
  readonly ofAnyAgent: AgentContainers;
  /** For the platform: only pull agents get one, since a thousand would be more than one machine runs. */
  readonly ofPullAgents: AgentContainers;
  /** Removes those that are left. */
  close(): Promise<void>;
}

const [PULL_MODE, POOL_SIZE] = ["TRINITY_PULL_MODE", "TRINITY_MAX_PARALLEL_TASKS"] as const;

export function soakContainers(containers: AgentContainers, journal: Journal<FaultChange>): SoakContainers {
  const agents = new Set<string>();
  const ofAnyAgent: AgentContainers = {
    async create(agent, environment = {}) {
      agents.add(agent);
      const isPullMode = environment[PULL_MODE] === "true";
      const size = environment[POOL_SIZE];
      const pool = size === undefined ? {} : { poolSize: Number(size) };
      await journaled<void, FaultChange>(
        journal,
        () => containers.create(agent, environment),
        () => [{ what: "container started", agent, isPullMode, ...pool }],
      );
    },
    async remove(agent) {
      if (!agents.has(agent)) return;
      await journaled<void, FaultChange>(
        journal,
        () => containers.remove(agent),
        () => [{ what: "container removed", agent }],
      );
      agents.delete(agent);
    },
  };
  return {
    ofAnyAgent,
    ofPullAgents: {
      async create(agent, environment = {}) {
        if (PULL_MODE in environment) await ofAnyAgent.create(agent, environment);
      },
      remove: ofAnyAgent.remove,
    },
    async close() {
      await Promise.all([...agents].map(ofAnyAgent.remove));
    },
  };
}
