/** A database file, read by a process of its own that can be ended together with its lock. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SourceError } from "../../errors.ts";
import type { Database, SqlRow } from "../sql/database.ts";
import { SQLITE } from "./dialect.ts";

/**
 * With it, no commit should take a quarter of a second: the process needs some ms to end, a writer looks for the lock in
 * steps of up to 50 ms by then, and its commit takes time itself.
 */
export const LOCK_MS = 100;
/** A cold page cache, or a processor that is taken away, slows the first try only. */
const TRIES = 3;
const PAUSE_MS = 1_000;
/** How the process ends itself where it has held the platform's lock for too long. */
const HELD_TOO_LONG = "SIGALRM";

interface Reply {
  readonly results?: (SqlRow[] | { error: string })[];
  readonly error?: string;
  readonly isForOperator?: boolean;
}

export interface FileOptions {
  /** How long one read may keep the platform from committing, in rollback-journal mode. */
  readonly lockMs?: number;
  /** How long the platform is left alone after a read that held its lock for too long. */
  readonly pauseMs?: number;
}

function startReader(): ChildProcess {
  return fork(new URL("./file-process.mjs", import.meta.url), {
    // Nothing secret. Lambda's own Node may need the path of its libraries.
    // biome-ignore lint/style/noProcessEnv: this is no setting of the canary's
    env: process.env.LD_LIBRARY_PATH ? { LD_LIBRARY_PATH: process.env.LD_LIBRARY_PATH } : {},
    // Some releases of Node call their SQLite experimental on stderr, which is a function's log.
    execArgv: ["--disable-warning=ExperimentalWarning"],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

/** Only a read that waits keeps the canary's process alive: for its answer, and for the end of a reader that it killed. */
function keepAlive(reader: ChildProcess, isNeeded: boolean): void {
  const change = isNeeded ? "ref" : "unref";
  reader[change]();
  reader.channel?.[change]();
}

type Ask = (request: object, signal: AbortSignal) => Promise<Reply | null>;

/**
 * Makes the function that asks a process, which it starts when it is needed. A process takes one request at a time, so that
 * its end is the end of that one only. The function returns null where the process held the lock for too long and has ended.
 */
function processReader(): Ask {
  let kept: ChildProcess | undefined;

  function current(): ChildProcess {
    if (kept) return kept;
    const started = startReader();
    started.once("exit", () => {
      if (kept === started) kept = undefined;
    });
    kept = started;
    return started;
  }

  return async (request, signal) => {
    signal.throwIfAborted();
    const reader = current();
    const kill = () => reader.kill("SIGKILL");
    signal.addEventListener("abort", kill, { once: true });
    keepAlive(reader, true);
    const settled = new AbortController();
    try {
      const ended = once(reader, "exit", settled);
      const answered = once(reader, "message", settled).then(([reply]) => reply as Reply);
      // Where it can't be sent, the process has ended.
      reader.send(request, () => {});
      return await Promise.race([answered, ended.then(([code, cause]) => onEnd(cause ?? code, signal))]);
    } catch (error) {
      // One that could not be started has no exit.
      if (kept === reader) kept = undefined;
      kill();
      throw error;
    } finally {
      settled.abort();
      signal.removeEventListener("abort", kill);
      keepAlive(reader, false);
    }
  };
}

/** Takes the end of a process for an answer where it ended itself for the lock's sake. */
function onEnd(cause: string | number, signal: AbortSignal): null {
  signal.throwIfAborted();
  if (cause === HELD_TOO_LONG) return null;
  throw new SourceError(`the process that reads the file ended with ${cause}`);
}

/** The error of a reply. The system's own texts show the path. */
function errorOf({ error = "", isForOperator }: Reply): Error {
  if (error.startsWith("ENOENT")) return new SourceError("no such file");
  if (/^(EACCES|EPERM)/.test(error)) return new SourceError("no right to read the file");
  return new (isForOperator ? SourceError : Error)(error);
}

/** The path of a database file. @param url `file:` and a path */
export const pathOf = (url: string): string =>
  resolve(url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length));

/**
 * Opens a database file for reading. Nothing is written: no lock, journal or file is left, whatever ends a read.
 * @param url `file:` and a path
 */
export function fileDatabase(
  url: string,
  { lockMs = LOCK_MS, pauseMs = PAUSE_MS }: FileOptions = {},
): Database {
  const path = pathOf(url);
  const ask = processReader();
  let previous: Promise<unknown> = Promise.resolve();

  async function read(statements: readonly string[], separately: boolean, signal: AbortSignal) {
    for (let tries = 1; ; tries += 1) {
      const reply = await ask({ path, statements, separately, lockMs }, signal);
      if (reply?.results) return reply.results;
      if (reply) throw errorOf(reply);
      if (tries === TRIES)
        throw new SourceError(
          `each of ${TRIES} reads would have kept the platform from committing for over ${lockMs} ms and was ended: see with canary doctor which index is missing, put a libsql server in front of the file, or give a larger LIBSQL_LOCK_MS`,
        );
      await setTimeout(pauseMs, undefined, { signal });
    }
  }

  function inTurn(statements: readonly string[], separately: boolean, signal: AbortSignal) {
    const answer = previous.then(() => read(statements, separately, signal));
    previous = answer.catch(() => {});
    return answer;
  }
  return {
    sql: SQLITE,
    batch: async (statements, signal) => (await inTurn(statements, false, signal)) as SqlRow[][],
    separately: async (statements, signal) =>
      (await inTurn(statements, true, signal)).map((r) => (Array.isArray(r) ? r : new Error(r.error))),
  };
}
