/** What is asked of SQLite alone: a libsql server, or a file. */
import type { Values } from "../config/variable.ts";
import type { sqlite } from "../sources/sqlite/sqlite.ts";
import {
  addressText,
  type BackendExamination,
  type DatabaseExamination,
  examineDatabase,
} from "./database.ts";
import type { Finding } from "./finding.ts";
import { PARTIAL_INDEXES, stepsOf } from "./plans.ts";
import { fileRights, serverRights } from "./rights.ts";

/** Examines an SQLite database. @throws where it can't be read at all */
export function examineSqlite(
  examination: DatabaseExamination,
  { url, authToken }: Values<(typeof sqlite)["variables"]>,
): Promise<Finding[]> {
  const { database, now, signal } = examination;
  const isFile = url!.startsWith("file:");
  const own: BackendExamination = {
    address: addressText(url!),
    server: async () => [],
    explain: (statement) => `EXPLAIN QUERY PLAN ${statement}`,
    partialIndexes: PARTIAL_INDEXES,
    stepsOf,
    rights: async () =>
      isFile ? [await fileRights(url!)] : await serverRights(database, authToken, now(), signal),
    clock: isFile ? null : "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
  };
  return examineDatabase(examination, own);
}
