/** Where SQL is sent: a libsql server over HTTP, or a database file. */
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { createClient, type ResultSet } from "@libsql/client/http";
import { SourceError } from "../../errors.ts";

/** A column as SQLite gives it. Text that may hold broken bytes is packed or selected as a blob. */
export type SqlValue = string | number | bigint | ArrayBuffer | Uint8Array | null;
export type SqlRow = readonly SqlValue[];

export interface Database {
  /**
   * Runs the statements in one read transaction, in one round trip.
   * @returns the rows of each statement
   * @throws the first failure; nothing is known then of any statement
   */
  batch(statements: readonly string[], signal: AbortSignal): Promise<SqlRow[][]>;
  /**
   * Runs the statements in one read transaction, one after the other, so that one that fails spoils only itself.
   * @returns for each statement its rows or its error
   */
  separately(statements: readonly string[], signal: AbortSignal): Promise<(SqlRow[] | Error)[]>;
}

const rowsOf = (result: ResultSet): SqlRow[] =>
  result.rows.map((row) => Array.from({ length: result.columns.length }, (_, i) => row[i] as SqlValue));

/** @param url `libsql://`, `https://` or `http://` of a libsql server (Turso, sqld) */
function serverDatabase(url: string, authToken: string | undefined): Database {
  // The client keeps no connection of its own (fetch pools them), so each read makes one that holds its signal.
  const connect = (signal: AbortSignal) =>
    createClient({
      url,
      ...(authToken && { authToken }),
      intMode: "bigint",
      fetch: async (request: Request) => {
        // An answer is a few large texts: to pack and unpack them takes longer than to send them.
        request.headers.set("accept-encoding", "identity");
        const response = await fetch(request, { signal });
        if (response.ok) return response;
        // libsql says SERVER_ERROR for every status; the operator needs to know which it was.
        await response.body?.cancel();
        const mend = response.status === 401 || response.status === 403 ? ", check LIBSQL_AUTH_TOKEN" : "";
        throw new SourceError(`the server answered HTTP ${response.status}${mend}`);
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

type Answer = { id: number; results?: (SqlRow[] | { error: string })[]; error?: string };

/** @param url `file:` and a path */
function fileDatabase(url: string): Database {
  const path = url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length);
  let worker: Worker | undefined;
  let lastId = 0;

  function ask(statements: readonly string[], separately: boolean, signal: AbortSignal) {
    // The driver says only that it can not open the file.
    if (!statSync(path, { throwIfNoEntry: false })?.isFile())
      throw new SourceError(`there is no file ${path || "named"}, check LIBSQL_URL`);
    worker ??= new Worker(new URL("./file-worker.mjs", import.meta.url), {
      workerData: { url },
      // Some releases of Node call their SQLite experimental on stderr, which is a function's log.
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    const mine = worker;
    const id = ++lastId;
    return new Promise<(SqlRow[] | { error: string })[]>((resolve, reject) => {
      const stop = () => {
        if (worker === mine) worker = undefined;
        void mine.terminate();
        reject(signal.reason);
      };
      const onMessage = (answer: Answer) => {
        if (answer.id !== id) return;
        done();
        if (answer.results) resolve(answer.results);
        else reject(new Error(answer.error));
      };
      const onError = (error: Error) => {
        if (worker === mine) worker = undefined;
        done();
        reject(error);
      };
      const done = () => {
        signal.removeEventListener("abort", stop);
        mine.off("message", onMessage).off("error", onError).unref();
      };
      signal.addEventListener("abort", stop, { once: true });
      mine.on("message", onMessage).on("error", onError).ref();
      mine.postMessage({ id, statements, separately });
    });
  }
  return {
    batch: async (statements, signal) => (await ask(statements, false, signal)) as SqlRow[][],
    separately: async (statements, signal) =>
      (await ask(statements, true, signal)).map((r) => (Array.isArray(r) ? r : new Error(r.error))),
  };
}

/**
 * @param url `libsql://`, `https://`, `http://` (a libsql server) or `file:` (a database file)
 * @param authToken the server's token, where it asks for one
 */
export function openDatabase(url: string, authToken?: string): Database {
  return url.startsWith("file:") ? fileDatabase(url) : serverDatabase(url, authToken);
}
