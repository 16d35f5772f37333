/** One database for many writers: writes that arrive together share a transaction, and a locked database is tried again. */
import { setTimeout as wait } from "node:timers/promises";
import { createClient, type InValue, LibsqlError } from "@libsql/client/http";
import { type Backend, openDatabaseFile, type SqlClient, type SqlResult } from "./file-client.ts";
import { type Change, type Journal, steadyNow } from "./journal.ts";
import { isConflict, openPostgres } from "./postgres-client.ts";

export interface Statement {
  readonly sql: string;
  readonly args: readonly InValue[];
}

export interface PlatformDatabase<C = Change> {
  readonly backend: Backend;
  read(sql: string, args?: readonly InValue[]): Promise<SqlResult["rows"]>;
  /**
   * Runs the statements: all take effect, or none.
   * @param changes derives from the answers what was changed, for the journal
   * @returns the answer to each statement
   */
  write(
    statements: readonly Statement[],
    changes: (answers: readonly SqlResult[]) => readonly C[],
  ): Promise<readonly SqlResult[]>;
}

interface Waiting<C> {
  readonly statements: readonly Statement[];
  readonly changes: (answers: readonly SqlResult[]) => readonly C[];
  readonly resolve: (answers: readonly SqlResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/** How long another connection may hold the file before a write fails. */
const PATIENCE_MS = 10_000;
const TRY_AGAIN_MS = 5;
/** The driver blocks the process while it waits for a lock, so it waits no longer than a usual write takes. */
const BUSY_TIMEOUT_MS = 50;

/**
 * Opens the platform's database for its writers.
 * @param url `file:` and a path, a libsql server, or `postgres://` with the password
 */
export async function openPlatformDatabase(url: string): Promise<SqlClient> {
  if (/^postgres(ql)?:/.test(url)) return openPostgres(url);
  if (!url.startsWith("file:")) return createClient({ url });
  const client = openDatabaseFile(url, BUSY_TIMEOUT_MS);
  await client.execute("PRAGMA journal_mode = WAL");
  // Each commit would wait for the disk, to survive a crash of the machine: nothing here has to.
  await client.execute("PRAGMA synchronous = NORMAL");
  return client;
}

const [SQLITE_BUSY, SQLITE_LOCKED] = [5, 6];

function isBusy(error: unknown): boolean {
  if (isConflict(error)) return true;
  if (error instanceof LibsqlError) return /^SQLITE_(BUSY|LOCKED)/.test(error.code);
  // The low byte of SQLite's code is its primary code.
  const primary = Number((error as { errcode?: number }).errcode) & 0xff;
  return primary === SQLITE_BUSY || primary === SQLITE_LOCKED;
}

async function retried<T>(work: () => Promise<T>): Promise<T> {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAtMs) throw error;
      await wait(TRY_AGAIN_MS);
    }
  }
}

/**
 * Lets many tasks share a client. Writes that wait at the same time go into one transaction. Each task still waits for
 * its write before the next, so the order that a reader sees stays the same.
 * @param client of `openPlatformDatabase`; no other code may hold a transaction open on it
 * @param journal records the changes
 */
export function platformDatabase<C = Change>(client: SqlClient, journal: Journal<C>): PlatformDatabase<C> {
  let waiting: Waiting<C>[] = [];
  let isFlushing = false;

  const send = (statements: readonly Statement[]) =>
    retried(() =>
      client.batch(
        statements.map(({ sql, args }) => ({ sql, args: [...args] })),
        "write",
      ),
    );

  async function commit(group: readonly Waiting<C>[]): Promise<void> {
    const sentAtMs = steadyNow();
    try {
      const answers = await send(group.flatMap(({ statements }) => statements));
      const ackedAtMs = steadyNow();
      let from = 0;
      for (const { statements, changes, resolve, reject } of group) {
        const own = answers.slice(from, from + statements.length);
        from += statements.length;
        try {
          for (const change of changes(own)) journal.record({ ...change, sentAtMs, ackedAtMs });
          resolve(own);
        } catch (error) {
          reject(error);
        }
      }
    } catch (error) {
      // One failed statement fails the whole transaction: written alone, each write fails only for itself.
      if (group.length === 1) group[0]!.reject(error);
      else for (const one of group) await commit([one]);
    }
  }

  async function flush(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      await commit(group);
    }
    isFlushing = false;
  }

  return {
    backend: client.backend ?? "sqlite",
    read: async (sql, args = []) => (await retried(() => client.execute({ sql, args: [...args] }))).rows,
    write: (statements, changes) =>
      new Promise((resolve, reject) => {
        waiting.push({ statements, changes, resolve, reject });
        if (isFlushing) return;
        isFlushing = true;
        setImmediate(() => void flush());
      }),
  };
}
