/** What a role of PostgreSQL may do, from the catalogue: nothing is tried out. */
import type { SqlRow } from "../sources/sql/database.ts";
import { lookedFor } from "../sources/sql/looked-for.ts";
import type { SqlFactName } from "../sources/sql/reader.ts";
import { textOf } from "../sources/sql/rows.ts";
import type { Schema } from "../sources/sql/schema.ts";
import { EXECUTIONS } from "../sources/sql/values.ts";
import { listed } from "../text.ts";
import { type Finding, note, ok, warning } from "./finding.ts";

const TOPIC = "rights";
/** Where the docs say how a role is made that may only read. */
const HOW = "docs/operations.md#postgresql";
const SHOWN = 5;

const OWN_SCHEMAS = "n.nspname !~ '^(pg_|information_schema$)'";

/** Selects each right to write into a table, in any schema. */
export const WRITE_RIGHTS = `SELECT p.name, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) p(name)
WHERE c.relkind IN ('r', 'p') AND ${OWN_SCHEMAS} AND CASE WHEN p.name IN ('INSERT', 'UPDATE')
THEN has_any_column_privilege(c.oid, p.name) ELSE has_table_privilege(c.oid, p.name) END ORDER BY c.relname, p.name`;

/** Selects the role, whether it is a superuser, what it may create, and whether it owns a table or a schema. */
export const ROLE = `SELECT current_user::text, r.rolsuper::int, r.rolcreaterole::int, r.rolcreatedb::int,
has_database_privilege(current_database(), 'CREATE')::int,
(EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE ${OWN_SCHEMAS} AND (n.nspowner = r.oid
OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid AND c.relowner = r.oid))))::int
FROM pg_catalog.pg_roles r WHERE r.rolname = current_user`;

const GRANTS_CREATE = (grantee: string) =>
  `EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.privilege_type = 'CREATE' AND a.grantee = ${grantee})::int`;

/** Selects each schema in which the role may create tables: its owner, whether everyone may, whether the role itself was granted it, and whose the platform's tables are. */
export const CREATABLE = `SELECT quote_ident(n.nspname), quote_ident(pg_get_userbyid(n.nspowner)), ${GRANTS_CREATE("0")}, ${GRANTS_CREATE("r.oid")},
(SELECT quote_ident(pg_get_userbyid(c.relowner)) FROM pg_catalog.pg_class c WHERE c.relname = '${EXECUTIONS}' AND c.relkind IN ('r', 'p')
ORDER BY pg_catalog.pg_table_is_visible(c.oid) DESC LIMIT 1)
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.rolname = current_user
WHERE ${OWN_SCHEMAS} AND has_schema_privilege(n.oid, 'CREATE') ORDER BY n.nspname`;

/** Selects the schema of the platform's tables where the role does not look for them, and whether it may. */
export const HIDDEN = `SELECT quote_ident(n.nspname), has_schema_privilege(n.oid, 'USAGE')::int FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = 'agent_ownership' AND c.relkind IN ('r', 'p', 'v') AND NOT pg_catalog.pg_table_is_visible(c.oid)`;

export interface RoleRights {
  /** Quoted as SQL wants it. */
  readonly role: string;
  readonly findings: readonly Finding[];
}

