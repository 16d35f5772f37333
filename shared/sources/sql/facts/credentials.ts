/** The queued rows in whose backlog_metadata a word begins as a credential does. The text never leaves the database. */
import type { QueuedCredential } from "../../../facts/facts.ts";
import type { Dialect } from "../dialect.ts";
import { needsColumns, needsExecutions, type SqlFact } from "../fact.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS } from "../values.ts";
import { queueOf, rowsAt, sumUpTo, wrongRows } from "./backlog.ts";
import { isJson, jsonTexts } from "./json.ts";

/** How much text one read searches: some 60 ms. Images are not searched. */
const MAX_SEARCHED_BYTES = 2_000_000;

/** How credentials begin, with the name of each; GLOB and regular expressions read this alike. They begin a word. */
const PATTERNS = [
  // Words such as `task-sk-1` and `cs-sk` have the hyphen of `sk-` inside.
  { name: "sk", begins: "sk-[A-Za-z0-9]", notAfter: "A-Za-z0-9_-" },
  { name: "ghp", begins: "ghp_[A-Za-z0-9]" },
  { name: "gho", begins: "gho_[A-Za-z0-9]" },
  { name: "ghs", begins: "ghs_[A-Za-z0-9]" },
  { name: "ghu", begins: "ghu_[A-Za-z0-9]" },
  { name: "github_pat", begins: "github_pat_[A-Za-z0-9]" },
  { name: "xoxb", begins: "xoxb-[A-Za-z0-9]" },
  { name: "xoxp", begins: "xoxp-[A-Za-z0-9]" },
  { name: "AKIA", begins: "AKIA[A-Z0-9][A-Z0-9][A-Z0-9][A-Z0-9]" },
  { name: "AIza", begins: "AIza[A-Za-z0-9_-]" },
  { name: "sk_live", begins: "sk_live_[A-Za-z0-9]" },
];

/** In SQLite, the first GLOB is fast, and few texts come to the second. */
const isMatch = (sql: Dialect, text: string, begins: string, notAfter: string) =>
  sql.backend === "sqlite"
    ? `${text} GLOB '*${begins}*' AND ' ' || ${text} GLOB '*[^${notAfter}]${begins}*'`
    : `${text} COLLATE "C" ~ '(?:^|[^${notAfter}])${begins}'`;

/** The place in PATTERNS of the first that the text matches. */
const matchOf = (sql: Dialect, text: string) =>
  `CASE ${PATTERNS.map(
    ({ begins, notAfter = "A-Za-z0-9_" }, i) => `WHEN ${isMatch(sql, text, begins, notAfter)} THEN ${i}`,
  ).join("\n")} END`;

/** What each pattern begins with. */
const LITERALS = PATTERNS.map(({ begins }) => begins.slice(0, begins.indexOf("[")));
/**
 * Whether the metadata may hold what a pattern matches. Nearly no metadata does, and this search takes a tenth of the time in
 * which PostgreSQL takes JSON apart. An escape can hide a letter from SQLite's search; in PostgreSQL it is a space.
 */
const isSuspect = (sql: Dialect, metadata: string) =>
  sql.backend === "sqlite"
    ? ["\\u", ...LITERALS].map((literal) => `instr(${metadata}, '${literal}')`).join(" OR ")
    : `${metadata} COLLATE "C" ~ '${LITERALS.join("|")}'`;

/** What a row has where it could not be searched. */
const UNSEARCHED = -1;
/** GLOB ends at a NUL in the text. PostgreSQL stores none. */
const unsearchable = (sql: Dialect, text: string) =>
  sql.backend === "sqlite" ? `iif(instr(${text}, char(0)), ${UNSEARCHED}, NULL)` : "NULL::int";

const COLUMNS = ["id", "agent", "pattern"] as const;

/** Selects the queued rows in whose metadata a word begins as a credential does. */
export function credentialsInQueueQuery(schema: Schema): string {
  const { sql } = schema;
  const metadata = sql.text("backlog_metadata");
  const texts = jsonTexts(schema, "backlog_metadata");
  const ifJson = (then: string, otherwise: string) =>
    `CASE WHEN ${isJson(schema, "backlog_metadata")} THEN ${then} ELSE ${otherwise} END`;
  return wrongRows(
    schema,
    [
      queueOf(schema, ["backlog_metadata"]),
      `measured AS MATERIALIZED (SELECT place, CASE WHEN is_too_much THEN NULL ELSE ${ifJson(
        `(SELECT coalesce(sum(octet_length(text)), 0) FROM ${texts})`,
        `octet_length(${metadata})`,
      )} END AS bytes FROM ${rowsAt(schema, "queue")}
WHERE backlog_metadata IS NOT NULL AND CASE WHEN is_too_much THEN ${sql.backend === "sqlite" ? "1" : "true"} ELSE ${isSuspect(sql, metadata)} END)`,
      `searched AS (SELECT place, coalesce(bytes <= ${MAX_SEARCHED_BYTES} AND ${sumUpTo("bytes", MAX_SEARCHED_BYTES)} <= ${MAX_SEARCHED_BYTES}, ${sql.backend === "sqlite" ? "0" : "false"}) AS is_searched FROM measured)`,
      `judged AS MATERIALIZED (SELECT place, CASE WHEN NOT is_searched THEN ${UNSEARCHED} ELSE ${ifJson(
        `(SELECT coalesce(min(${matchOf(sql, "text")}), min(${unsearchable(sql, "text")})) FROM ${texts})`,
        `coalesce(${matchOf(sql, metadata)}, ${unsearchable(sql, metadata)})`,
      )} END AS wrong FROM ${rowsAt(schema, sql.backend === "sqlite" ? "searched" : "searched JOIN queue USING (place)")})`,
    ],
    COLUMNS,
  );
}

export const credentialsInQueue: SqlFact<readonly QueuedCredential[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "backlog_metadata"),
  statements: (schema) => [credentialsInQueueQuery(schema)],
  parse([answer], { schema: { sql } }) {
    const rows: QueuedCredential[] = [];
    sql.eachRow(answer, COLUMNS, ({ id = null, agent = null, pattern }) => {
      rows.push({ id, agent, pattern: PATTERNS[Number(pattern)]?.name ?? null });
    });
    return rows;
  },
};
