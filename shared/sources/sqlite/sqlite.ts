/** SQLite: the roster, the live and the newly ended executions, orphans, and the queue as its accessor counts it. */
import { address, NONE } from "../../config/source-variables.ts";
import { token, type Values, wholeNumber } from "../../config/variable.ts";
import { describeError, placeOf, SourceError } from "../../errors.ts";
import type { Facts, Reading } from "../../facts/facts.ts";
import type { DATABASE_FACTS } from "../../facts/trust.ts";
import { firstLines } from "../lines.ts";
import type { ReadContext, Source, SourceResult, SourceSpec } from "../source.ts";
import { type Database, openDatabase } from "./database.ts";
import type { SqlFact } from "./fact.ts";
import { backlogDefects, credentialsInQueue } from "./facts/backlog.ts";
import { ended } from "./facts/ended.ts";
import { executions, newestStart, pendingRetries, sessions } from "./facts/executions.ts";
import { endedBeforeStart, endedWithoutTime } from "./facts/finished-rows.ts";
import { orphans } from "./facts/orphans.ts";
import { platformSettings } from "./facts/platform-settings.ts";
import { queueCounts } from "./facts/queue-counts.ts";
import { roster } from "./facts/roster.ts";
import { schedules } from "./facts/schedules.ts";
import { LOCK_MS } from "./file-database.ts";
import { type QueryAnswer, rowsOf } from "./packing.ts";
import { INTROSPECTION, parseSchema, type Schema } from "./schema.ts";

const SQLITE = {
  url: address(
    "LIBSQL_URL",
    "the platform's database: `libsql://`, `https://` or `http://` of a libsql server (Turso, sqld), or `file:` and the path of a database file",
    {
      schemes: ["libsql:", "https:", "http:", "file:"],
      example: "libsql://db.example.com or file:/data/trinity.db",
    },
  ),
  authToken: token("LIBSQL_AUTH_TOKEN", "the libsql server's token, where it asks for one"),
  lockMs: wholeNumber(
    "LIBSQL_LOCK_MS",
    "how long one read of a database file in rollback-journal mode may keep the platform from committing; one that would take longer is ended, and tried again",
    { fallback: LOCK_MS, range: [10, 60_000] },
  ),
};

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
type SqlFactName = keyof typeof FACTS;
const NAMES = Object.keys(FACTS) as SqlFactName[];

/** Runs the statements in one transaction. If one fails, runs each by itself, so that only its own fact is unread. */
export async function run(database: Database, statements: readonly string[], signal: AbortSignal) {
  try {
    return await database.batch(statements, signal);
  } catch (error) {
    const bySql =
      error instanceof Error && /SQL_|SQLITE|SQLite error|HTTP 500|RESPONSE_TOO_LARGE/.test(error.message);
    if (!bySql || signal.aborted) throw error;
    return database.separately(statements, signal);
  }
}

/** The tables that there are, and the raw answer, which changes with them. */
const introspected = (answer: QueryAnswer | undefined) => ({
  answer: rowsOf(answer)[0]?.[0],
  schema: parseSchema(answer),
});

/** Collects the statements of the wanted facts for these tables, and the places of each fact's statements among them. */
export function planFor(schema: Schema, context: ReadContext) {
  const statements = [INTROSPECTION];
  const plans = NAMES.filter((name) => context.wanted.has(name)).map((name) => {
    const fact: SqlFact<unknown> = FACTS[name];
    const missing = fact.missing(schema);
    const absent = missing === null ? (fact.absent?.(schema) ?? null) : null;
    const isThere = missing === null && absent === null;
    const places = (isThere ? fact.statements(schema, context) : []).map((statement) => {
      const place = statements.indexOf(statement);
      return place >= 0 ? place : statements.push(statement) - 1;
    });
    return { name, missing, absent, places };
  });
  return { statements, plans };
}

/** Makes the reader of the facts that are in the database. */
export function sqliteReader(database: Database): Source["read"] {
  /** Kept while the process lives, and compared with the tables in the transaction of each read. */
  let known: ReturnType<typeof introspected> | undefined;

  /** Reads everything in one transaction, and once more where the tables have changed. */
  async function ask(context: ReadContext) {
    const { signal, now } = context;
    for (let isAgain = false; ; isAgain = true) {
      // Another read of this process may replace `known` meanwhile: these statements were made for the tables in `planned`.
      const planned = known ?? introspected((await database.batch([INTROSPECTION], signal))[0]);
      const { statements, plans } = planFor(planned.schema, context);
      const fromMs = now();
      const answers = await run(database, statements, signal);
      const time = { fromMs, toMs: now() };
      known = introspected(answers[0]);
      if (known.answer === planned.answer) return { plans, answers, time, schema: planned.schema };
      if (isAgain) throw new SourceError("the tables change while they are read");
    }
  }

  return async (context: ReadContext): Promise<SourceResult> => {
    const unavailable = new Set<string>();
    const { plans, answers, time, schema } = await ask(context);
    const report = (line: string) => void unavailable.add(line);
    const readings: Record<string, Reading<unknown>> = {};
    for (const { name, missing, absent, places } of plans) {
      if (absent !== null) {
        readings[name] = { read: false, reason: `sqlite.${name}: ${absent}`, off: true };
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
        const reason = `sqlite.${name}: ${describeError(error)}`;
        readings[name] = { read: false, reason };
        report(reason);
      }
    }
    return {
      readings: readings as SourceResult["readings"],
      unavailable: firstLines("sqlite", [...unavailable]),
    };
  };
}

/** Opens the database that is named. Returns null where none is. */
export const openNamed = ({ url, authToken, lockMs }: Values<typeof SQLITE>): Database | null =>
  url === null || url === NONE ? null : openDatabase(url, authToken ?? undefined, { lockMs });

export const sqlite = {
  name: "sqlite",
  gives: NAMES,
  variables: SQLITE,
  place: ({ url }) => (url === null ? null : placeOf(url, SQLITE.url.name)),
  configure({ url }, { database }) {
    if (database !== null) return sqliteReader(database);
    return url === NONE ? "off" : "not configured";
  },
} as const satisfies SourceSpec<typeof SQLITE>;
