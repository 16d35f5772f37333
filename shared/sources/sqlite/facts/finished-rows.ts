/** Finished rows whose times are wrong. */
import { type FinishedRow, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS, timestampReader } from "../../../time.ts";
import { needsColumns, needsExecutions, type SqlFact } from "../fact.ts";
import { eachRow, packed, type QueryAnswer } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, indexedBy, isUsualTimestamp, quoted, secondOf, secondText } from "../sql.ts";

/** How many rows a statement looks at. An old installation may have tens of thousands without completed_at. */
const NEWEST_ROWS = 5_000;
/** Runs that ended last, of which each is looked at: as many as end in five minutes at six a second. */
const NEWEST_ENDED = 2_000;
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

/**
 * Selects rows that ended within the last hour and before they started, of the newest, by the texts: the exact instants are
 * the check's to compare. Rows with a time of another shape than the usual one are all selected.
 */
export function endedBeforeStartQuery({ endedIndex }: Schema, nowMs: number): string {
  const sinceMs = nowMs - RECENT_MS;
  const [from, since, to] = [sinceMs - ZONES_MS, sinceMs, nowMs + ZONES_MS].map(secondText) as [
    string,
    string,
    string,
  ];
  const [isOddEnd, isOddStart] = ["completed_at", "started_at"].map(
    (column) => `NOT ${isUsualTimestamp(column)}`,
  );
  const isBackward = `status IN (${quoted(TERMINAL_STATUSES)})
AND (${isOddEnd} OR ${isOddStart} OR ${secondOf("completed_at")} < ${secondOf("started_at")})`;
  const rows = (index: string, newest: number, range: string) => `${SELECT} FROM ${EXECUTIONS} e ${index}
WHERE ${range} AND ${newestBy(newest)} AND ${isBackward}`;
  const between = (start: string, end: string) => `completed_at >= '${start}' AND completed_at < '${end}'`;
  const visited = (newest: number, end: string) =>
    rows(
      "NOT INDEXED",
      newest,
      `${between(from, end)} AND (${isOddEnd} OR ${secondOf("completed_at")} >= '${since}')`,
    );
  if (!endedIndex) return packed(COLUMNS, visited(NEWEST_ROWS, to));
  const indexed = `${SELECT} FROM (SELECT rowid AS place FROM ${EXECUTIONS} ${indexedBy(endedIndex.name)}
WHERE ${endedIndex.where} AND ${between(since, to)} ORDER BY completed_at DESC LIMIT ${NEWEST_ENDED})
CROSS JOIN ${EXECUTIONS} e ON e.rowid = place WHERE ${isBackward}`;
  return packed(COLUMNS, `${indexed}\nUNION ALL ${visited(NEWEST_VISITED, since)}`);
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
