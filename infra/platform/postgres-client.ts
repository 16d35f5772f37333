/** A PostgreSQL database behind the interface of libsql's client. */
import { setTimeout as wait } from "node:timers/promises";
import type { ConnectionOptions as TlsOptions } from "node:tls";
import type { InStatement, InValue, Value } from "@libsql/client/http";
import postgres from "postgres";
import type { SqlClient, SqlResult } from "./file-client.ts";

/** Enough for reads beside a write. */
const MOST_CONNECTIONS = 4;

/** PostgreSQL's types whose values are numbers here: int8 (of COUNT) and numeric (of SUM and EXTRACT). */
const NUMBERS = [20, 1700];
const BOOLEAN = 16;

/** Literals, quoted names and comments, which keep their question marks; or a placeholder. */
const WORDS = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\?/g;

/** Numbers the placeholders: `?` becomes `$1`, the next one `$2`. */
export function numbered(sql: string): string {
  let n = 0;
  return sql.replace(WORDS, (word) => {
    if (word !== "?") return word;
    n += 1;
    return `$${n}`;
  });
}

function sendable(value: InValue): postgres.SerializableParameter {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "bigint") return String(value);
  if (value instanceof Date) return value.getTime();
  return value as postgres.SerializableParameter;
}

/** Whether another transaction was in the way, so that the same work can succeed when it is tried again. */
export const isConflict = (error: unknown): boolean =>
  // serialization_failure, deadlock_detected
  error instanceof postgres.PostgresError && (error.code === "40001" || error.code === "40P01");

/** What the address does not say. */
export interface Access {
  readonly password?: string;
  /** Left out: TLS as the address asks for it. */
  readonly ssl?: false | TlsOptions;
  /** How long a connection, and then a transaction, may take. Left out: for ever. */
  readonly deadlineMs?: number;
}

/** @throws Error once the deadline has passed, whatever becomes of the work */
async function within<T>(deadlineMs: number | undefined, work: Promise<T>): Promise<T> {
  if (deadlineMs === undefined) return work;
  const settled = new AbortController();
  const tooLate = wait(deadlineMs, undefined, { signal: settled.signal }).then(() => {
    throw new Error(`the database did not answer within ${deadlineMs} ms`);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    settled.abort();
    tooLate.catch(() => {});
    work.catch(() => {});
  }
}

/**
 * Opens the database. Connections are made when they are needed.
 * @param url `postgres://`, with the password or without it
 */
export function openPostgres(url: string, { deadlineMs, ...access }: Access = {}): SqlClient {
  const sql = postgres(url, {
    ...access,
    max: MOST_CONNECTIONS,
    fetch_types: false,
    onnotice() {},
    connection: { TimeZone: "UTC" },
    types: {
      number: { to: 0, from: NUMBERS, serialize: String, parse: Number },
      boolean: {
        to: BOOLEAN,
        from: [BOOLEAN],
        serialize: String,
        parse: (text: string) => (text === "t" ? 1 : 0),
      },
    },
  });

  async function run(transaction: postgres.TransactionSql, asked: InStatement): Promise<SqlResult> {
    const { sql: text, args = [] } = typeof asked === "string" ? { sql: asked } : asked;
    const rows = await transaction.unsafe(numbered(text), (args as InValue[]).map(sendable), {
      prepare: true,
    });
    const columns = (rows.columns ?? []).map(({ name }) => name);
    const rowsAffected = columns.length === 0 ? (rows.count ?? 0) : 0;
    return { columns, rows: Array.from(rows) as Record<string, Value>[], rowsAffected };
  }

  const batch: SqlClient["batch"] = (statements, mode) =>
    within(
      deadlineMs,
      sql.begin(mode === "read" ? "ISOLATION LEVEL REPEATABLE READ READ ONLY" : "", (transaction) =>
        Promise.all(statements.map((statement) => run(transaction, statement))),
      ) as Promise<SqlResult[]>,
    );

  return {
    backend: "postgres",
    batch,
    // In a transaction too: the embedded engine mixes up the statements of its connections outside of one.
    async execute(statement) {
      const [answer] = await batch([statement], "write");
      return answer!;
    },
    close: () => void sql.end({ timeout: 0 }),
  };
}
