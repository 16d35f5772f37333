/** The platform's own settings. */
import type { PlatformSettings } from "../../../facts/facts.ts";
import type { SqlFact } from "../fact.ts";
import { countOf } from "../rows.ts";
import type { Schema } from "../schema.ts";

const TABLE = "system_settings";
/** The platform's own default, where the key is missing. */
const DEFAULT_CEILING = 10;

const COLUMNS = ["value"] as const;
const QUERY = `SELECT value FROM ${TABLE} WHERE key = 'max_parallel_tasks_ceiling' LIMIT 1`;

const hasTable = (schema: Schema) => ["key", "value"].every((column) => schema.hasColumn(TABLE, column));

export const platformSettings: SqlFact<PlatformSettings> = {
  missing: () => null,
  statements: (schema) => (hasTable(schema) ? [schema.sql.rows(COLUMNS, QUERY)] : []),
  parse([answer], { schema, report }) {
    // Older installations have no ceiling but the one of their API.
    if (!hasTable(schema)) return { maxParallelTasksCeiling: null };
    let ceiling = DEFAULT_CEILING as number | "unreadable";
    schema.sql.eachRow(answer, COLUMNS, ({ value }) => {
      const count = countOf(value);
      ceiling = count === null ? DEFAULT_CEILING : count === 0 ? "unreadable" : count;
    });
    if (ceiling === "unreadable")
      report(`platformSettings: max_parallel_tasks_ceiling is not a count above 0`);
    return { maxParallelTasksCeiling: ceiling };
  },
};
