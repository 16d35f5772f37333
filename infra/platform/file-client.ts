/**
 * A database file behind the interface of libsql's client. It uses Node's own SQLite, as the canary's reader does: a lock
 * on a file belongs to the process, so a second SQLite library in the process would ignore it and corrupt the file.
 */
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { fileURLToPath } from "node:url";
import type { InStatement, InValue, Value } from "@libsql/client/http";

export interface SqlResult {
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, Value>>[];
  readonly rowsAffected: number;
}

/** The database management system behind a client. */
export type Backend = "sqlite" | "postgres";

/** The client of a platform's database. libsql's client over HTTP satisfies it too. */
export interface SqlClient {
  /** Left out: SQLite. */
  readonly backend?: Backend;
  execute(statement: InStatement): Promise<SqlResult>;
  /** Runs the statements in one transaction: all take effect, or none. */
  batch(statements: InStatement[], mode: "read" | "write"): Promise<SqlResult[]>;
  close(): void;
}

function bindable(value: InValue): SQLInputValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Date) return value.getTime();
  return value instanceof ArrayBuffer ? new Uint8Array(value) : value;
}

/**
 * Opens the file with one connection.
 * @param url `file:` and a path; `file::memory:` for none
 * @param timeoutMs how long a statement waits for another connection's lock; nothing else runs meanwhile
 */
export function openDatabaseFile(url: string, timeoutMs = 0): SqlClient {
  const path = url.startsWith("file://") ? fileURLToPath(url) : url.slice("file:".length);
  const database = new DatabaseSync(path, { timeout: timeoutMs });

  function run(asked: InStatement): SqlResult {
    const { sql, args = [] } = typeof asked === "string" ? { sql: asked } : asked;
    const statement = database.prepare(sql);
    const values = (args as InValue[]).map(bindable);
    const columns = statement.columns().map(({ name }) => name);
    if (columns.length === 0)
      return { columns, rows: [], rowsAffected: Number(statement.run(...values).changes) };
    return { columns, rows: statement.all(...values) as Record<string, Value>[], rowsAffected: 0 };
  }

  return {
    execute: async (statement) => run(statement),
    async batch(statements, mode) {
      database.exec(mode === "write" ? "BEGIN IMMEDIATE" : "BEGIN");
      try {
        const answers = statements.map(run);
        database.exec("COMMIT");
        return answers;
      } finally {
        if (database.isTransaction) database.exec("ROLLBACK");
      }
    },
    close: () => database.close(),
  };
}
