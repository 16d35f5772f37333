/** JSON inside the database. */
import type { Schema } from "../schema.ts";

/** How deep arrays and objects may be in one another, where a server before PostgreSQL 16 has to tell JSON. */
const MOST_DEEP = 200;
/** A JSON text becomes a value in these steps: a text is written "", any other value 0. */
const STRING = String.raw`"(?:[^"\\\u0001-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"`;
const SCALAR = String.raw`-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null`;
const VALUE = `(?:0|"")`;
const INNERMOST = String.raw`\[(?:${VALUE}(?:,${VALUE})*)?\]|\{(?:"":${VALUE}(?:,"":${VALUE})*)?\}`;

/** An object of texts, numbers and words, as nearly all metadata are: one look tells that it is JSON. */
const SPACE = String.raw`[ \t\n\r]*`;
const MEMBER = `${SPACE}${STRING}${SPACE}:${SPACE}(?:${STRING}|${SCALAR})${SPACE}`;
const FLAT_OBJECT = String.raw`^${SPACE}\{(?:${MEMBER}(?:,${MEMBER})*|${SPACE})\}${SPACE}$`;

const replaced = (text: string, pattern: string, by: string) =>
  `regexp_replace(${text}, '${pattern}', '${by}', 'g')`;

/**
 * Whether the text is JSON. PostgreSQL before 16 can't tell without failing where it is not: there the innermost arrays and
 * objects are replaced by a value, until one value is left or nothing more can be replaced.
 */
export function isJson({ sql, knowsJson }: Schema, column: string): string {
  if (sql.backend === "sqlite") return `json_valid(${column})`;
  const text = sql.text(column);
  if (knowsJson) return `(${text} IS JSON)`;
  const tokens = replaced(replaced(text, STRING, '""'), SCALAR, "0");
  // Space between two quotes is in a text that is none, or between two texts: neither is JSON.
  const values = replaced(replaced(tokens, String.raw`"[ \t\n\r]+"`, "x"), String.raw`[ \t\n\r]+`, "");
  return `CASE WHEN ${text} ~ '${FLAT_OBJECT}' THEN true ELSE (WITH RECURSIVE reduced(step, value) AS (SELECT 0, ${values}
UNION ALL SELECT step + 1, ${replaced("value", INNERMOST, "0")} FROM reduced WHERE step < ${MOST_DEEP} AND value ~ '${INNERMOST}')
SELECT value IN ('0', '""') FROM reduced ORDER BY step DESC LIMIT 1) END`;
}

/** An escape in a JSON text. Without them, no text of valid JSON is one that PostgreSQL refuses. */
const ESCAPE = String.raw`\\(?:u[0-9a-fA-F]{4}|.)`;

/**
 * A table of the texts in a column of JSON, as `text`. The data of images are left out: base64 matches by chance.
 * In PostgreSQL, an escaped character is a space.
 */
export function jsonTexts({ sql }: Schema, column: string): string {
  if (sql.backend === "sqlite")
    return `(SELECT t.atom AS text FROM json_tree(${column}) t WHERE t.type = 'text'
AND (t.key IS NOT 'data' OR coalesce(t.path, '') || '.' NOT GLOB '*.images[[.]*'))`;
  const only = (type: "object" | "array", empty: string) =>
    `CASE json_typeof(tree.node) WHEN '${type}' THEN tree.node ELSE '${empty}' END`;
  return `(WITH RECURSIVE tree(node, key, is_image) AS (SELECT ${replaced(sql.text(column), ESCAPE, " ")}::json, NULL::text, false
UNION ALL SELECT child.node, child.key, coalesce(tree.is_image OR tree.key = 'images', false) FROM tree, LATERAL (
SELECT value AS node, key FROM json_each(${only("object", "{}")})
UNION ALL SELECT value, NULL FROM json_array_elements(${only("array", "[]")})) AS child)
SELECT node #>> '{}' AS text FROM tree WHERE json_typeof(node) = 'string' AND NOT (is_image AND coalesce(key = 'data', false))) AS texts`;
}
