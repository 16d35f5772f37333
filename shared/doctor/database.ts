/** The platform's database: its release, what it lacks, how it is read, rights and clock. */
import type { Values } from "../config/variable.ts";
import type { FactName, Readings } from "../facts/facts.ts";
import type { Invariant } from "../invariants/invariant.ts";
import type { ReadContext } from "../sources/source.ts";
import type { Database, SqlRow } from "../sources/sql/database.ts";
import { planFor, run } from "../sources/sql/reader.ts";
import { textOf } from "../sources/sql/rows.ts";
import type { Schema } from "../sources/sql/schema.ts";
import { sqlite } from "../sources/sqlite/sqlite.ts";
import { compareClocks, newestRun } from "./clocks.ts";
import { type Finding, note, ok } from "./finding.ts";
import { lackFindings } from "./needs.ts";
import { indexFindings, PARTIAL_INDEXES, type Plan } from "./plans.ts";
import { releaseOf } from "./release.ts";
import { fileRights, serverRights } from "./rights.ts";

export interface DatabaseExamination {
  readonly database: Database;
  readonly values: Values<(typeof sqlite)["variables"]>;
  readonly readings: Readings;
  /** The invariants that run, and the facts that they rest on. */
  readonly invariants: readonly Invariant[];
  readonly wanted: ReadonlySet<FactName>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

/** Plans each statement of a cycle on the real tables, without running it. */
async function plansOf(database: Database, schema: Schema, context: ReadContext) {
  const { statements, plans } = planFor(schema, context);
  const [partial, ...answers] = await run(
    database,
    [PARTIAL_INDEXES, ...statements.map((statement) => `EXPLAIN QUERY PLAN ${statement}`)],
    context.signal,
  );
  const planned = statements.flatMap((statement, place): Plan[] => {
    const facts = plans.filter(({ places }) => places.includes(place)).map(({ name }) => name);
    const rows = answers[place];
    // A statement that can't be planned can't be run either: the reading says so.
    return facts.length > 0 && Array.isArray(rows) ? [{ facts, statement, rows }] : [];
  });
  return { planned, partial: namesOf(partial) };
}

const namesOf = (answer: SqlRow[] | Error | undefined): string[] =>
  Array.isArray(answer) ? answer.map(([name]) => textOf(name) ?? "") : [];

const NOW = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

async function serverClock(database: Database, now: () => number, signal: AbortSignal): Promise<Finding> {
  const fromMs = now();
  const [[row] = []] = await database.batch([NOW], signal);
  const theirMs = Date.parse(textOf(row?.[0]) ?? "");
  if (Number.isNaN(theirMs)) return note("clock", "the server does not tell its time");
  return compareClocks(theirMs, { fromMs, toMs: now() }, 1);
}

/** Examines the database. @throws where it can't be read at all */
export async function examineDatabase(examination: DatabaseExamination): Promise<Finding[]> {
  const { database, values, readings, invariants, wanted, now, signal } = examination;
  const { url, authToken } = values;
  const schema = database.sql.parseSchema((await database.batch([database.sql.introspection], signal))[0]);
  const context = { signal, now, wanted, since: { ended: null } };
  const { planned, partial } = await plansOf(database, schema, context);
  const facts = sqlite.gives.filter((fact) => wanted.has(fact));
  const { newestStart } = readings;
  const isFile = url!.startsWith("file:");
  return [
    ok("address", addressText(url!)),
    releaseOf(schema),
    ...lackFindings(schema, facts, invariants, readings),
    ...indexFindings(schema, planned, partial),
    ...(isFile ? [await fileRights(url!)] : await serverRights(database, authToken, now(), signal)),
    ...(isFile ? [] : [await serverClock(database, now, signal)]),
    ...(newestStart?.read
      ? [
          newestStart.value === null
            ? note("newest run", "there is none")
            : newestRun(newestStart.value, now()),
        ]
      : []),
  ];
}

/** The address without its path and query, which may hold a secret. */
export function addressText(url: string): string {
  if (url.startsWith("file:")) return url;
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
