/** What is asked of a PostgreSQL alone: its version, TLS, its role and what that may do. */
import type { Values } from "../config/variable.ts";
import type { postgres } from "../sources/postgres/postgres.ts";
import { runner } from "../sources/sql/reader.ts";
import { rowsOf, textOf } from "../sources/sql/rows.ts";
import { type BackendExamination, type DatabaseExamination, examineDatabase } from "./database.ts";
import { type Finding, note, ok, warning } from "./finding.ts";
import { POSTGRES_PARTIAL_INDEXES, postgresSteps } from "./postgres-plans.ts";
import {
  CREATABLE,
  deniedFindings,
  HIDDEN,
  hiddenFindings,
  ROLE,
  roleRights,
  WRITE_RIGHTS,
} from "./postgres-rights.ts";

const OLDEST = 13;

const SERVER =
  "SELECT current_setting('server_version'), current_setting('server_version_num')::int / 10000, pg_is_in_recovery()::int";
/** The role of a canary needs no right to this table: it is asked only where it has it. */
const MIGRATION = `SELECT version_num FROM alembic_version`;

const NOW = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The address with its user and without its password and parameters. */
function addressText(url: string): string {
  const { protocol, username, host, pathname } = new URL(url);
  return `${protocol}//${username ? `${username}@` : ""}${host}${pathname}`;
}

const tlsFinding = (url: string): Finding =>
  new URL(url).searchParams.get("sslmode") === "disable"
    ? note(
        "TLS",
        "none (sslmode=disable): password and answers go in the clear, which is for this machine or a private network",
      )
    : ok("TLS", "the server's certificate and its name are verified");

async function serverFindings({ database, signal }: DatabaseExamination, url: string): Promise<Finding[]> {
  const [server, migration] = await runner(database)([SERVER, MIGRATION], signal);
  const [version, major, isReplica] = (rowsOf(server)[0] ?? []).map(textOf);
  const revision = Array.isArray(migration) ? textOf(migration[0]?.[0]) : null;
  return [
    Number(major) < OLDEST
      ? warning("server", `PostgreSQL ${version}: ${OLDEST} is the oldest that the canary is made for`)
      : ok("server", `PostgreSQL ${version}`),
    tlsFinding(url),
    ...(isReplica === "1"
      ? [note("replica", "the server is a standby: where its rows come late, a healthy platform looks red")]
      : []),
    ...(revision ? [note("migration", `alembic_version is ${revision}`)] : []),
  ];
}

/** Examines a PostgreSQL database. @throws where it can't be read at all */
export function examinePostgres(
  examination: DatabaseExamination,
  { url }: Values<(typeof postgres)["variables"]>,
): Promise<Finding[]> {
  const { database, signal } = examination;
  const own: BackendExamination = {
    address: addressText(url!),
    server: () => serverFindings(examination, url!),
    explain: (statement) => `EXPLAIN (FORMAT JSON) ${statement}`,
    partialIndexes: POSTGRES_PARTIAL_INDEXES,
    stepsOf: postgresSteps,
    async rights(schema, facts) {
      const [own, writes, creatable, hidden] = await runner(database)(
        [ROLE, WRITE_RIGHTS, CREATABLE, HIDDEN],
        signal,
      );
      const { role, findings } = roleRights(rowsOf(own), rowsOf(writes), rowsOf(creatable));
      return [
        ...findings,
        ...deniedFindings(schema, facts, role),
        ...hiddenFindings(schema, rowsOf(hidden), role),
      ];
    },
    clock: NOW,
  };
  return examineDatabase(examination, own);
}
