// @ts-check
// The thread that runs the statements, in the process of file-process.mjs. Nothing here may write: neither the database nor
// a file beside it. Plain JavaScript, so that it is the same file in a bundle.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { parentPort, workerData } from "node:worker_threads";

const port = parentPort;
if (!port) throw new Error("file-worker.mjs runs as a worker thread only");

/** A writer that commits holds the file for a tenth of a second at most, on a slow disk for longer. */
const LOCK_WAIT_MS = 4_000;
/**
 * SQLite's own wait looks every 100 ms. On a slow disk, a writer that commits all the time leaves the file for some tenths
 * of a ms between two commits.
 */
const LOCK_STEP_MS = 0.5;
/** A value above this is an error of its statement. Longer ones need memory that a function may not have. */
const MAX_VALUE_BYTES = 100_000_000;
const MAX_ANSWER_BYTES = 64_000_000;
/** The file system's clock has steps of some ms: a change just before a look can't be told from one just after it. */
const CLOCK_STEP_MS = 100;

const READONLY = 8;
const HOT_JOURNAL = 776;
const BUSY = 5;

/** @type {{ lockedBy: Int32Array }} */
const { lockedBy } = workerData;
let reads = 0;

/** An error whose text says what to do. */
class Refusal extends Error {}

const textOf = (/** @type {unknown} */ error) => String(error instanceof Error ? error.message : error);
const stateOf = (/** @type {string} */ path) => statSync(path, { bigint: true, throwIfNoEntry: false });

/** Reads from the head whether the database is in WAL mode. The file must not be open: closing it drops its locks. */
function isInWalMode(/** @type {string} */ path) {
  const head = Buffer.alloc(20);
  const file = openSync(path, "r");
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return head.toString("latin1", 0, 15) === "SQLite format 3" && head[19] === 2;
}

/**
 * Says how the file can be opened without a write. In WAL mode a reader would create the two files beside the database
 * where they are missing, and recover them after a writer was killed: with `readonly_shm` it reads what is there, and
 * where there is nothing to read beside the database, `immutable` reads it without a lock.
 * @returns the query of SQLite's address for the file
 */
function modeOf(/** @type {string} */ path) {
  if (!isInWalMode(path)) return "";
  const [wal, shm] = [stateOf(`${path}-wal`), stateOf(`${path}-shm`)];
  if (!wal?.size) return "immutable=1";
  if (shm) return "readonly_shm=1";
  throw new Refusal(
    "the database is in WAL mode and its -shm file is missing, so only a writer can read its -wal file: let the platform open it, and make copies with VACUUM INTO",
  );
}

const codeOf = (/** @type {unknown} */ error) => /** @type {{ errcode?: number }} */ (error).errcode ?? 0;

/** @param {unknown} error of taking the lock */
function explained(error) {
  const code = codeOf(error);
  if (code === HOT_JOURNAL)
    return new Refusal(
      "a writer was cut off, and its journal has to be rolled back, which is a write: let the platform open the database",
    );
  if ((code & 0xff) === READONLY)
    return new Refusal(
      "the files beside the database can't be read without a write: let the platform open it",
    );
  if ((code & 0xff) === BUSY)
    return new Refusal(
      `the database is locked: a writer held it for ${LOCK_WAIT_MS} ms, see whether one hangs`,
    );
  return error;
}

const sleep = (/** @type {number} */ ms) =>
  void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Takes the lock of a reader, which the first read of a transaction does. */
function takeLock(/** @type {DatabaseSync} */ database) {
  const until = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      run(database, "PRAGMA schema_version");
      return;
    } catch (error) {
      const isBusy = (codeOf(error) & 0xff) === BUSY;
      if (!isBusy || performance.now() > until) throw explained(error);
      sleep(LOCK_STEP_MS);
    }
  }
}

/** @param {DatabaseSync} database @param {string} text */
function run(database, text) {
  const statement = database.prepare(text);
  statement.setReadBigInts(true);
  statement.setReturnArrays(true);
  return /** @type {unknown[][]} */ (/** @type {unknown} */ (statement.all()));
}

/** @param {unknown[][]} rows */
const bytesOf = (rows) =>
  rows
    .flat()
    .reduce(
      (/** @type {number} */ sum, cell) =>
        sum + (typeof cell === "string" ? cell.length : cell instanceof Uint8Array ? cell.length : 8),
      0,
    );

/**
 * Runs the statements, whose answers together have a limit.
 * @param {DatabaseSync} database
 * @param {Request} request
 */
function runAll(database, { statements, separately }) {
  let left = MAX_ANSWER_BYTES;
  return statements.map((text) => {
    try {
      const rows = run(database, text);
      left -= bytesOf(rows);
      if (left < 0) throw new Error(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
      return rows;
    } catch (error) {
      if (separately) return { error: `SQLite error: ${textOf(error)}` };
      throw new Error(`SQLite error: ${textOf(error)}`);
    }
  });
}

/**
 * Runs the statements in one read transaction. Opens the file each time: it may have been replaced by another one.
 * @param {Request} request
 * @param {string} mode
 */
function readIn(request, mode) {
  const address = `${pathToFileURL(request.path)}?${mode}`;
  const database = new DatabaseSync(address, { readOnly: true });
  try {
    // Node 22 has no such limit.
    if (database.limits) database.limits.length = MAX_VALUE_BYTES;
    database.exec("BEGIN");
    takeLock(database);
    // Readers of a database in WAL mode keep nobody waiting.
    if (mode === "") {
      reads += 1;
      Atomics.store(lockedBy, 0, reads);
      port?.postMessage({ locked: { read: reads, atMostMs: request.lockMs } });
    }
    return runAll(database, request);
  } finally {
    database.close();
    Atomics.store(lockedBy, 0, 0);
  }
}

/**
 * Reads the file in the mode that it is in. Where no lock keeps writers away, what was read counts only if the file has
 * not changed meanwhile.
 * @param {Request} request
 */
function read(request) {
  const { path } = request;
  for (;;) {
    const before = stateOf(path);
    if (!before?.isFile()) throw new Refusal(`there is no file ${path}, check LIBSQL_URL`);
    const mode = modeOf(path);
    if (mode !== "immutable=1") return readIn(request, mode);
    const isSettled = Math.abs(Date.now() - Number(before.mtimeMs)) > CLOCK_STEP_MS;
    const results = isSettled ? readIn(request, mode) : null;
    const after = stateOf(path);
    if (
      results &&
      after?.mtimeNs === before.mtimeNs &&
      after.size === before.size &&
      after.ino === before.ino
    )
      return results;
    // The deadline ends a wait that takes too long.
    sleep(CLOCK_STEP_MS);
  }
}

/** @typedef {{ path: string, statements: string[], separately: boolean, lockMs: number }} Request */
port.on("message", (/** @type {Request} */ request) => {
  try {
    port.postMessage({ reply: { results: read(request) } });
  } catch (error) {
    const code = /** @type {{ code?: string }} */ (error).code;
    const text = code === "EACCES" ? `no permission to read ${request.path}` : textOf(error);
    port.postMessage({
      reply: { error: text, isForOperator: error instanceof Refusal || code === "EACCES" },
    });
  }
});
