/** A libsql server over HTTP, or a database file. */
import { createClient, type ResultSet } from "@libsql/client/http";
import { SourceError } from "../../errors.ts";
import { type FileOptions, fileDatabase } from "./file-database.ts";

/** A column of SQLite. Text that may hold broken bytes is packed or selected as a blob. */
export type SqlValue = string | number | bigint | ArrayBuffer | Uint8Array | null;
export type SqlRow = readonly SqlValue[];

export interface Database {
  /**
   * Runs the statements in one read transaction, in one round trip.
   * @returns the rows of each statement
   * @throws the first failure; no statement has an answer then
   */
  batch(statements: readonly string[], signal: AbortSignal): Promise<SqlRow[][]>;
  /**
   * Runs the statements in one read transaction, one after the other. One that fails does not stop the others.
   * @returns for each statement its rows or its error
   */
  separately(statements: readonly string[], signal: AbortSignal): Promise<(SqlRow[] | Error)[]>;
}

const rowsOf = (result: ResultSet): SqlRow[] =>
  result.rows.map((row) => Array.from({ length: result.columns.length }, (_, i) => row[i] as SqlValue));

/** @param url `libsql://`, `https://` or `http://` of a libsql server (Turso, sqld) */
function serverDatabase(url: string, authToken: string | undefined): Database {
  // The client keeps no connection (fetch pools them), so each read makes a client that holds its signal.
  const connect = (signal: AbortSignal) =>
    createClient({
      url,
      ...(authToken && { authToken }),
      intMode: "bigint",
      fetch: async (request: Request) => {
        // Compression costs more time than it saves: an answer is a few large texts.
        request.headers.set("accept-encoding", "identity");
        const response = await fetch(request, { signal });
        if (response.ok) return response;
        // libsql's own error is SERVER_ERROR for every status.
        await response.body?.cancel();
        const fix = response.status === 401 || response.status === 403 ? ", check LIBSQL_AUTH_TOKEN" : "";
        throw new SourceError(`the server answered HTTP ${response.status}${fix}`);
      },
    });
  return {
    batch: async (statements, signal) => (await connect(signal).batch([...statements], "read")).map(rowsOf),
    async separately(statements, signal) {
      const transaction = await connect(signal).transaction("read");
      try {
        const results: (SqlRow[] | Error)[] = [];
        for (const statement of statements)
          results.push(await transaction.execute(statement).then(rowsOf, (error: Error) => error));
        return results;
      } finally {
        transaction.close();
      }
    },
  };
}

/**
 * Opens a libsql server (`libsql://`, `https://` or `http://`) or a database file (`file:`).
 * @param authToken of the server
 * @param file how a file may be read
 */
export function openDatabase(url: string, authToken?: string, file?: FileOptions): Database {
  return url.startsWith("file:") ? fileDatabase(url, file) : serverDatabase(url, authToken);
}
