/** SQLite: the roster, the live and the newly ended executions, orphans, and the queue as its accessor counts it. */

import { describeError, SourceError } from "../../errors.ts";
import {
  type Ended,
  type EndedCursor,
  type Execution,
  type Executions,
  type FactName,
  type Facts,
  type LiveStatus,
  type OrphanRef,
  type Orphans,
  type Reading,
  type ReadingTime,
  type RosterAgent,
  TERMINAL_STATUSES,
} from "../../facts/facts.ts";
import { timestampReader } from "../../time.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";
import type { Database, SqlRow, SqlValue } from "./database.ts";
import { eachRow, type Field } from "./packing.ts";
import * as queries from "./queries.ts";

/** What an agent is given where the roster's column is NULL (the platform's own defaults). */
const DEFAULT_MAX_PARALLEL_TASKS = 3;
const DEFAULT_EXECUTION_TIMEOUT_SECONDS = 900;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** @returns the text of a column that was selected as a blob; undefined where its bytes are no UTF-8 */
function text(value: SqlValue | undefined): string | null | undefined {
  if (value === null || value === undefined) return null;
  if (typeof value !== "object") return String(value);
  try {
    return utf8.decode(value);
  } catch {
    return undefined;
  }
}

/** @returns a number that counts something (0 or more), null for NULL, "unreadable" for anything else */
function count(value: Field): number | null | "unreadable" {
  if (value === null) return null;
  const n = value !== undefined && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return Number.isSafeInteger(n) ? n : "unreadable";
}

const countOr = (value: Field, whenNull: number): number | null => {
  const n = count(value);
  return n === "unreadable" ? null : (n ?? whenNull);
};

/** One fact of this source: the statements it needs and what is made of their rows. */
interface SqlFact<T> {
  /** @returns why this installation can't give the fact, or null */
  missing(schema: queries.Schema): string | null;
  statements(schema: queries.Schema, context: ReadContext): readonly string[];
  /** @param markPartial says that something of the fact could not even be listed */
  parse(
    answers: readonly (SqlRow[] | Error)[],
    time: ReadingTime,
    report: (line: string) => void,
    markPartial: (why: string) => void,
  ): T;
}
type SqlFacts = Pick<Facts, "roster" | "executions" | "sessions" | "ended" | "orphans" | "queueCounts">;

const rowsOf = (answer: SqlRow[] | Error | undefined): SqlRow[] => {
  if (Array.isArray(answer)) return answer;
  throw answer ?? new SourceError("the server left an answer out");
};
const needsTable = (table: string) => (schema: queries.Schema) =>
  schema.hasTable(table) ? null : `table ${table} is missing`;
const needsExecutions = needsTable("schedule_executions");

const roster: SqlFact<Facts["roster"]> = {
  missing: needsTable("agent_ownership"),
  statements: (schema) => [queries.rosterQuery(schema)],
  parse([answer], _time, report, markPartial) {
    const agents = new Map<string, RosterAgent>();
    eachRow(rowsOf(answer), queries.ROSTER_COLUMNS, (field) => {
      const name = field(0);
      if (typeof name !== "string") {
        report("sqlite.roster: a row's agent_name can't be read");
        markPartial("a roster row's agent_name can't be read");
        return;
      }
      const agent = {
        maxParallelTasks: countOr(field(1), DEFAULT_MAX_PARALLEL_TASKS),
        executionTimeoutSeconds: countOr(field(2), DEFAULT_EXECUTION_TIMEOUT_SECONDS),
      };
      if (agent.maxParallelTasks === null) report(`sqlite.roster[${name}]: max_parallel_tasks can't be read`);
      if (agent.executionTimeoutSeconds === null)
        report(`sqlite.roster[${name}]: execution_timeout_seconds can't be read`);
      agents.set(name, agent);
    });
    return agents;
  },
};

const executions: SqlFact<Executions> = {
  missing: needsExecutions,
  statements: (schema) => [queries.executionsQuery(schema), queries.unknownStatusesQuery(schema)],
  parse([answer, unknownStatuses], _time, report) {
    const live: Execution[] = [];
    const unseenAgents = new Set<string>();
    const unseenIds = new Set<string>();
    const parseTimestamp = timestampReader();
    eachRow(rowsOf(answer), queries.EXECUTION_COLUMNS, (field) => {
      const [id, agent, startedAt, leaseExpiresAt] = [field(0), field(1), field(3), field(5)];
      if (typeof agent !== "string") {
        if (typeof id === "string") unseenIds.add(id);
        report("sqlite.executions: a live row's agent_name can't be read");
      } else if (typeof id !== "string") {
        unseenAgents.add(agent);
        report(`sqlite.executions[${agent}]: a live row's id can't be read`);
      } else
        live.push({
          id,
          agent,
          status: field(2) as LiveStatus,
          startedAt: startedAt ?? null,
          startedAtMs: parseTimestamp(startedAt ?? null),
          queuedAtMs: parseTimestamp(field(4) ?? null),
          lease:
            leaseExpiresAt === null || leaseExpiresAt === ""
              ? null
              : { expiresAtMs: parseTimestamp(leaseExpiresAt ?? null) },
          retryScheduled: field(6) === "1",
          scheduleTimeoutSeconds: count(field(8)),
        });
    });
    for (const [status] of rowsOf(unknownStatuses))
      report(
        `sqlite.executions: unknown status ${JSON.stringify(text(status) ?? "(no UTF-8)")}, taken for neither live nor terminal`,
      );
    return { live, unseenAgents, unseenIds };
  },
};

