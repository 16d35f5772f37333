/** The running rows that have a Claude session: from the same statement as the executions. */
import type { Facts } from "../../../facts/facts.ts";
import { needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { rows } from "../packing.ts";
import { COLUMNS, executionsQuery } from "./executions.ts";

export const sessions: SqlFact<Facts["sessions"]> = {
  missing: needsExecutionsColumn("claude_session_id"),
  statements: (schema) => [executionsQuery(schema)],
  parse: ([answer]) =>
    new Set(
      rows(answer, COLUMNS).flatMap(({ id, session }) =>
        session === "1" && typeof id === "string" ? [id] : [],
      ),
    ),
};
