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
/** Rows without completed_at are always searched for among the newest: VACUUM changes the rowids that a cursor holds. */
const NEWEST_ROWS = 10_000;
/** Of other shapes of completed_at an index can't say which are new: each row is visited, so these are fewer. */
const NEWEST_VISITED = 1_000;
/** On a platform with more old live rows than this E-01 or B-02 is red. */
const MAX_OLD_LIVE = 2_000;

/** `status` is an index into TERMINAL_STATUSES. */
const COLUMNS = ["id", "status"] as const;

/** `2026-11-23T10:00:00.123456Z`, also with a space, naive, or with `+00:00`: as texts in the order of their instants. */
const USUAL = `(completed_at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]*'
AND replace(substr(completed_at, 17), '+00:00', '') NOT GLOB '*[^0-9:.Z]*')`;

/**
 * Selects the rows that became terminal since the cursor. Where completed_at has the usual shape, an index finds them. A
 * row without it, or with another shape (an offset, a date alone, a number), became terminal after the cursor only if it
 * was live at that time (its rowid is above the cursor's, or in `oldLive`) or was made later.
 * @param since where the last read stopped; null for the first
 */
export function endedQuery(schema: Schema, since: EndedCursor | null, nowMs: number): string {
  const boundMs = Math.max((since?.readAtMs ?? 0) - OVERLAP_MS, nowMs - LOOK_BACK_MS);
  const bound = formatInstant(boundMs).slice(0, 19);
  const day = bound.slice(0, 10);
  const { endedIndex } = schema;
  const rowidBefore = (newest: number) =>
    `min(${since?.rowid ?? Number.MAX_SAFE_INTEGER}, (SELECT max(rowid) FROM ${EXECUTIONS}) - ${newest})`;
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
AND rowid > ${rowidBefore(NEWEST_ROWS)}
UNION ALL SELECT id, ${status} FROM ${EXECUTIONS} NOT INDEXED
WHERE rowid > ${rowidBefore(NEWEST_VISITED)} AND status IN (${quoted(TERMINAL_STATUSES)}) AND NOT ${USUAL}${oldLive}`,
  );
}

/**
 * Selects the cursor of the next `endedQuery`: (the rowid below which no row of the newest is live, rowid of a live row
 * that is not among these, or null).
 */
export function endedCursorQuery(schema: Schema): string {
  const highest = `(SELECT max(rowid) FROM ${EXECUTIONS})`;
  const live = `FROM ${EXECUTIONS} ${indexedBy(schema.statusIndex)} WHERE status IN ('queued', 'running')`;
  return `SELECT coalesce((SELECT min(rowid) ${live} AND rowid > ${highest} - ${NEWEST_ROWS}) - 1, ${highest}), NULL
UNION ALL SELECT * FROM (
SELECT 0, rowid ${live} AND rowid <= ${highest} - ${NEWEST_ROWS} LIMIT ${MAX_OLD_LIVE})`;
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
