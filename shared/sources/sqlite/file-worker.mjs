// @ts-check
// Reads a database file in a thread of its own: the driver blocks its thread, and a deadline can only cut
// what doesn't block the thread that keeps the time. Plain JavaScript, so that it is the same file in a bundle.
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort;
if (!port) throw new Error("file-worker.mjs runs as a worker thread only");

/** A writer that commits holds the file for a moment: a tenth of a second at most, on a slow disk more. */
const LOCK_WAIT_MS = 2_000;

/** @type {string} */
const url = workerData.url;
const path = url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length);
const textOf = (/** @type {unknown} */ error) => String(error instanceof Error ? error.message : error);

/**
 * Runs the statements in one read transaction. The file is opened for each: it may have been replaced by another one.
 * @param {string[]} statements
 * @param {boolean} separately whether a statement that fails gives its error and spoils no other
 */
function read(statements, separately) {
  const database = new DatabaseSync(path, { readOnly: true, timeout: LOCK_WAIT_MS });
  try {
    database.exec("BEGIN");
    return statements.map((text) => {
      try {
        const statement = database.prepare(text);
        statement.setReadBigInts(true);
        statement.setReturnArrays(true);
        return statement.all();
      } catch (error) {
        if (!separately) throw error;
        return { error: textOf(error) };
      }
    });
  } finally {
    database.close();
  }
}

port.on("message", ({ id, statements, separately }) => {
  try {
    port.postMessage({ id, results: read(statements, separately) });
  } catch (error) {
    port.postMessage({ id, error: textOf(error) });
  }
});
