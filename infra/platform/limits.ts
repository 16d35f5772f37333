/** How many runs an agent may have at once, and for how long each may run. */
import type { PlatformContext } from "./context.ts";
import {
  CEILING_SETTING,
  DEFAULT_CEILING,
  DEFAULT_MAX_PARALLEL_TASKS,
  FALLBACK_TIMEOUT_SECONDS,
  SETTINGS,
} from "./names.ts";

/** Columns and hashes hold whatever was written into them. */
export const positiveOr = (value: unknown, fallback: number): number =>
  Number.isInteger(value) && (value as number) > 0 ? (value as number) : fallback;

export interface AgentLimits {
  /** The smaller of the agent's cap and the ceiling of the fleet. */
  readonly maxParallelTasks: number;
  readonly timeoutSeconds: number;
}

/** Reads the agent's limits; null where it is not on the roster, or is on it as deleted. */
export async function limitsOf(
  { database, traits }: PlatformContext,
  agent: string,
): Promise<AgentLimits | null> {
  const ceiling = traits.hasCeiling
    ? `(SELECT value FROM ${SETTINGS} WHERE key = '${CEILING_SETTING}')`
    : "NULL";
  const [row] = await database.read(
    `SELECT max_parallel_tasks, execution_timeout_seconds, ${ceiling} AS ceiling FROM agent_ownership o
     WHERE agent_name = ? AND ${traits.isActive}`,
    [agent],
  );
  if (!row) return null;
  const own = positiveOr(row.max_parallel_tasks, DEFAULT_MAX_PARALLEL_TASKS);
  return {
    maxParallelTasks: traits.hasCeiling
      ? Math.min(own, positiveOr(Number(row.ceiling ?? Number.NaN), DEFAULT_CEILING))
      : own,
    timeoutSeconds: positiveOr(row.execution_timeout_seconds, FALLBACK_TIMEOUT_SECONDS),
  };
}

/**
 * Sets the ceiling of the fleet. Runs beyond a lower one go on.
 * @param maxParallelTasks null removes the setting: then the cap is 10
 * @throws Error on a release without that setting
 */
export async function setCeiling(
  { database, traits }: PlatformContext,
  maxParallelTasks: number | null,
): Promise<void> {
  if (!traits.hasCeiling)
    throw new Error(`the release ${traits.release} has no cap for all agents: use the release today`);
  await database.write(
    [
      maxParallelTasks === null
        ? { sql: `DELETE FROM ${SETTINGS} WHERE key = ?`, args: [CEILING_SETTING] }
        : {
            sql: `INSERT INTO ${SETTINGS} (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
            args: [CEILING_SETTING, String(maxParallelTasks)],
          },
    ],
    () => [{ what: "ceiling", maxParallelTasks }],
  );
}