const sessions: SqlFact<Facts["sessions"]> = {
  missing: (schema) =>
    needsExecutions(schema) ??
    (schema.hasColumn("schedule_executions", "claude_session_id")
      ? null
      : "column claude_session_id is missing"),
  statements: (schema) => [queries.executionsQuery(schema)],
  parse([answer]) {
    const ids = new Set<string>();
    eachRow(rowsOf(answer), queries.EXECUTION_COLUMNS, (field) => {
      const id = field(7) === "1" ? field(0) : undefined;
      if (typeof id === "string") ids.add(id);
    });
    return ids;
  },
};

const ended: SqlFact<Ended> = {
  missing: (schema) =>
    needsExecutions(schema) ??
    (schema.hasColumn("schedule_executions", "completed_at") ? null : "column completed_at is missing"),
  statements: (schema, { since, now }) => [
    queries.endedQuery(schema, since.ended, now()),
    queries.endedCursorQuery(schema),
  ],
  parse([answer, cursorRows], time, report) {
    const rows: { id: string; status: (typeof TERMINAL_STATUSES)[number] }[] = [];
    eachRow(rowsOf(answer), queries.ENDED_COLUMNS, (field) => {
      const id = field(0);
      if (typeof id === "string") rows.push({ id, status: TERMINAL_STATUSES[Number(field(1))]! });
      else report("sqlite.ended: a row's id can't be read");
    });
    const bounds = rowsOf(cursorRows);
    const cursor: EndedCursor = {
      readAtMs: time.fromMs,
      rowid: Number(bounds[0]?.[0] ?? 0),
      oldLive: bounds.flatMap(([, rowid]) => (rowid === null || rowid === undefined ? [] : [Number(rowid)])),
    };
    return { rows, cursor };
  },
};

const searchable = (schema: queries.Schema) =>
  queries.ORPHAN_TABLES.filter(({ table }) => schema.hasTable(table));
const missingColumn = (schema: queries.Schema, { table, key, filterColumn }: queries.OrphanTable) =>
  ["agent_name", ...key, ...(filterColumn ? [filterColumn] : [])].find(
    (column) => !schema.hasColumn(table, column),
  );

/** Made for one schema, since which tables there are decides which answers come. */
const orphansOf = (schema: queries.Schema): SqlFact<Orphans> => {
  const tables = searchable(schema).filter((table) => !missingColumn(schema, table));
  return {
    missing: needsTable("agent_ownership"),
    statements: () => tables.map((table) => queries.orphansQuery(schema, table)),
    parse(answers, _time, report) {
      const ghosts = new Map<string, { rowsByTable: Map<string, number>; samples: OrphanRef[] }>();
      const unseenTables: string[] = [];
      for (const spec of searchable(schema)) {
        const column = missingColumn(schema, spec);
        if (!column) continue;
        unseenTables.push(spec.table);
        report(`sqlite.orphans[${spec.table}]: column ${column} is missing`);
      }
      tables.forEach(({ table, key }, i) => {
        const answer = answers[i];
        if (!Array.isArray(answer)) {
          unseenTables.push(table);
          report(`sqlite.orphans[${table}]: ${describeError(answer)}`);
          return;
        }
        for (const [nameBytes, total, ...keys] of answer) {
          const name = text(nameBytes);
          if (typeof name !== "string") {
            report(`sqlite.orphans[${table}]: a row's agent_name can't be read`);
            continue;
          }
          const ghost = ghosts.get(name) ?? {
            rowsByTable: new Map<string, number>(),
            samples: [] as OrphanRef[],
          };
          ghosts.set(name, ghost);
          ghost.rowsByTable.set(table, Number(total));
          const values = keys.map((value) => text(value) ?? "(unreadable)");
          const rowId =
            values.length === 1 ? values[0]! : values.map((value, k) => `${key[k]}=${value}`).join(", ");
          if (ghost.samples.length < queries.ORPHAN_SAMPLES)
            ghost.samples.push({ table, column: "agent_name", rowId });
        }
      });
      return { ghosts, unseenTables };
    },
  };
};

