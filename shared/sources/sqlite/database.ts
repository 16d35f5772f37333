/** A libsql server over HTTP, or a database file. */
import { createClient, type ResultSet } from "@libsql/client/http";
import { SourceError } from "../../errors.ts";
import { ask } from "../../http.ts";
import type { Database, SqlRow, SqlValue } from "../sql/database.ts";
import { SQLITE } from "./dialect.ts";
import { type FileOptions, fileDatabase } from "./file-database.ts";

const rowsOf = (result: ResultSet): SqlRow[] =>
  result.rows.map((row) => Array.from({ length: result.columns.length }, (_, i) => row[i] as SqlValue));

/** A healthy answer for 10,000 agents has 4 MB, and sqld refuses to give more than 10. */
const MAX_ANSWER_BYTES = 32_000_000;

/** What the client sends its requests with. */
function fetchFor(signal: AbortSignal) {
  let origin: string | undefined;
  return async (request: Request): Promise<Response> => {
    // An answer of the protocol can name another server for the next request, which would get the token.
    origin ??= new URL(request.url).origin;
    if (new URL(request.url).origin !== origin)
      throw new SourceError("the server names another address, which is not followed: check LIBSQL_URL");
    const { ok, status, headers, body } = await ask({
      url: request.url,
      method: request.method,
      headers: Object.fromEntries(request.headers),
      body: new Uint8Array(await request.arrayBuffer()),
      signal,
      maxBytes: MAX_ANSWER_BYTES,
      variable: "LIBSQL_URL",
    });
    if (ok) return new Response(body, { headers: { "content-type": headers["content-type"] ?? "" } });
    // libsql's own error is SERVER_ERROR for every status.
    const fix = status === 401 || status === 403 ? ", check LIBSQL_AUTH_TOKEN" : "";
    throw new SourceError(`the server answered HTTP ${status}${fix}`);
  };
}

/** @param url `libsql://`, `https://` or `http://` of a libsql server (Turso, sqld) */
function serverDatabase(url: string, authToken: string | undefined): Database {
  // The client keeps no connection (`ask` does, for one read), so each read makes a client that holds its signal.
  const connect = (signal: AbortSignal) =>
    createClient({ url, ...(authToken && { authToken }), intMode: "bigint", fetch: fetchFor(signal) });
  return {
    sql: SQLITE,
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
