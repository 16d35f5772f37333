/** SQLite: a libsql server, or a database file. */
import { DATABASE_VARIABLES } from "../../config/named-database.ts";
import { address, NONE } from "../../config/source-variables.ts";
import { token, type Values, wholeNumber } from "../../config/variable.ts";
import { placeOf } from "../../errors.ts";
import type { SourceSpec } from "../source.ts";
import type { Database } from "../sql/database.ts";
import { SQL_FACTS, sqlReader } from "../sql/reader.ts";
import { openDatabase } from "./database.ts";
import { LOCK_MS } from "./file-database.ts";

const SQLITE = {
  url: address(
    DATABASE_VARIABLES.sqlite,
    "the platform's database: `libsql://`, `https://` or `http://` of a libsql server (Turso, sqld), or `file:` and the path of a database file",
    {
      schemes: ["libsql:", "https:", "http:", "file:"],
      example: "libsql://db.example.com or file:/data/trinity.db",
    },
  ),
  authToken: token("LIBSQL_AUTH_TOKEN", "the libsql server's token, where it asks for one"),
  lockMs: wholeNumber(
    "LIBSQL_LOCK_MS",
    "how long one read of a database file in rollback-journal mode may keep the platform from committing; one that would take longer is ended, and tried again",
    { fallback: LOCK_MS, range: [10, 60_000] },
  ),
};

/** Opens the database that is named. Returns null where none is. */
export const openNamed = ({ url, authToken, lockMs }: Values<typeof SQLITE>): Database | null =>
  url === null || url === NONE ? null : openDatabase(url, authToken ?? undefined, { lockMs });

export const sqlite = {
  name: "sqlite",
  gives: SQL_FACTS,
  variables: SQLITE,
  place: ({ url }) => (url === null ? null : placeOf(url, SQLITE.url.name)),
  configure({ url }, { database }) {
    if (url === NONE) return "off";
    return url === null || database === null ? "not configured" : sqlReader("sqlite", database);
  },
} as const satisfies SourceSpec<typeof SQLITE>;