const parseCounts = (answer: SqlRow[] | Error | undefined): Map<string, number> => {
  const counts = new Map<string, number>();
  eachRow(rowsOf(answer), queries.QUEUE_COLUMNS, (field) => {
    const name = field(0);
    if (typeof name === "string") counts.set(name, Number(field(1)));
  });
  return counts;
};

const queueCounts: SqlFact<Facts["queueCounts"]> = {
  missing: needsExecutions,
  statements: () => [queries.queuedCountsQuery()],
  parse: ([answer]) => ({ counts: parseCounts(answer), complete: true, around: null }),
};

/** Runs the statements in one transaction; where one of them fails, each by itself, so that it spoils only its fact. */
async function run(database: Database, statements: readonly string[], signal: AbortSignal) {
  try {
    return await database.batch(statements, signal);
  } catch (error) {
    const bySql =
      error instanceof Error && /SQL_|SQLITE|SQLite error|HTTP 500|RESPONSE_TOO_LARGE/.test(error.message);
    if (!bySql || signal.aborted) throw error;
    return database.separately(statements, signal);
  }
}

/** What tables there are, and the answer that said so. */
interface Introspected {
  readonly answer: SqlValue | undefined;
  readonly schema: queries.Schema;
}

const introspected = (answer: SqlRow[] | Error | undefined): Introspected => {
  const rows = rowsOf(answer);
  return { answer: rows[0]?.[0], schema: queries.parseSchema(rows) };
};

/**
 * Counts the queues as they stand in SQL: what an accessor over HTTP is compared with.
 * @returns a count for each agent that has queued rows
 */
export async function countQueues(database: Database, signal: AbortSignal): Promise<Map<string, number>> {
  const [rows] = await database.batch([queries.queuedCountsQuery()], signal);
  return parseCounts(rows);
}

/**
 * @param database where the platform's tables are
 * @param accessor "sql" where this source also gives the queue counts
 */
export function sqliteSource(database: Database, { accessor }: { accessor: "sql" | "http" }): Source {
  const gives: FactName[] = ["roster", "executions", "sessions", "ended", "orphans"];
  if (accessor === "sql") gives.push("queueCounts");

  /** Kept while the process lives, and looked at again in the transaction of each read. */
  let known: Introspected | undefined;

  /** What each wanted fact needs on these tables. */
  function planFor(schema: queries.Schema, context: ReadContext) {
    const facts: { [F in keyof SqlFacts]: SqlFact<SqlFacts[F]> } = {
      roster,
      executions,
      sessions,
      ended,
      orphans: orphansOf(schema),
      queueCounts,
    };
    const statements = [queries.INTROSPECTION];
    const plans = (Object.keys(facts) as (keyof SqlFacts)[])
      .filter((name) => context.wanted.has(name) && gives.includes(name))
      .map((name) => {
        const fact = facts[name] as SqlFact<unknown>;
        const missing = fact.missing(schema);
        const places = (missing ? [] : fact.statements(schema, context)).map((statement) => {
          // Facts can share a statement, which is then sent once.
          const place = statements.indexOf(statement);
          return place >= 0 ? place : statements.push(statement) - 1;
        });
        return { name, fact, missing, places };
      });
    return { statements, plans };
  }

  /** Asks for everything in one transaction; once more where the tables turn out to be others than they were. */
  async function ask(context: ReadContext) {
    const { signal, now } = context;
    for (let isAgain = false; ; isAgain = true) {
      // Another read of this process may learn of other tables meanwhile: what counts is what these statements were made for.
      const planned = known ?? introspected((await database.batch([queries.INTROSPECTION], signal))[0]);
      const { statements, plans } = planFor(planned.schema, context);
      const fromMs = now();
      const answers = await run(database, statements, signal);
      const time = { fromMs, toMs: now() };
      const found = introspected(answers[0]);
      const isKnown = found.answer === planned.answer;
      known = found;
      if (isKnown) return { plans, answers, time };
      if (isAgain) throw new SourceError("the tables change while they are read");
    }
  }

  async function read(context: ReadContext): Promise<SourceResult> {
    const unavailable = new Set<string>();
    const { plans, answers, time } = await ask(context);
    const readings: Record<string, Reading<unknown>> = {};
    for (const { name, fact, missing, places } of plans) {
      try {
        if (missing) throw new SourceError(missing);
        let unlisted: string | undefined;
        const value = fact.parse(
          places.map((place) => answers[place]!),
          time,
          (line) => unavailable.add(line),
          (why) => {
            unlisted = why;
          },
        );
        readings[name] = { read: true, value, time, ...(unlisted !== undefined && { unlisted }) };
      } catch (error) {
        const reason = `sqlite.${name}: ${describeError(error)}`;
        readings[name] = { read: false, reason };
        unavailable.add(reason);
      }
    }
    return { readings: readings as SourceResult["readings"], unavailable: [...unavailable] };
  }
  return { name: "sqlite", gives, read };
}
