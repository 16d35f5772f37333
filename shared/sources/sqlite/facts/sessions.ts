/** The running rows that have a Claude session, from the same statement as the executions. */
import type { Facts } from "../../../facts/facts.ts";
import { needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { eachRow } from "../packing.ts";
import { COLUMNS, executionsQuery } from "./executions.ts";

export const sessions: SqlFact<Facts["sessions"]> = {
  missing: needsExecutionsColumn("claude_session_id"),
  statements: (schema) => [executionsQuery(schema)],
  parse([answer]) {
    const ids = new Set<string>();
    eachRow(answer, COLUMNS, (row) => {
      const id = row.session === "1" ? row.id : undefined;
      if (typeof id === "string") ids.add(id);
    });
    return ids;
  },
};
