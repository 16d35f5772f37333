/** The queued rows whose backlog_metadata is wrong. It is looked at inside the database: it holds prompts, and never leaves it. */
import type { BacklogDefect, QueuedCredential } from "../../../facts/facts.ts";
import { needsColumns, needsExecutions, type SqlFact } from "../fact.ts";
import { eachRow, packed } from "../packing.ts";
import type { Schema } from "../schema.ts";
import { EXECUTIONS, indexedBy } from "../sql.ts";

/** How much metadata one read parses: some 30 ms of a server's time, where all of it is one image. */
const MAX_PARSED_BYTES = 8_000_000;
/** How much text one read searches: some 60 ms. Images are not searched. */
const MAX_SEARCHED_BYTES = 2_000_000;

/** The sum of the rows up to this one, of which one that is too large by itself is not part. */
const sumUpTo = (bytes: string, most: number) =>
  `sum(iif(${bytes} > ${most}, 0, ${bytes})) OVER (ORDER BY place)`;

/** The table `queue`: the rowids of the queued rows, and whether their metadata is more than is parsed. */
const queueOf = ({ statusIndex }: Schema) => `queue AS (
SELECT place, bytes > ${MAX_PARSED_BYTES} OR ${sumUpTo("bytes", MAX_PARSED_BYTES)} > ${MAX_PARSED_BYTES} AS is_too_much FROM (
SELECT rowid AS place, coalesce(octet_length(backlog_metadata), 0) AS bytes FROM ${EXECUTIONS} ${indexedBy(statusIndex)}
WHERE status = 'queued'))`;

/**
 * Selects what is wrong with queued rows.
 * @param tables defines `judged` with (place, wrong)
 */
const wrongRows = (tables: readonly string[], columns: readonly string[]) =>
  packed(
    columns,
    `WITH ${tables.join(", ")} SELECT e.id AS id, e.agent_name AS agent, wrong AS ${columns.at(-1)}
FROM judged CROSS JOIN ${EXECUTIONS} e ON e.rowid = place WHERE wrong IS NOT NULL`,
  );

const DEFECT_COLUMNS = ["id", "agent", "defect"] as const;

/** Selects the queued rows without queued_at, or whose backlog_metadata is NULL or not JSON. */
export const backlogDefectsQuery = (schema: Schema): string =>
  wrongRows(
    [
      queueOf(schema),
      `judged AS MATERIALIZED (SELECT place, CASE WHEN queued_at IS NULL THEN 'queued_at_null'
WHEN backlog_metadata IS NULL THEN 'backlog_metadata_null' WHEN is_too_much THEN 'unread'
WHEN NOT json_valid(backlog_metadata) THEN 'backlog_metadata_invalid_json' END AS wrong
FROM queue CROSS JOIN ${EXECUTIONS} ON rowid = place)`,
    ],
    DEFECT_COLUMNS,
  );

export const backlogDefects: SqlFact<readonly BacklogDefect[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "queued_at", "backlog_metadata"),
  statements: (schema) => [backlogDefectsQuery(schema)],
  parse([answer]) {
    const rows: BacklogDefect[] = [];
    eachRow(answer, DEFECT_COLUMNS, ({ id = null, agent = null, defect }) => {
      rows.push({ id, agent, defect: defect as BacklogDefect["defect"] });
    });
    return rows;
  },
};

/** How credentials begin, in GLOB, with the name of each. They begin a word. */
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

/** The place in PATTERNS of the first that the text matches. The first GLOB is fast, and few texts come to the second. */
const matchOf = (text: string) =>
  `CASE ${PATTERNS.map(
    ({ begins, notAfter = "A-Za-z0-9_" }, i) =>
      `WHEN ${text} GLOB '*${begins}*' AND ' ' || ${text} GLOB '*[^${notAfter}]${begins}*' THEN ${i}`,
  ).join("\n")} END`;

/** What a row has where it could not be searched. GLOB ends at a NUL in the text. */
const UNSEARCHED = -1;
const unsearchable = (text: string) => `iif(instr(${text}, char(0)), ${UNSEARCHED}, NULL)`;

/** The texts in the metadata. The data of images are cut out: base64 matches by chance. */
const TEXTS = `json_tree(backlog_metadata) t WHERE t.type = 'text'
AND (t.key IS NOT 'data' OR coalesce(t.path, '') || '.' NOT GLOB '*.images[[.]*')`;
const ifJson = (then: string, otherwise: string) =>
  `CASE WHEN json_valid(backlog_metadata) THEN ${then} ELSE ${otherwise} END`;

const CREDENTIAL_COLUMNS = ["id", "agent", "pattern"] as const;

/** Selects the queued rows in whose metadata a word begins as a credential does. */
export const credentialsInQueueQuery = (schema: Schema): string =>
  wrongRows(
    [
      queueOf(schema),
      `measured AS MATERIALIZED (SELECT place, iif(is_too_much, NULL, ${ifJson(
        `(SELECT coalesce(sum(octet_length(t.atom)), 0) FROM ${TEXTS})`,
        "octet_length(backlog_metadata)",
      )}) AS bytes FROM queue CROSS JOIN ${EXECUTIONS} ON rowid = place WHERE backlog_metadata IS NOT NULL)`,
      `searched AS (SELECT place, coalesce(bytes <= ${MAX_SEARCHED_BYTES} AND ${sumUpTo("bytes", MAX_SEARCHED_BYTES)} <= ${MAX_SEARCHED_BYTES}, 0) AS is_searched FROM measured)`,
      `judged AS MATERIALIZED (SELECT place, CASE WHEN NOT is_searched THEN ${UNSEARCHED} ELSE ${ifJson(
        `(SELECT coalesce(min(${matchOf("t.atom")}), min(${unsearchable("t.atom")})) FROM ${TEXTS})`,
        `coalesce(${matchOf("backlog_metadata")}, ${unsearchable("backlog_metadata")})`,
      )} END AS wrong FROM searched CROSS JOIN ${EXECUTIONS} ON rowid = place)`,
    ],
    CREDENTIAL_COLUMNS,
  );

export const credentialsInQueue: SqlFact<readonly QueuedCredential[]> = {
  missing: needsExecutions,
  absent: needsColumns(EXECUTIONS, "backlog_metadata"),
  statements: (schema) => [credentialsInQueueQuery(schema)],
  parse([answer]) {
    const rows: QueuedCredential[] = [];
    eachRow(answer, CREDENTIAL_COLUMNS, ({ id = null, agent = null, pattern }) => {
      rows.push({ id, agent, pattern: PATTERNS[Number(pattern)]?.name ?? null });
    });
    return rows;
  },
};
