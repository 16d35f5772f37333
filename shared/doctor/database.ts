/** The platform's database: its release, what it lacks, how it is read, rights and clock. What one backend has of its own is given. */
import type { FactName, Readings } from "../facts/facts.ts";
import type { Invariant } from "../invariants/invariant.ts";
import type { ReadContext } from "../sources/source.ts";
import type { Database, SqlRow } from "../sources/sql/database.ts";
import { introspectionOf, planFor, runner, SQL_FACTS, type SqlFactName } from "../sources/sql/reader.ts";
import { textOf } from "../sources/sql/rows.ts";
import type { Schema } from "../sources/sql/schema.ts";
import { compareClocks, newestRun } from "./clocks.ts";
import { type Finding, note, ok } from "./finding.ts";
import { lackFindings } from "./needs.ts";
import { type Plan, planFindings, type Steps } from "./plans.ts";
import { releaseOf } from "./release.ts";

export interface DatabaseExamination {
  readonly database: Database;
  readonly readings: Readings;
  /** The invariants that run, and the facts that they rest on. */
  readonly invariants: readonly Invariant[];
  readonly wanted: ReadonlySet<FactName>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** What a backend is asked in words of its own. */
export interface BackendExamination {
  /** Where it is, without a secret. */
  readonly address: string;
  /** Says which server it is. */
  server(): Promise<Finding[]>;
  /** Makes the statement that plans another, without running it. */
  explain(statement: string): string;
  /** Selects the names of the partial indexes of the executions. */
  readonly partialIndexes: string;
  /** Reads from a plan what a statement does with the executions. @param small partial indexes that hold a few live rows */
  stepsOf(plan: Plan, small: ReadonlySet<string>): Steps;
  /** Says what the canary may read, and whether it could write. */
  rights(schema: Schema, facts: readonly SqlFactName[]): Promise<Finding[]>;
  /** Selects the server's time as a text. Null where there is no server. */
  readonly clock: string | null;
}

const namesOf = (answer: readonly SqlRow[] | Error | undefined): string[] =>
  Array.isArray(answer) ? answer.map(([name]) => textOf(name) ?? "") : [];

/** Plans each statement of a cycle on the real tables, without running it. */
async function indexFindings(
  database: Database,
  own: BackendExamination,
  schema: Schema,
  context: ReadContext,
): Promise<Finding[]> {
  const { statements, plans } = planFor(schema, context);
  const [partial, ...answers] = await runner(database)(
    [own.partialIndexes, ...statements.map(own.explain)],
    context.signal,
  );
  // That of the ended rows is partial too, and holds nearly the whole history.
  const small = new Set(namesOf(partial).filter((name) => name !== schema.endedIndex?.name));
  const steps = statements.flatMap((statement, place) => {
    const facts = plans.filter(({ places }) => places.includes(place)).map(({ name }) => name);
    const rows = answers[place];
    // A statement that can't be planned can't be run either: the reading says so.
    if (facts.length === 0 || !Array.isArray(rows)) return [];
    return [{ facts, ...own.stepsOf({ statement, rows }, small) }];
  });
  return planFindings(schema, steps);
}

async function serverClock(
  { database, now, signal }: DatabaseExamination,
  statement: string,
): Promise<Finding> {
  const fromMs = now();
  const [[row] = []] = await database.batch([statement], signal);
  const theirMs = Date.parse(textOf(row?.[0]) ?? "");
  if (Number.isNaN(theirMs)) return note("clock", "the server does not tell its time");
  return compareClocks(theirMs, { fromMs, toMs: now() }, 1);
}

/** Examines the database. @throws where it can't be read at all */
export async function examineDatabase(
  examination: DatabaseExamination,
  own: BackendExamination,
): Promise<Finding[]> {
  const { database, readings, invariants, wanted, now, signal } = examination;
  const [tables] = await database.batch([introspectionOf(database.sql)], signal);
  const schema = database.sql.parseSchema(tables);
  const context = { signal, now, wanted, since: { ended: null } };
  const facts = SQL_FACTS.filter((fact) => wanted.has(fact));
  const { newestStart } = readings;
  return [
    ok("address", own.address),
    ...(await own.server()),
    releaseOf(schema),
    ...lackFindings(schema, facts, invariants, readings),
    ...(await indexFindings(database, own, schema, context)),
    ...(await own.rights(schema, facts)),
    ...(own.clock === null ? [] : [await serverClock(examination, own.clock)]),
    ...(newestStart?.read
      ? [
          newestStart.value === null
            ? note("newest run", "there is none")
            : newestRun(newestStart.value, now()),
        ]
      : []),
  ];
}

/** The address without its user, path and query, which may hold a secret. */
export function addressText(url: string): string {
  if (url.startsWith("file:")) return url;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
