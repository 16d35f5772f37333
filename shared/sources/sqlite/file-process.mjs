// @ts-check
// The process that reads a database file. A statement in native code can't be stopped, and its lock on the file keeps the
// platform from committing: only the end of a process gives both up at once. The statements run in a worker thread; this
// thread has nothing else to do than to end the process in time. Plain JavaScript, so that it is the same file in a bundle.
import { Worker } from "node:worker_threads";

/** The number of the read that holds a lock on the file; 0 for none. */
const lockedBy = new Int32Array(new SharedArrayBuffer(4));
const worker = new Worker(new URL("./file-worker.mjs", import.meta.url), { workerData: { lockedBy } });

/** A canary that is no longer used, in a process that goes on, leaves its reader behind. The next read starts another. */
const IDLE_MS = 15 * 60_000;

/** The kernel ends the process at once: `process.exit` would wait for the thread. */
const end = (/** @type {NodeJS.Signals} */ signal) => process.kill(process.pid, signal);

// The canary has ended, or was killed.
process.on("disconnect", () => end("SIGKILL"));
worker.on("error", (error) => {
  console.error(error);
  end("SIGKILL");
});
// Ctrl-C reaches the whole group of processes: when this one ends is for the canary to say.
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(signal, () => {});

const idle = setTimeout(() => end("SIGKILL"), IDLE_MS);
process.on("message", (request) => {
  idle.refresh();
  worker.postMessage(request);
});
worker.on("message", ({ locked, reply }) => {
  if (reply) {
    process.send?.(reply);
    return;
  }
  // The signal says why: the canary tries such a read again.
  setTimeout(() => {
    if (Atomics.load(lockedBy, 0) === locked.read) end("SIGALRM");
  }, locked.atMostMs);
});
