// @ts-check
// Reads a database file in a thread of its own: the drivers block their thread, and a deadline can only cut
// what doesn't block the thread that keeps the time. Plain JavaScript, so that every loader can start it.
import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort;
if (!port) throw new Error("file-worker.mjs runs as a worker thread only");

/** A writer that commits holds the file for a moment: a tenth of a second at most, on a slow disk more. */
const LOCK_WAIT_MS = 2_000;

/**
 * Opens the file for each read: one that was put in its place meanwhile is another file.
 * @typedef {(statement: string) => unknown[][] | Promise<unknown[][]>} Execute
 * @typedef {<T>(work: (execute: Execute) => Promise<T>) => Promise<T>} Transaction
 */

/** @returns {Promise<Transaction>} */
async function libsqlDriver() {
  const { createClient } = await import("@libsql/client");
  return async (work) => {
    const client = createClient({ url: workerData.url, intMode: "bigint" });
    let transaction;
    try {
      const read = await client.transaction("read");
      transaction = read;
      return await work(async (statement) => {
        const { rows, columns } = await read.execute(statement);
        return rows.map((row) => Array.from({ length: columns.length }, (_, i) => row[i]));
      });
    } finally {
      // First: a client that is closed over a transaction keeps its lock, and the platform could not write.
      transaction?.close();
      client.close();
    }
  };
}

/** What a Lambda function has: Node's own SQLite, so that the bundle needs no native binary. @returns {Promise<Transaction>} */
async function nodeDriver() {
  const { DatabaseSync } = await import("node:sqlite");
  const { url } = workerData;
  const path = url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length);
  return async (work) => {
    const database = new DatabaseSync(path, { readOnly: true, timeout: LOCK_WAIT_MS });
    try {
      database.exec("BEGIN");
      return await work((text) => {
        const statement = database.prepare(text);
        statement.setReadBigInts(true);
        statement.setReturnArrays(true);
        return /** @type {any} */ (statement.all());
      });
    } finally {
      database.close();
    }
  };
}

/** @param {any} error */
const isMissing = (error) => error?.code === "ERR_MODULE_NOT_FOUND";
const driver = libsqlDriver().catch((error) => (isMissing(error) ? nodeDriver() : Promise.reject(error)));
// Whoever asks hears of it.
driver.catch(() => {});
const textOf = (/** @type {unknown} */ error) => String(error instanceof Error ? error.message : error);

port.on("message", async ({ id, statements, separately }) => {
  try {
    const transaction = await driver;
    const results = await transaction(async (execute) => {
      const done = [];
      for (const statement of statements) {
        try {
          done.push(await execute(statement));
        } catch (error) {
          if (!separately) throw error;
          done.push({ error: textOf(error) });
        }
      }
      return done;
    });
    port.postMessage({ id, results });
  } catch (error) {
    port.postMessage({ id, error: textOf(error) });
  }
});
