/** The schedules that may be overdue. */
import type { DueSchedule } from "../../../facts/facts.ts";
import { timestampReader } from "../../../time.ts";
import { needsColumns, needsTable, type SqlFact } from "../fact.ts";
import type { Schema } from "../schema.ts";
import { secondText } from "../values.ts";

const SCHEDULES = "agent_schedules";
const COLUMNS = ["id", "agent", "next"] as const;

/** Selects the enabled schedules that are due, by the texts; one of another shape than the usual is always selected. */
export function schedulesQuery(schema: Schema, nowMs: number): string {
  const { sql } = schema;
  const isKept = schema.hasColumn(SCHEDULES, "deleted_at") ? `AND NOT ${sql.isFilled("deleted_at")}` : "";
  return sql.rows(
    COLUMNS,
    `SELECT id AS id, agent_name AS agent, next_run_at AS next FROM ${SCHEDULES}
WHERE ${sql.isOn("enabled")} AND ${sql.isFilled("next_run_at")} ${isKept}
AND (NOT ${sql.isUsualTimestamp("next_run_at")} OR ${sql.secondOf("next_run_at")} < '${secondText(nowMs)}')`,
  );
}

export const schedules: SqlFact<readonly DueSchedule[]> = {
  // A database without a roster says nothing of the platform's release.
  missing: needsTable("agent_ownership"),
  absent: needsColumns(SCHEDULES, "id", "agent_name", "enabled", "next_run_at"),
  statements: (schema, { now }) => [schedulesQuery(schema, now())],
  parse([answer], { schema: { sql } }) {
    const rows: DueSchedule[] = [];
    const timestamp = timestampReader();
    sql.eachRow(answer, COLUMNS, ({ id = null, agent = null, next }) => {
      rows.push({ id, agent, nextRunAt: next ?? null, nextRunAtMs: timestamp(next ?? null) });
    });
    return rows;
  },
};
