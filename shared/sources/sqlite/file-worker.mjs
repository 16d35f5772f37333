// @ts-check
// Reads a database file in a separate thread: the driver blocks its thread, and a deadline needs one that is not blocked.
// Plain JavaScript, so that it is the same file in a bundle.
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort;
if (!port) throw new Error("file-worker.mjs runs as a worker thread only");

/** A writer that commits holds the file for a tenth of a second at most, on a slow disk for longer. */
const LOCK_WAIT_MS = 2_000;

/** @type {{ path: string }} */
const { path } = workerData;
const textOf = (/** @type {unknown} */ error) => String(error instanceof Error ? error.message : error);

/**
 * Runs the statements in one read transaction. Opens the file each time: it may have been replaced by another one.
 * @param {string[]} statements
 * @param {boolean} separately whether a statement that fails returns its error, and the others go on
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

port.on("message", ({ reply, statements, separately }) => {
  try {
    reply.postMessage({ results: read(statements, separately) });
  } catch (error) {
    reply.postMessage({ error: textOf(error) });
  }
});
