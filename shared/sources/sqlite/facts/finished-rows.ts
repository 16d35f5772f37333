/** Finished rows whose times are wrong. */
import { type FinishedRow, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, timestampReader } from "../../../time.ts";
import { needsColumns, type SqlFact } from "../fact.ts";
import { eachRow, packed, type QueryAnswer } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, indexedBy, isUsualTimestamp, quoted, secondOf, secondText } from "../sql.ts";

/** How many rows a statement looks at. An old installation may have tens of thousands without completed_at. */
const NEWEST_ROWS = 5_000;
/** Rows that ended within the last hour: five a second. */
const NEWEST_ENDED = 20_000;
/** Ends whose texts are not in the order of their instants can't be found by an index: each row is visited. */
const NEWEST_VISITED = 1_000;
/** Longer than any timeout, whatever time zone a start was written in. */
const LOOK_BACK_MS = 7 * DAY_MS;
/** How far back ends are compared with starts; a little more than the check asks for. */
const RECENT_MS = HOUR_MS + MINUTE_MS;
/** The text of an instant is at most this far from that of UTC. */
const ZONES_MS = 14 * HOUR_MS;

const COLUMNS = ["id", "agent", "status", "started", "completed"] as const;
const SELECT =
  "SELECT e.id AS id, e.agent_name AS agent, e.status AS status, e.started_at AS started, e.completed_at AS completed";

const newestBy = (rows: number) => `rowid > (SELECT max(rowid) FROM ${EXECUTIONS}) - ${rows}`;

/** Selects the rows of some days that succeeded, failed or were cancelled and have no completed_at, of the newest. */
export function endedWithoutTimeQuery({ endedIndex }: Schema, nowMs: number): string {
  const index = endedIndex ? indexedBy(endedIndex.name) : "NOT INDEXED";
  return packed(
    COLUMNS,
    `${SELECT} FROM ${EXECUTIONS} e ${index}
WHERE ${endedIndex ? `${endedIndex.where} AND ` : ""}completed_at IS NULL AND ${newestBy(NEWEST_ROWS)}
AND status IN ('success', 'failed', 'cancelled')
AND (started_at >= '${secondText(nowMs - LOOK_BACK_MS)}' OR NOT ${isUsualTimestamp("started_at")})`,
  );
}

/** Selects the rowids of rows that may have ended since the instant, and no more than are looked at. */
function recentQuery({ endedIndex }: Schema, sinceMs: number, nowMs: number): string {
  const [from, since, to] = [sinceMs - ZONES_MS, sinceMs, nowMs + ZONES_MS].map(secondText);
  const visited = (rows: number, before: string | undefined) =>
    `SELECT rowid AS place FROM ${EXECUTIONS} NOT INDEXED WHERE ${newestBy(rows)}
AND completed_at >= '${from}' AND completed_at < '${before}'
AND (NOT ${isUsualTimestamp("completed_at")} OR ${secondOf("completed_at")} >= '${since}')`;
  if (!endedIndex) return visited(NEWEST_ROWS, to);
  return `SELECT place FROM (SELECT rowid AS place FROM ${EXECUTIONS} ${indexedBy(endedIndex.name)}
WHERE ${endedIndex.where} AND completed_at >= '${since}' AND completed_at < '${to}'
ORDER BY completed_at DESC LIMIT ${NEWEST_ENDED})
UNION ALL ${visited(NEWEST_VISITED, since)}`;
}

/**
 * Selects rows that ended within the last hour and before they started, by the texts: the exact instants are the check's to
 * compare. Rows with a time of another shape than the usual one are all selected.
 */
export function endedBeforeStartQuery(schema: Schema, nowMs: number): string {
  const isOdd = (column: string) => `NOT ${isUsualTimestamp(column)}`;
  return packed(
    COLUMNS,
    `${SELECT} FROM (${recentQuery(schema, nowMs - RECENT_MS, nowMs)}) CROSS JOIN ${EXECUTIONS} e ON e.rowid = place
WHERE e.status IN (${quoted(TERMINAL_STATUSES)}) AND (${isOdd("e.completed_at")} OR ${isOdd("e.started_at")}
OR ${secondOf("e.completed_at")} < ${secondOf("e.started_at")})`,
  );
}

function parseRows(answer: QueryAnswer | undefined): FinishedRow[] {
  const rows: FinishedRow[] = [];
  const timestamp = timestampReader();
  eachRow(answer, COLUMNS, ({ id = null, agent = null, status, started = null, completed = null }) => {
    rows.push({
      id,
      agent,
      status: TERMINAL_STATUSES.find((known) => known === status)!,
      startedAt: started,
      startedAtMs: timestamp(started),
      completedAt: completed,
      completedAtMs: timestamp(completed),
    });
  });
  return rows;
}

export const endedWithoutTime: SqlFact<readonly FinishedRow[]> = {
  missing: needsColumns(EXECUTIONS, "started_at", "completed_at"),
  statements: (schema, { now }) => [endedWithoutTimeQuery(schema, now())],
  parse: ([answer]) => parseRows(answer),
};

export const endedBeforeStart: SqlFact<readonly FinishedRow[]> = {
  missing: needsColumns(EXECUTIONS, "started_at", "completed_at"),
  statements: (schema, { now }) => [endedBeforeStartQuery(schema, now())],
  parse: ([answer]) => parseRows(answer),
};
