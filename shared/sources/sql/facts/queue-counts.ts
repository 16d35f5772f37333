/** The queues, counted as the platform's accessor counts them, for all agents at once. */
import type { Facts } from "../../../facts/facts.ts";
import type { Database } from "../database.ts";
import type { Dialect } from "../dialect.ts";
import { needsExecutions, type SqlFact } from "../fact.ts";
import type { QueryAnswer } from "../rows.ts";
import { EXECUTIONS } from "../values.ts";

const COLUMNS = ["agent_name", "total"] as const;

// A group by the bare agent_name would walk its index, and with it the whole history.
export const queuedCountsQuery = (sql: Dialect): string =>
  sql.rows(
    COLUMNS,
    `SELECT ${sql.bounded("agent_name")} AS agent_name, COUNT(*) AS total FROM ${EXECUTIONS}
WHERE ${sql.text("status")} = 'queued' GROUP BY 1`,
  );

function parseCounts(sql: Dialect, answer: QueryAnswer | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  sql.eachRow(answer, COLUMNS, ({ agent_name: agent, total }) => {
    if (typeof agent === "string") counts.set(agent, Number(total));
  });
  return counts;
}

export const queueCounts: SqlFact<Facts["queueCounts"]> = {
  missing: needsExecutions,
  statements: ({ sql }) => [queuedCountsQuery(sql)],
  parse: ([answer], { schema: { sql } }) => ({
    counts: parseCounts(sql, answer),
    absentIsZero: true,
    around: null,
  }),
};

/** Counts the queues in SQL now, for each agent that has queued rows. */
export async function countQueues(database: Database, signal: AbortSignal): Promise<Map<string, number>> {
  const { sql } = database;
  const [answer] = await database.batch([queuedCountsQuery(sql)], signal);
  return parseCounts(sql, answer);
}
