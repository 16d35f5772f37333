/** The agent of one fault of a drill. It is made before the fault, and removed after it. */

import type { Target } from "../faults/target.ts";
import { type TestAgent, testAgent } from "../faults/test-agent.ts";
import { removeTestAgent } from "../faults/undo.ts";

/** The prefix of the names of a drill's agents. A drill touches no others. */
export const DRILL_PREFIX = "canary-drill-";

const LIMITS = { maxParallelTasks: 2, executionTimeoutSeconds: 60 };

/** @throws Error for a name without the drill's prefix: that agent is not the drill's */
export function drillAgent(target: Target, name: string): TestAgent {
  if (!name.startsWith(DRILL_PREFIX)) throw new Error(`${name} is not an agent of a drill`);
  return testAgent(target, { name, limits: LIMITS, runPrefix: `${name}-run-` });
}

/** Removes the agent with its rows, slots and container, and lets the canary read the platform. Can be repeated. */
export async function removeDrillAgent(agent: TestAgent): Promise<void> {
  const { controls } = agent.target;
  if (!("absent" in controls)) await controls.pointCanaryTo(null);
  await removeTestAgent(agent);
}
