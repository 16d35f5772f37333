/** The rows that became terminal since the last cycle, and the cursor for the next. */
import { type Ended, type EndedCursor, TERMINAL_STATUSES } from "../../../facts/facts.ts";
import { formatInstant } from "../../../time.ts";
import { needsExecutionsColumn, type SqlFact } from "../fact.ts";
import { eachRow, packed, UNREADABLE } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, indexedBy, quoted } from "../sql.ts";

/** Rows that ended this long before the cursor are read again: the platform's clock and commit may lag behind ours. */
const OVERLAP_MS = 5 * 60_000;
/** How far the first cycle, or one after a long pause, looks back. */
const LOOK_BACK_MS = 60 * 60_000;

/** `status` is an index into TERMINAL_STATUSES. */
const COLUMNS = ["id", "status"] as const;

/**
 * Selects the rows that became terminal since the cursor. Every terminal write sets completed_at; a row without one is E-03's.
 * @param since where the last read stopped; null for the first
 */
export function endedQuery({ endedIndex }: Schema, since: EndedCursor | null, nowMs: number): string {
  const boundMs = Math.max((since?.readAtMs ?? 0) - OVERLAP_MS, nowMs - LOOK_BACK_MS);
  const bound = formatInstant(boundMs).slice(0, 19);
  const day = bound.slice(0, 10);
  const status = `CASE status ${TERMINAL_STATUSES.map((s, i) => `WHEN '${s}' THEN ${i}`).join(" ")} END`;
  const ended = `SELECT id, ${status} AS status FROM ${EXECUTIONS} ${indexedBy(endedIndex?.name ?? null)}
WHERE ${endedIndex ? `${endedIndex.where} AND ` : ""}status IN (${quoted(TERMINAL_STATUSES)})`;
  // SQLite's own datetime() writes a space where the platform writes a T; a space sorts before a T of the same day.
  return packed(
    COLUMNS,
    `${ended} AND completed_at >= '${bound}'
UNION ALL ${ended} AND completed_at >= '${bound.replace("T", " ")}' AND completed_at < '${day}T'`,
  );
}

export const ended: SqlFact<Ended> = {
  missing: needsExecutionsColumn("completed_at"),
  statements: (schema, { since, now }) => [endedQuery(schema, since.ended, now())],
  parse([answer], { time, report }) {
    const rows: Ended["rows"][number][] = [];
    eachRow(answer, COLUMNS, ({ id, status }) => {
      if (typeof id === "string") rows.push({ id, status: TERMINAL_STATUSES[Number(status)]! });
      else report(`sqlite.ended: a row's id ${UNREADABLE}`);
    });
    return { rows, cursor: { readAtMs: time.fromMs } };
  },
};
