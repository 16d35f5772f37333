/** Commands for what an agent that is not on the roster has left behind. */
import { type Command, NOW, noted, redis, sql, sqlName } from "./commands.ts";
import { showSlots } from "./platform-commands.ts";

/** What stands for the slots of Redis among the tables. */
export const REDIS_SLOTS = "redis:agent:slots";

const EXECUTIONS = "schedule_executions";

/** Which rows of a table are looked at, where not all are: the others are history, which is kept. */
const ONLY: Readonly<Record<string, string>> = {
  access_requests: " AND status = 'pending'",
  chat_sessions: " AND status = 'active'",
  mcp_api_keys: " AND scope = 'agent'",
  operator_queue: " AND status = 'pending'",
};
const onlyOf = (table: string) => ({ text: ONLY[table] ?? "" });

const tablesOf = (tablesHit: readonly string[]) => tablesHit.filter((table) => table !== REDIS_SLOTS);

/** Shows that the agent is gone, and what of it is left. */
export const verifyGhost = (ghost: string, tablesHit: readonly string[]): readonly Command[] => [
  noted(
    "shows no row where the agent is gone",
    sql`SELECT agent_name FROM agent_ownership WHERE agent_name = ${ghost}`,
  ),
  ...tablesOf(tablesHit).map((table) =>
    table === EXECUTIONS
      ? sql`SELECT id, status, started_at FROM schedule_executions WHERE agent_name = ${ghost}
AND status NOT IN ('success', 'failed', 'cancelled', 'skipped')`
      : sql`SELECT COUNT(*) AS ${sqlName(table)} FROM ${sqlName(table)} WHERE agent_name = ${ghost}${onlyOf(table)}`,
  ),
  ...(tablesHit.includes(REDIS_SLOTS) ? [showSlots(ghost)] : []),
];

/** Ends the agent's runs as the platform's delete does: they are history, and stay. */
const endRuns = (ghost: string): readonly Command[] => [
  sql`UPDATE schedule_executions SET status = 'cancelled', completed_at = ${NOW}
WHERE agent_name = ${ghost} AND status IN ('queued', 'running')
AND NOT EXISTS (SELECT 1 FROM agent_ownership WHERE agent_name = ${ghost}) RETURNING id, status`,
  sql`UPDATE schedule_executions SET retry_scheduled_at = NULL
WHERE agent_name = ${ghost} AND status = 'pending_retry' AND retry_scheduled_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM agent_ownership WHERE agent_name = ${ghost}) RETURNING id, status`,
];

/** Removes what is left of the agent. Of the database, nothing where the name is on the roster again. */
export const removeGhost = (ghost: string, tablesHit: readonly string[]): readonly Command[] => [
  ...tablesOf(tablesHit).flatMap((table) =>
    table === EXECUTIONS
      ? endRuns(ghost)
      : sql`DELETE FROM ${sqlName(table)} WHERE agent_name = ${ghost}${onlyOf(table)}
AND NOT EXISTS (SELECT 1 FROM agent_ownership WHERE agent_name = ${ghost})`,
  ),
  ...(tablesHit.includes(REDIS_SLOTS)
    ? [noted("only where the agent is gone", redis("DEL", `agent:slots:${ghost}`))]
    : []),
];
