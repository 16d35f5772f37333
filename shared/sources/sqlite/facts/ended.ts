/** The rows that became terminal since the last cycle, and the cursor for the next. */
import { type Ended, type EndedCursor, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { formatInstant } from "../../../time.ts";
import { needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { eachRow, packed, rowsOf, UNREADABLE } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, indexedBy, quoted } from "../sql.ts";

/** Rows that ended this long before the cursor are read again: the platform's clock and commit may lag behind ours. */
const OVERLAP_MS = 5 * 60_000;
/** How far the first cycle, or one after a long pause, looks back. */
const LOOK_BACK_MS = 60 * 60_000;
/** The newest rows are always searched for skipped ones: VACUUM changes the rowids that a cursor holds. */
const NEWEST_ROWS = 10_000;
/** On a platform with more old live rows than this E-01 or B-02 is red. */
const MAX_OLD_LIVE = 2_000;

/** `status` is an index into TERMINAL_STATUSES. */
const COLUMNS = ["id", "status"] as const;

/**
 * Selects the rows that became terminal since the cursor. A terminal write sets completed_at, except for `skipped`: a row
 * without it became terminal after the cursor only if it was live at that time (among the newest rows or in `oldLive`) or
 * was made later (its rowid is above the cursor's).
 * @param since where the last read stopped; null for the first
 */
export function endedQuery(schema: Schema, since: EndedCursor | null, nowMs: number): string {
  const boundMs = Math.max((since?.readAtMs ?? 0) - OVERLAP_MS, nowMs - LOOK_BACK_MS);
  const bound = formatInstant(boundMs).slice(0, 19);
  const day = bound.slice(0, 10);
  const { endedIndex } = schema;
  const status = `CASE status ${TERMINAL_STATUSES.map((s, i) => `WHEN '${s}' THEN ${i}`).join(" ")} END`;
  const ended = `SELECT id, ${status} AS status FROM ${EXECUTIONS} ${indexedBy(endedIndex?.name ?? null)}
WHERE ${endedIndex ? `${endedIndex.where} AND ` : ""}status IN (${quoted(TERMINAL_STATUSES)})`;
  // For an empty list of rowids SQLite would scan the table.
  const oldLive = since?.oldLive.length
    ? `
UNION ALL SELECT id, ${status} FROM ${EXECUTIONS}
WHERE rowid IN (${since.oldLive.join(", ")}) AND status IN (${quoted(TERMINAL_STATUSES)})`
    : "";
  // SQLite's own datetime() writes a space where the platform writes a T; a space sorts before a T of the same day.
  return packed(
    COLUMNS,
    `${ended} AND completed_at >= '${bound}'
UNION ALL ${ended} AND completed_at >= '${bound.replace("T", " ")}' AND completed_at < '${day}T'
UNION ALL ${ended} AND completed_at IS NULL
AND rowid > min(${since?.rowid ?? Number.MAX_SAFE_INTEGER}, (SELECT max(rowid) FROM ${EXECUTIONS}) - ${NEWEST_ROWS})${oldLive}`,
  );
}

/** Selects (highest rowid, rowid of a live row that is not among the newest, or null): the cursor of the next `endedQuery`. */
export function endedCursorQuery(schema: Schema): string {
  const highest = `(SELECT max(rowid) FROM ${EXECUTIONS})`;
  return `SELECT ${highest}, NULL UNION ALL SELECT * FROM (
SELECT ${highest}, rowid FROM ${EXECUTIONS} ${indexedBy(schema.statusIndex)}
WHERE status IN ('queued', 'running', 'pending_retry') AND rowid <= ${highest} - ${NEWEST_ROWS} LIMIT ${MAX_OLD_LIVE})`;
}

export const ended: SqlFact<Ended> = {
  missing: needsExecutionsColumn("completed_at"),
  statements: (schema, { since, now }) => [endedQuery(schema, since.ended, now()), endedCursorQuery(schema)],
  parse([answer, cursorRows], { time, report }) {
    const rows: Ended["rows"][number][] = [];
    eachRow(answer, COLUMNS, ({ id, status }) => {
      if (typeof id === "string") rows.push({ id, status: TERMINAL_STATUSES[Number(status)]! });
      else report(`sqlite.ended: a row's id ${UNREADABLE}`);
    });
    const bounds = rowsOf(cursorRows);
    const cursor: EndedCursor = {
      readAtMs: time.fromMs,
      rowid: Number(bounds[0]?.[0] ?? 0),
      oldLive: bounds.flatMap(([, rowid]) => (rowid === null || rowid === undefined ? [] : [Number(rowid)])),
    };
    return { rows, cursor };
  },
};
