/** PostgreSQL as the platform's database: one connection, and each read one transaction in one round trip. */
import type { Database, SqlRow } from "../sql/database.ts";
import { knownTables } from "../sql/reader.ts";
import type { Address } from "./address.ts";
import { type Connection, openConnection, type Rows } from "./connection.ts";
import { POSTGRES, visible } from "./dialect.ts";
import {
  connectionError,
  isOfStatement,
  LostConnection,
  RewrittenTable,
  statementError,
  URL_VARIABLE,
} from "./errors.ts";

export interface Patience {
  /** How long one statement may take. */
  readonly statementMs: number;
  /** How long one statement may wait for a table that is locked. */
  readonly lockMs: number;
}

/** A connection that has been idle is dead where it has not answered by then. A frozen function does not notice the end. */
const ALIVE_MS = 1_000;

const setLocal = (settings: Readonly<Record<string, string | number>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `SET LOCAL ${name} = ${value}`)
    .join("; ");

/**
 * The planner takes an index where there is one, and its order, also before it has statistics, as just after a migration. The
 * server compiles nothing and starts no worker.
 */
export const PLANNER = setLocal({
  enable_seqscan: "off",
  enable_sort: "off",
  jit: "off",
  max_parallel_workers_per_gather: 0,
});

/**
 * What a read begins with. All of it ends with the transaction, so that a pooler may give the session to others. A database in
 * SQL_ASCII may hold any bytes: they are not converted there.
 */
const begin = ({ statementMs, lockMs }: Patience): string =>
  [
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    PLANNER,
    setLocal({
      statement_timeout: statementMs,
      lock_timeout: lockMs,
      // Rows that a policy hides would be missing without a word: the statement is to fail.
      row_security: "off",
      idle_in_transaction_session_timeout: statementMs,
      // A backend that sends to a function which is gone waits for it, in no statement, and holds VACUUM up.
      tcp_user_timeout: statementMs,
      standard_conforming_strings: "on",
      timezone: "'UTC'",
      datestyle: "'ISO'",
    }),
    "SELECT set_config('client_encoding', CASE current_setting('server_encoding') WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END, true)",
    "SAVEPOINT before",
  ].join("; ");

/** A statement that failed before this one is forgotten. */
const afterAny = (statement: string): string => `ROLLBACK TO SAVEPOINT before; ${statement}`;

/**
 * Selects the platform's tables that were rewritten or truncated after this transaction's snapshot. The transaction finds no rows
 * in such a table, not even those that the snapshot has. The catalog as of the snapshot names the old file, and the function the
 * present one. Where one is a view or has partitions, its rows are in tables of other names: then all tables count.
 */
const rewritten = (): string => {
  const known = visible(knownTables(POSTGRES));
  return afterAny(`SELECT t.relname FROM pg_catalog.pg_class t JOIN pg_catalog.pg_namespace s ON s.oid = t.relnamespace
WHERE t.relkind IN ('r', 'm') AND s.nspname !~ '^(pg_|information_schema$)'
AND (t.oid IN (SELECT c.oid FROM ${known}) OR EXISTS (SELECT FROM ${known} AND c.relkind <> 'r'))
AND t.relfilenode <> pg_catalog.pg_relation_filenode(t.oid)`);
};

/** All statements together wait for locks about as long as one may. */
const LEAST_LOCK_MS = 20;
const withOwnLock = (statement: string, lockMs: number, among: number): string =>
  afterAny(`SET LOCAL lock_timeout = ${Math.max(LEAST_LOCK_MS, Math.ceil(lockMs / among))}; ${statement}`);

type Settled = readonly PromiseSettledResult<readonly Rows[]>[];
const isRejected = (one: PromiseSettledResult<unknown> | undefined) => one?.status === "rejected";

/**
 * Takes a transaction's answers apart: the beginning, one for each text, the check for rewritten tables, and the end.
 * @returns the rows of each text's statements, or its error
 * @throws where the transaction as a whole is worth nothing
 */
function answersOf(settled: Settled, address: Address, patience: Patience): (readonly Rows[] | Error)[] {
  const lost =
    settled.find((one) => one.status === "rejected" && !isOfStatement(one.reason)) ??
    settled.slice(0, 1).find(isRejected);
  if (lost?.status === "rejected") throw connectionError(lost.reason, address);
  const [rewritten] = settled.slice(-2);
  if (rewritten?.status === "rejected") throw statementError(rewritten.reason, patience);
  if (rewritten!.value.at(-1)!.length > 0)
    throw new RewrittenTable(`a table was rewritten while it was read, ${address.place}: ${URL_VARIABLE}`);
  return settled
    .slice(1, -2)
    .map((one) => (one.status === "fulfilled" ? one.value : statementError(one.reason, patience)));
}

/**
 * Opens a database. It connects when it is first read.
 * @param patience also of the server: what a deadline has cut, it ends by itself after that
 */
export function openPostgres(address: Address, patience: Patience): Database {
  let kept: Connection | undefined;
  let previous: Promise<unknown> = Promise.resolve();

  /** @returns the rows of each text's statements, or its error. @throws LostConnection where the connection has ended */
  async function askOn(
    connection: Connection,
    isIdle: boolean,
    texts: readonly string[],
    signal: AbortSignal,
  ) {
    const cut = () => void connection.cut();
    signal.addEventListener("abort", cut, { once: true });
    const answers = connection.ask([begin(patience), ...texts, rewritten(), "COMMIT"]);
    const timer = isIdle ? setTimeout(() => connection.close(), ALIVE_MS) : undefined;
    void answers[0]!.catch(() => {}).finally(() => clearTimeout(timer));
    try {
      return answersOf(await Promise.allSettled(answers), address, patience);
    } finally {
      signal.removeEventListener("abort", cut);
    }
  }

  async function read(texts: readonly string[], signal: AbortSignal): Promise<(readonly Rows[] | Error)[]> {
    for (let isAgain = false; ; isAgain = true) {
      signal.throwIfAborted();
      const idle = kept?.isOpen ? kept : undefined;
      kept = undefined;
      let connection = idle;
      try {
        connection ??= await openConnection(address, signal);
        connection.keepAlive(true);
        const answers = await askOn(connection, idle !== undefined, texts, signal);
        connection.keepAlive(false);
        kept = connection;
        return answers;
      } catch (error) {
        if (!signal.aborted) connection?.close();
        signal.throwIfAborted();
        if (error instanceof RewrittenTable && !isAgain) continue;
        const described = connectionError(error, address);
        // Nothing was written, so that nothing is done twice.
        if (isAgain || !(described instanceof LostConnection)) throw described;
      }
    }
  }

  function inTurn(texts: readonly string[], signal: AbortSignal) {
    const answer = previous.then(() => read(texts, signal));
    previous = answer.catch(() => {});
    return answer;
  }
  return {
    sql: POSTGRES,
    async separately(statements, signal) {
      const texts = statements.map((statement) => withOwnLock(statement, patience.lockMs, statements.length));
      const answers = await inTurn(texts, signal);
      return answers.map((answer) => (answer instanceof Error ? answer : ([...answer.at(-1)!] as SqlRow[])));
    },
    /** As one text: the server answers all of it at once, and has no savepoint to go back to. */
    async batch(statements, signal) {
      const [answers] = await inTurn([statements.join(";\n")], signal);
      if (answers instanceof Error) throw answers;
      return answers!.map((rows) => [...rows] as SqlRow[]);
    },
  };
}