const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;
const quoted = (name: string) => (PLAIN_NAME.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

/** Says what of the tables may be written. */
function writingFinding(role: string, rows: readonly SqlRow[]): Finding[] {
  const byTable = new Map<string, string[]>();
  for (const row of rows) {
    const [right, table] = [textOf(row[0]) ?? "", textOf(row[1]) ?? ""];
    byTable.set(table, [...(byTable.get(table) ?? []), right]);
  }
  if (byTable.size === 0) return [];
  const texts = [...byTable].map(([table, rights]) => `${rights.join(", ")} on ${table}`);
  return [
    warning(
      TOPIC,
      `${role} may write, which the canary never does (${listed(texts, SHOWN)}): use a role that may only read (${HOW})`,
    ),
  ];
}

/**
 * Says in which schemas the role may create tables. What everyone may is no fault of the role. To take it from everyone would
 * take it from the platform, too: its role is granted it first.
 * @param isReader it writes nothing and owns nothing, so that a REVOKE takes nothing from the platform
 */
function creatingFindings(role: string, rows: readonly SqlRow[], isReader: boolean): Finding[] {
  return rows.flatMap((row) => {
    const [schema, owner, isEveryones, isGranted, platform] = row.map(textOf);
    const may = `${role} may create tables in ${schema}`;
    if (!isReader) return [warning(TOPIC, `${may}: use a role that may only read (${HOW})`)];
    const own =
      isGranted === "1"
        ? [warning(TOPIC, `${may}: REVOKE CREATE ON SCHEMA ${schema} FROM ${role}`)]
        : isEveryones === "1"
          ? []
          : [warning(TOPIC, `${may}, as a member of another role: use a role that may only read (${HOW})`)];
    if (isEveryones !== "1") return own;
    const everyones = `everyone may create tables in ${schema}, which is PostgreSQL's default up to 14; the canary creates nothing`;
    const ending = `To end it, run by the schema's owner (${owner}), the platform's role first: GRANT CREATE ON SCHEMA ${schema} TO ${platform}; REVOKE CREATE ON SCHEMA ${schema} FROM PUBLIC`;
    return [...own, note(TOPIC, platform ? `${everyones}. ${ending}` : everyones)];
  });
}

/**
 * Says who the canary is, and what it could write or create.
 * @param writes of `WRITE_RIGHTS`
 * @param creatable of `CREATABLE`
 */
export function roleRights(
  [row]: readonly SqlRow[],
  writes: readonly SqlRow[],
  creatable: readonly SqlRow[],
): RoleRights {
  const [name, isSuper, makesRoles, makesDatabases, makesSchemas, ownsSome] = (row ?? []).map(textOf);
  const role = quoted(name ?? "");
  if (isSuper === "1")
    return {
      role,
      findings: [
        warning(
          TOPIC,
          `${role} is a superuser, and may do everything: use a role that may only read (${HOW})`,
        ),
      ],
    };
  const makes = [
    ...(makesRoles === "1" ? ["roles"] : []),
    ...(makesDatabases === "1" ? ["databases"] : []),
    ...(makesSchemas === "1" ? ["schemas"] : []),
  ];
  const isReader = writes.length === 0 && ownsSome !== "1";
  const found = [
    ...writingFinding(role, writes),
    ...(makes.length > 0
      ? [warning(TOPIC, `${role} may create ${makes.join(", ")}: use a role that may only read (${HOW})`)]
      : []),
    ...creatingFindings(role, creatable, isReader),
  ];
  const isFine = found.every(({ level }) => level === "note");
  return { role, findings: isFine ? [ok(TOPIC, `${role} may not write`), ...found] : found };
}

/** Says what of the tables may not be read that is looked for, with the line that grants it. */
export function deniedFindings(schema: Schema, facts: readonly SqlFactName[], role: string): Finding[] {
  const columns = new Map<string, Set<string>>();
  for (const { table, column } of facts.flatMap((fact) => lookedFor(fact, schema.sql))) {
    if (schema.isDenied(table, null)) columns.set(table, new Set());
    else if (column !== null && schema.isDenied(table, column))
      columns.set(table, (columns.get(table) ?? new Set()).add(column));
  }
  return [...columns].sort().map(([table, denied]) => {
    const names = [...denied].sort().join(", ");
    return warning(
      TOPIC,
      denied.size === 0
        ? `${role} may not read ${table}: GRANT SELECT ON ${table} TO ${role}`
        : `${role} may not read ${names} of ${table}: GRANT SELECT (${names}) ON ${table} TO ${role}`,
    );
  });
}

/** Says where the platform's tables are, if the role does not see them by their names. */
export function hiddenFindings(schema: Schema, rows: readonly SqlRow[], role: string): Finding[] {
  if (schema.hasTable("agent_ownership")) return [];
  return rows.map((row) => {
    const [name, mayUse] = row.map(textOf);
    const fix = [
      ...(mayUse === "1" ? [] : [`GRANT USAGE ON SCHEMA ${name} TO ${role}`]),
      ...(name === "public" ? [] : [`ALTER ROLE ${role} SET search_path = ${name}`]),
    ];
    return warning(TOPIC, `${role} does not see the tables of the schema ${name}: ${fix.join("; ")}`);
  });
}
