/** The queues, counted as the platform's accessor counts them, for all agents at once. */
import type { Facts } from "../../../facts/facts.ts";
import type { Database } from "../database.ts";
import { needsExecutions, type SqlFact } from "../fact.ts";
import { bounded, eachRow, packed, type QueryAnswer } from "../packing.ts";
import { EXECUTIONS } from "../sql.ts";

const COLUMNS = ["agent_name", "total"] as const;

// A group by the bare agent_name would walk its index, and with it the whole history.
export const QUEUED_COUNTS = packed(
  COLUMNS,
  `SELECT ${bounded("agent_name")} AS agent_name, COUNT(*) AS total FROM ${EXECUTIONS} WHERE status = 'queued' GROUP BY 1`,
);

function parseCounts(answer: QueryAnswer | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  eachRow(answer, COLUMNS, ({ agent_name: agent, total }) => {
    if (typeof agent === "string") counts.set(agent, Number(total));
  });
  return counts;
}

export const queueCounts: SqlFact<Facts["queueCounts"]> = {
  missing: needsExecutions,
  statements: () => [QUEUED_COUNTS],
  parse: ([answer]) => ({ counts: parseCounts(answer), absentIsZero: true, around: null }),
};

/** Counts the queues in SQL now, for each agent that has queued rows. */
export async function countQueues(database: Database, signal: AbortSignal): Promise<Map<string, number>> {
  const [answer] = await database.batch([QUEUED_COUNTS], signal);
  return parseCounts(answer);
}
