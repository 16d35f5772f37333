// @ts-check
// Reads a database file in a thread of its own: the native driver blocks its thread, and a deadline can only cut
// what doesn't block the thread that keeps the time. Plain JavaScript, so that every loader can start it.
import { parentPort, workerData } from "node:worker_threads";
import { createClient } from "@libsql/client";

const port = parentPort;
if (!port) throw new Error("file-worker.mjs runs as a worker thread only");
const client = createClient({ url: workerData.url, intMode: "bigint" });

/** @param {import("@libsql/client").ResultSet} result */
const plain = (result) =>
  result.rows.map((row) => Array.from({ length: result.columns.length }, (_, i) => row[i]));

port.on("message", async ({ id, statements, separately }) => {
  try {
    if (!separately) {
      port.postMessage({ id, results: (await client.batch(statements, "read")).map(plain) });
      return;
    }
    const transaction = await client.transaction("read");
    const results = [];
    for (const statement of statements) {
      try {
        results.push(plain(await transaction.execute(statement)));
      } catch (error) {
        results.push({ error: String(error instanceof Error ? error.message : error) });
      }
    }
    transaction.close();
    port.postMessage({ id, results });
  } catch (error) {
    port.postMessage({ id, error: String(error instanceof Error ? error.message : error) });
  }
});
