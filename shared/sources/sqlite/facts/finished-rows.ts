/** Finished rows whose times are wrong. */
import { type FinishedRow, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, timestampReader } from "../../../time.ts";
import { needsColumns, needsExecutions, type SqlFact } from "../fact.ts";
import { eachRow, packed, type QueryAnswer } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, indexedBy, isUsualTimestamp, quoted, secondText } from "../sql.ts";

/** How many of the rows that were made last a statement looks at. An old installation may have tens of thousands without an end. */
const NEWEST_ROWS = 5_000;
/** How many of the runs that ended last are looked at as well: they may have begun long before. */
const NEWEST_ENDED = 2_000;
/** Longer than any timeout, whatever time zone a start was written in. */
const LOOK_BACK_MS = 7 * DAY_MS;
/** How far back rows are compared; a little more than the check asks for. */
const RECENT_MS = HOUR_MS + MINUTE_MS;
/** The text of an instant is at most this far from that of UTC. */
const ZONES_MS = 14 * HOUR_MS;

const COLUMNS = ["id", "agent", "status", "started", "completed"] as const;
const SELECT =
  "SELECT e.id AS id, e.agent_name AS agent, e.status AS status, e.started_at AS started, e.completed_at AS completed";

const IS_NEW = `rowid > (SELECT max(rowid) FROM ${EXECUTIONS}) - ${NEWEST_ROWS}`;

/** Selects the rows of some days that succeeded, failed or were cancelled and have no completed_at, of the newest. */
export function endedWithoutTimeQuery({ endedIndex }: Schema, nowMs: number): string {
  const index = endedIndex ? indexedBy(endedIndex.name) : "NOT INDEXED";
  return packed(
    COLUMNS,
    `${SELECT} FROM ${EXECUTIONS} e ${index}
WHERE ${endedIndex ? `${endedIndex.where} AND ` : ""}completed_at IS NULL AND ${IS_NEW}
AND status IN ('success', 'failed', 'cancelled')
AND (started_at >= '${secondText(nowMs - LOOK_BACK_MS)}' OR NOT ${isUsualTimestamp("started_at")})`,
  );
}

/** As the backend writes a timestamp, with D for a digit. This is quick, and nearly every row has it. */
const AS_WRITTEN = "DDDD-DD-DDTDD:DD:DD.DDDDDDZ".replaceAll("D", "[0-9]");
const isOdd = (column: string) => `NOT (${column} GLOB '${AS_WRITTEN}' OR ${isUsualTimestamp(column)})`;

/**
 * Selects rows that began or ended within the last hour, and ended before they began, by the texts: the exact instants are
 * the check's to compare. Rows with a time of another shape than the usual ones are all selected. It looks at the rows that
 * began last, whose ends may be written in any time zone, and at those that ended last, however long ago they began.
 */
export function endedBeforeStartQuery({ endedIndex }: Schema, nowMs: number): string {
  const sinceMs = nowMs - RECENT_MS;
  const since = secondText(sinceMs);
  const [early, late] = [secondText(sinceMs - ZONES_MS), secondText(nowMs + ZONES_MS)];
  const isBackward = `status IN (${quoted(TERMINAL_STATUSES)}) AND completed_at IS NOT NULL
AND (completed_at < started_at OR substr(completed_at, 11, 1) <> substr(started_at, 11, 1)
OR ${isOdd("completed_at")} OR ${isOdd("started_at")})`;
  const isRecent = `(completed_at >= '${early}' OR started_at >= '${early}' OR ${isOdd("completed_at")})`;
  const begun = `${SELECT} FROM ${EXECUTIONS} e NOT INDEXED
WHERE ${IS_NEW} AND ${isBackward} AND ${isRecent}`;
  if (!endedIndex) return packed(COLUMNS, begun);
  const ended = `${SELECT} FROM (SELECT rowid AS place FROM ${EXECUTIONS} ${indexedBy(endedIndex.name)}
WHERE ${endedIndex.where} AND completed_at >= '${since}' AND completed_at < '${late}'
ORDER BY completed_at DESC LIMIT ${NEWEST_ENDED})
CROSS JOIN ${EXECUTIONS} e ON e.rowid = place WHERE NOT ${IS_NEW} AND ${isBackward}`;
  return packed(COLUMNS, `${begun}\nUNION ALL ${ended}`);
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
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "started_at", "completed_at"),
  statements: (schema, { now }) => [endedWithoutTimeQuery(schema, now())],
  parse: ([answer]) => parseRows(answer),
};

export const endedBeforeStart: SqlFact<readonly FinishedRow[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "started_at", "completed_at"),
  statements: (schema, { now }) => [endedBeforeStartQuery(schema, now())],
  parse: ([answer]) => parseRows(answer),
};
