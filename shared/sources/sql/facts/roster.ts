/** The agents of the roster. */
import type { Facts, RosterAgent } from "../../../facts/facts.ts";
import { needsTable, type SqlFact } from "../fact.ts";
import { countOf, type Field, UNREADABLE } from "../rows.ts";
import type { Schema } from "../schema.ts";

/** The platform's own defaults, where the roster's column is NULL. */
const DEFAULT_MAX_PARALLEL_TASKS = 3;
const DEFAULT_EXECUTION_TIMEOUT_SECONDS = 3600;

/** `deleted` is 0 or 1. */
const COLUMNS = ["name", "parallel", "timeout", "deleted"] as const;

function rosterQuery(schema: Schema): string {
  const { sql } = schema;
  const number = (column: string) =>
    schema.hasColumn("agent_ownership", column) ? sql.integer(column) : "NULL";
  return sql.rows(
    COLUMNS,
    `SELECT agent_name AS name, ${number("max_parallel_tasks")} AS parallel, ${number("execution_timeout_seconds")} AS timeout,
${schema.hasColumn("agent_ownership", "deleted_at") ? sql.flag(sql.isFilled("deleted_at")) : "0"} AS deleted FROM agent_ownership`,
  );
}

const countOr = (value: Field, whenNull: number): number | null => {
  const n = countOf(value);
  return n === "unreadable" ? null : (n ?? whenNull);
};

export const roster: SqlFact<Facts["roster"]> = {
  missing: needsTable("agent_ownership"),
  statements: (schema) => [rosterQuery(schema)],
  parse([answer], { schema: { sql }, report, markUnlisted }) {
    const agents = new Map<string, RosterAgent>();
    sql.eachRow(answer, COLUMNS, ({ name, parallel, timeout, deleted }) => {
      if (typeof name !== "string") {
        report(`roster: a row's agent_name ${UNREADABLE}`);
        markUnlisted("a roster row's agent_name can't be read");
        return;
      }
      const agent = {
        maxParallelTasks: countOr(parallel, DEFAULT_MAX_PARALLEL_TASKS),
        executionTimeoutSeconds: countOr(timeout, DEFAULT_EXECUTION_TIMEOUT_SECONDS),
        isDeleted: deleted === "1",
      };
      if (agent.maxParallelTasks === null) report(`roster[${name}]: max_parallel_tasks can't be read`);
      if (agent.executionTimeoutSeconds === null)
        report(`roster[${name}]: execution_timeout_seconds can't be read`);
      agents.set(name, agent);
    });
    return agents;
  },
};
