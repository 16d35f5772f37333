/** Which database the variables name, for what needs nothing else of them. */
import type { Backend } from "../sources/sql/dialect.ts";
import type { Environment } from "./reader.ts";
import { REMOTE } from "./remote.ts";
import { NONE } from "./source-variables.ts";

/** The variable that names the platform's database, where it has that backend. */
export const DATABASE_VARIABLES: Readonly<Record<Backend, string>> = {
  sqlite: "LIBSQL_URL",
  postgres: "DATABASE_URL",
};

/** Returns the backend of the database that is named; null where none or both are, or a canary elsewhere, which has its own. */
export function namedDatabase(env: Environment = process.env): Backend | null {
  const given = (name: string) => env[name]?.trim() || NONE;
  if (given(REMOTE.url.name) !== NONE) return null;
  const named = (["sqlite", "postgres"] as const).filter(
    (backend) => given(DATABASE_VARIABLES[backend]) !== NONE,
  );
  return named.length === 1 ? named[0]! : null;
}
