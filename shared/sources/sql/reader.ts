/** The facts of the platform's database: the roster, the live and the newly ended executions, orphans, and the queue as its accessor counts it. */
import { describeError, SourceError } from "../../errors.ts";
import type { Facts, Reading } from "../../facts/facts.ts";
import type { DATABASE_FACTS } from "../../facts/trust.ts";
import { firstLines } from "../lines.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";
import type { Database, SqlRow } from "./database.ts";
import type { Dialect } from "./dialect.ts";
import { deniedText, otherDatabase, type SqlFact } from "./fact.ts";
import { backlogDefects } from "./facts/backlog.ts";
import { credentialsInQueue } from "./facts/credentials.ts";
import { ended } from "./facts/ended.ts";
import { executions, sessions } from "./facts/executions.ts";
import { endedBeforeStart, endedWithoutTime } from "./facts/finished-rows.ts";
import { newestStart } from "./facts/newest-start.ts";
import { orphans } from "./facts/orphans.ts";
import { pendingRetries } from "./facts/pending-retries.ts";
import { platformSettings } from "./facts/platform-settings.ts";
import { queueCounts } from "./facts/queue-counts.ts";
import { roster } from "./facts/roster.ts";
import { schedules } from "./facts/schedules.ts";
import { type QueryAnswer, rowsOf } from "./rows.ts";
import { type Schema, watched, wholeSchema } from "./schema.ts";

const FACTS = {
  roster,
  executions,
  sessions,
  newestStart,
  pendingRetries,
  platformSettings,
  ended,
  endedWithoutTime,
  endedBeforeStart,
  backlogDefects,
  credentialsInQueue,
  schedules,
  orphans,
  queueCounts,
} satisfies { readonly [F in (typeof DATABASE_FACTS)[number]]: SqlFact<Facts[F]> };
/** The facts of the database. */
export type SqlFactName = keyof typeof FACTS;
export const SQL_FACTS = Object.keys(FACTS) as SqlFactName[];

/** For statements that are made, and never sent. */
export const UNSENT: ReadContext = {
  signal: new AbortController().signal,
  now: () => 0,
  wanted: new Set(),
  since: { ended: null },
};
const tablesOf = new Map<Dialect, readonly string[]>();

/** The tables that some fact looks for. Nobody lists them: the facts are handed a schema that notes what it is asked for. */
export function knownTables(sql: Dialect): readonly string[] {
  const known = tablesOf.get(sql);
  if (known) return known;
  const tables = new Set<string>();
  const schema = wholeSchema(sql, null, ({ table }) => void tables.add(table));
  for (const fact of Object.values<SqlFact<unknown>>(FACTS)) {
    fact.missing(schema);
    fact.absent?.(schema);
    fact.statements(schema, UNSENT);
  }
  const sorted = [...tables].sort();
  tablesOf.set(sql, sorted);
  return sorted;
}

/** Selects what there is of these tables, for `parseSchema`. */
export const introspectionOf = (sql: Dialect): string => sql.introspection(knownTables(sql));

type Run = (statements: readonly string[], signal: AbortSignal) => Promise<(readonly SqlRow[] | Error)[]>;

/**
 * Makes what runs statements in one transaction. If one fails, each is run by itself, so that only its own fact is unread; in
 * later reads at once, until all succeed again: the platform does not pay twice for a statement that always fails.
 */
export function runner(database: Database): Run {
  let isFailing = false;
  return async (statements, signal) => {
    try {
      if (!isFailing) return await database.batch(statements, signal);
    } catch (error) {
      const bySql = error instanceof Error && database.sql.isOfStatement(error);
      if (!bySql || signal.aborted) throw error;
    }
    const answers = await database.separately(statements, signal);
    isFailing = answers.some((answer) => answer instanceof Error);
    return answers;
  };
}

/** The tables that there are, and the text of the answer, which changes with them. */
interface Known {
  readonly text: string;
  readonly schema: Schema;
}

