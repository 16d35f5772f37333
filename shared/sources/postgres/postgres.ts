/** PostgreSQL. */
import { authority, NONE } from "../../config/source-variables.ts";
import { text, type Values } from "../../config/variable.ts";
import { placeOf } from "../../errors.ts";
import type { SourceContext, SourceSpec } from "../source.ts";
import type { Database } from "../sql/database.ts";
import { SQL_FACTS, sqlReader } from "../sql/reader.ts";
import { parseAddress, postgresAddress } from "./address.ts";
import { openPostgres } from "./database.ts";
import { CA_VARIABLE, PASSWORD_VARIABLE, URL_VARIABLE } from "./errors.ts";

const POSTGRES = {
  url: postgresAddress(
    URL_VARIABLE,
    "the platform's database, where it is a PostgreSQL: `postgres://<user>@<host>:<port>/<database>`. `?sslmode=verify-full` is the default, and `?sslmode=disable` is for a private network. Either this or `LIBSQL_URL` is set",
  ),
  password: text(PASSWORD_VARIABLE, "the password of its user; it counts before one in the address", {
    secret: true,
  }),
  ca: authority(
    CA_VARIABLE,
    "the CA that signed the server's certificate, where the system does not know it: a PEM or a path",
  ),
};

/** A table that a migration holds locked keeps a read for so long. */
const LOCK_MS = 2_000;

/** Opens the database that is named. Returns null where none is. */
export function openNamed(
  { url, password, ca }: Values<typeof POSTGRES>,
  { sourceDeadlineMs }: SourceContext["cycle"],
): Database | null {
  if (url === null || url === NONE) return null;
  // A slow statement leaves the others their time, also where it has to be read a second time.
  const statementMs = Math.ceil(sourceDeadlineMs / 5);
  return openPostgres(parseAddress(url, password, ca), {
    statementMs,
    lockMs: Math.min(LOCK_MS, Math.ceil(statementMs / 2)),
  });
}

export const postgres = {
  name: "postgres",
  gives: SQL_FACTS,
  variables: POSTGRES,
  place: ({ url }) => (url === null ? null : placeOf(url, URL_VARIABLE)),
  configure({ url }, { database }) {
    if (database === null) return url === NONE ? "off" : "not configured";
    return url === null || url === NONE ? "not configured" : sqlReader("postgres", database);
  },
} as const satisfies SourceSpec<typeof POSTGRES>;
