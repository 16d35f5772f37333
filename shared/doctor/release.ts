/** Which release of Trinity a database belongs to. Pure. */

import { type Place, placeText, type Schema } from "../sources/sql/schema.ts";
import { EXECUTIONS } from "../sources/sql/values.ts";
import { type Finding, note, ok, warning } from "./finding.ts";

const ROSTER = "agent_ownership";

/** What the release of May 2026 lacks, and that of November 2026 has. */
const MARKERS: readonly Place[] = [
  { table: ROSTER, column: "deleted_at" },
  { table: "agent_schedules", column: "deleted_at" },
  { table: EXECUTIONS, column: "lease_expires_at" },
  { table: EXECUTIONS, column: "chain_depth" },
  { table: "agent_reports", column: null },
];

export const isThere = (schema: Schema, { table, column }: Place): boolean =>
  column === null ? schema.hasTable(table) : schema.hasColumn(table, column);

const named = (places: readonly Place[]) => places.map(placeText).join(", ");

/** Says which release made this schema: `seed` or `today`, something between, or none. */
export function releaseOf(schema: Schema): Finding {
  const lacking = [ROSTER, EXECUTIONS].filter((table) => !schema.hasTable(table));
  if (lacking.length > 0)
    return warning("release", `no database of Trinity: it has no table ${lacking.join(" and no table ")}`);
  const lacks = MARKERS.filter((marker) => !isThere(schema, marker));
  if (lacks.length === 0) return ok("release", "today (November 2026), by its tables");
  if (lacks.length === MARKERS.length) return ok("release", "seed (May 2026), by its tables");
  return note(
    "release",
    `between seed (May 2026) and today (November 2026), which alone are tested: it lacks ${named(lacks)}`,
  );
}