const introspected = (sql: Dialect, answer: QueryAnswer | undefined, before?: Known): Known => {
  const text = rowsOf(answer)
    .map((cells) => cells.join("\u0000"))
    .join("\n");
  return before?.text === text ? before : { text, schema: sql.parseSchema(answer) };
};

/** Collects the statements of the wanted facts for these tables, and the places of each fact's statements among them. */
export function planFor(schema: Schema, context: ReadContext) {
  const statements = [introspectionOf(schema.sql)];
  // Statements that name the time are the same for all facts.
  const nowMs = context.now();
  const atOnce = { ...context, now: () => nowMs };
  const plans = SQL_FACTS.filter((name) => context.wanted.has(name)).map((name) => {
    const fact: SqlFact<unknown> = FACTS[name];
    const denied: string[] = [];
    const asked = watched(schema, (place) => {
      if (fact.knowsDenied || !schema.isDenied(place.table, place.column)) return;
      const isWhole = schema.isDenied(place.table, null);
      denied.push(deniedText(isWhole ? { ...place, column: null } : place));
    });
    const missing = fact.missing(asked);
    const absent = missing === null ? (fact.absent?.(asked) ?? null) : null;
    const own = missing === null && absent === null ? fact.statements(asked, atOnce) : [];
    const places = (denied.length > 0 ? [] : own).map((statement) => {
      const place = statements.indexOf(statement);
      return place >= 0 ? place : statements.push(statement) - 1;
    });
    return { name, missing: denied[0] ?? missing, absent: denied.length > 0 ? null : absent, places };
  });
  return { statements, plans };
}

/**
 * Makes the reader of the facts that are in the database.
 * @param source its name, with which the lines of `sources_unavailable` begin
 */
export function sqlReader(source: string, database: Database): Source["read"] {
  const { sql } = database;
  const run = runner(database);
  /** Kept while the process lives, and compared with the tables in the transaction of each read. */
  let known: Known | undefined;

  /** Reads everything in one transaction, and once more where the tables have changed. */
  async function ask(context: ReadContext) {
    const { signal, now } = context;
    for (let isAgain = false; ; isAgain = true) {
      // Another read of this process may replace `known` meanwhile: these statements were made for the tables in `planned`.
      const planned = known ?? introspected(sql, (await database.batch([introspectionOf(sql)], signal))[0]);
      const { statements, plans } = planFor(planned.schema, context);
      const fromMs = now();
      const answers = await run(statements, signal);
      const time = { fromMs, toMs: now() };
      known = introspected(sql, answers[0], planned);
      if (known === planned) return { plans, answers, time, schema: planned.schema };
      if (isAgain) throw new SourceError("the tables change while they are read");
    }
  }

  return async (context: ReadContext): Promise<SourceResult> => {
    const unavailable = new Set<string>();
    const { plans, answers, time, schema } = await ask(context);
    const isOther = otherDatabase(schema);
    // All facts are unread for the same reason, which is said once.
    if (isOther !== null) throw new SourceError(isOther);
    const report = (line: string) => void unavailable.add(`${source}.${line}`);
    const readings: Record<string, Reading<unknown>> = {};
    for (const { name, missing, absent, places } of plans) {
      if (absent !== null) {
        readings[name] = { read: false, reason: `${source}.${name}: ${absent}`, off: true };
        continue;
      }
      try {
        if (missing) throw new SourceError(missing);
        let unlisted: string | undefined;
        const markUnlisted = (why: string) => {
          unlisted = why;
        };
        const fact: SqlFact<unknown> = FACTS[name];
        const own = places.map((place) => answers[place]);
        const value = fact.parse(own, { schema, time, report, markUnlisted });
        readings[name] = { read: true, value, time, ...(unlisted !== undefined && { unlisted }) };
      } catch (error) {
        const reason = `${name}: ${describeError(error)}`;
        readings[name] = { read: false, reason: `${source}.${reason}` };
        report(reason);
      }
    }
    return {
      readings: readings as SourceResult["readings"],
      unavailable: firstLines(source, [...unavailable]),
    };
  };
}
