/** The agents of a soak. */
import type { AgentSpec } from "../../platform/agents.ts";
import { type Random, seededRandom } from "../random.ts";
import { isLoaded, type LoadOptions } from "./churn.ts";

export interface Fleet {
  /** They get runs of every kind. Faults are made on these. */
  readonly ordinary: readonly AgentSpec[];
  /** Their runs are claimed by their own workers. */
  readonly pull: readonly AgentSpec[];
  /** They get chat turns only, more than they have slots for. */
  readonly talkers: readonly AgentSpec[];
}

const CAPS = [3, 8] as const;
export const MEAN_CAP = (CAPS[0] + CAPS[1]) / 2;
export const TIMEOUTS_SECONDS: readonly number[] = [60, 180, 900, 3600];
const MOST_PULL_AGENTS = 5;
/** Of as many agents, one is a pull agent and one a talker. */
const AGENTS_PER_SPECIAL_ONE = 7;

function drawAgent(random: Random, index: number): AgentSpec {
  return {
    name: `agent-${String(index).padStart(4, "0")}`,
    maxParallelTasks: random.whole(...CAPS),
    executionTimeoutSeconds: random.one(TIMEOUTS_SECONDS),
  };
}

/** Draws the agents. Three of them at least are ordinary, where there are as many. */
export function drawFleet(options: LoadOptions): Fleet {
  const random = seededRandom(options.seed, "fleet");
  const agents = Array.from({ length: options.agentCount }, (_, i) => drawAgent(random, i));
  const special = Math.min(MOST_PULL_AGENTS, Math.ceil(agents.length / AGENTS_PER_SPECIAL_ONE));
  const take = (wanted: boolean, count: number) =>
    agents.splice(agents.length - (wanted ? Math.max(0, Math.min(count, agents.length - 3)) : 0));
  const pull = take(isLoaded(options, "pull"), special).map((agent) => ({ ...agent, isPull: true }));
  const talkers = take(isLoaded(options, "chat"), 1);
  return { ordinary: agents, pull, talkers };
}
