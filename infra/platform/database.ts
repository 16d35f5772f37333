/** SQL of many writers at once: one transaction for all that was asked for meanwhile, and patience with locks. */
import { setTimeout as wait } from "node:timers/promises";
import { createClient, type InValue, LibsqlError } from "@libsql/client/http";
import { openDatabaseFile, type SqlClient, type SqlResult } from "./file-client.ts";
import { type Change, type Journal, steadyNow } from "./journal.ts";

export interface Statement {
  readonly sql: string;
  readonly args: readonly InValue[];
}

export interface Database<C = Change> {
  /** @returns the rows */
  read(sql: string, args?: readonly InValue[]): Promise<SqlResult["rows"]>;
  /**
   * Makes the statements' changes all or not at all.
   * @param changes what they changed, by their answers: told to the journal
   * @returns the answer of each
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

/** Another connection may hold the file this long before a write is given up. */
const PATIENCE_MS = 10_000;
const TRY_AGAIN_MS = 5;
/** Nothing else runs while the driver waits for a lock: long enough for another's usual write, no longer. */
const BUSY_TIMEOUT_MS = 50;

/**
 * Opens the platform's database as one writer should.
 * @param url `file:` and a path, or a libsql server
 */
export async function openPlatformDatabase(url: string): Promise<SqlClient> {
  if (!url.startsWith("file:")) return createClient({ url });
  const client = openDatabaseFile(url, BUSY_TIMEOUT_MS);
  await client.execute("PRAGMA journal_mode = WAL");
  // What a crash of the machine loses is of no use here. Without this, each commit waits for the disk.
  await client.execute("PRAGMA synchronous = NORMAL");
  return client;
}

const [SQLITE_BUSY, SQLITE_LOCKED] = [5, 6];

function isBusy(error: unknown): boolean {
  if (error instanceof LibsqlError) return /^SQLITE_(BUSY|LOCKED)/.test(error.code);
  // The low byte is the primary code of what Node's SQLite answered.
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
 * Lets many tasks share a client. What they ask to write in the same moment goes in one transaction: each still waits
 * for its own write before it makes the next, so that no order that a reader could see is changed.
 * @param client of `openPlatformDatabase`; nobody else may hold a transaction open on it
 * @param journal told the changes
 */
export function platformDatabase<C = Change>(client: SqlClient, journal: Journal<C>): Database<C> {
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
      // One statement that fails takes the transaction with it: alone, each spoils only itself.
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
