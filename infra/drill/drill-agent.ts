/** The agent of one fault of a drill: made for it, removed after it. */
import { present, type Target } from "../faults/target.ts";
import { type TestAgent, testAgent } from "../faults/test-agent.ts";
import { EXECUTIONS, ROSTER, slotKey, slotsKey } from "../platform/names.ts";

/** The agents of a drill have names that begin with this, and a drill touches no others. */
export const DRILL_PREFIX = "canary-drill-";

/** Two at once, a minute for a run. */
const LIMITS = { maxParallelTasks: 2, executionTimeoutSeconds: 60 };

/** @throws Error for a name without the drill's prefix: that agent belongs to somebody */
export function drillAgent(target: Target, name: string): TestAgent {
  if (!name.startsWith(DRILL_PREFIX)) throw new Error(`${name} is no agent of a drill`);
  return testAgent(target, { name, limits: LIMITS, runPrefix: `${name}-run-` });
}

/** Removes the agent and all that names it. Can be repeated. */
export async function removeDrillAgent({ name, target, ids, hasContainer }: TestAgent): Promise<void> {
  const hashes = [...ids].map((id) => slotKey(name, id));
  await present(target.redis).del(slotsKey(name), ...hashes);
  // The roster last: what is left of an agent without its row would be a ghost.
  const statements = [EXECUTIONS, ROSTER].map((table) => ({
    sql: `DELETE FROM ${table} WHERE agent_name = ?`,
    args: [name],
  }));
  await present(target.database).write(statements, () => []);
  if (hasContainer) await present(target.docker).containers.remove(name);
}
