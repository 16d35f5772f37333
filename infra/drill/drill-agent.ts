/** The agent of one fault of a drill. It is made before the fault, and removed after it. */

import { SCHEDULES } from "../faults/schedules.ts";
import { present, type Target } from "../faults/target.ts";
import { type TestAgent, testAgent } from "../faults/test-agent.ts";
import { EXECUTIONS, pullPollKey, ROSTER, slotKey, slotsKey } from "../platform/names.ts";

/** The prefix of the names of a drill's agents. A drill touches no others. */
export const DRILL_PREFIX = "canary-drill-";

const LIMITS = { maxParallelTasks: 2, executionTimeoutSeconds: 60 };

/** @throws Error for a name without the drill's prefix: that agent is not the drill's */
export function drillAgent(target: Target, name: string): TestAgent {
  if (!name.startsWith(DRILL_PREFIX)) throw new Error(`${name} is not an agent of a drill`);
  return testAgent(target, { name, limits: LIMITS, runPrefix: `${name}-run-` });
}

/** Removes the agent with its rows, slots and container. Can be repeated. */
export async function removeDrillAgent(agent: TestAgent): Promise<void> {
  if (agent.hasTwin) await removeDrillAgent(agent.twin);
  const { name, target, ids, hasContainer, hasSchedule } = agent;
  if (!("absent" in target.controls)) await target.controls.pointCanaryTo(null);
  const hashes = [...ids].map((id) => slotKey(name, id));
  await present(target.redis).del(slotsKey(name), pullPollKey(name), ...hashes);
  // The roster last: an agent's rows without their row on the roster would be a ghost.
  const tables = [EXECUTIONS, ...(hasSchedule ? [SCHEDULES] : []), ROSTER];
  const statements = tables.map((table) => ({
    sql: `DELETE FROM ${table} WHERE agent_name = ?`,
    args: [name],
  }));
  await present(target.database).write(statements, () => []);
  if (hasContainer) await present(target.docker).containers.remove(name);
}
