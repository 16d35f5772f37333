/** What each invariant needs of an installation, for the docs: tables and columns, keys, and what is asked of Docker. */
import type { FactName } from "../shared/facts/facts.ts";
import { INVARIANTS } from "../shared/invariants/index.ts";
import { offWithOf } from "../shared/invariants/invariant.ts";
import { SOURCES } from "../shared/sources/index.ts";
import type { SourceSpec } from "../shared/sources/source.ts";
import { lookedFor } from "../shared/sources/sql/looked-for.ts";
import { SQL_FACTS, type SqlFactName } from "../shared/sources/sql/reader.ts";
import { SQLITE } from "../shared/sources/sqlite/dialect.ts";

/** What is read for the facts that are not in the database. One that is not here is named by its source. */
const ELSEWHERE: Readonly<Partial<Record<FactName, readonly string[]>>> = {
  slots: ["`agent:slots:*`", "`agent:slot:*`"],
  drainTick: ["`canary:drain_tick_at`"],
  pullPolls: ["`agent:pull_poll:*`"],
  platformKeys: ["`agent:slot*`", "`canary:drain_tick_at`"],
  containers: ["containers (list, inspect)"],
  zombies: ["containers (list, inspect, exec)"],
  finishedRuns: ["the canary's memory"],
  zombieSightings: ["the canary's memory"],
  rosterDoubtSince: ["the canary's memory"],
  newestSlotSeen: ["the canary's memory"],
};

const isOfDatabase = (fact: FactName): fact is SqlFactName =>
  (SQL_FACTS as readonly FactName[]).includes(fact);

const code = (table: string, column: string | null) =>
  column === null ? `\`${table}\`` : `\`${table}.${column}\``;

/** What there must be for the fact to be read. A column stands for its table. */
function neededFor(fact: FactName): readonly string[] {
  if (!isOfDatabase(fact))
    return (
      ELSEWHERE[fact] ??
      (SOURCES as readonly SourceSpec[]).flatMap(({ name, gives }) => (gives.includes(fact) ? [name] : []))
    );
  const needed = lookedFor(fact, SQLITE).filter(({ isNeeded }) => isNeeded);
  const withColumn = new Set(needed.flatMap(({ table, column }) => (column === null ? [] : [table])));
  return needed
    .filter(({ table, column }) => column !== null || !withColumn.has(table))
    .map(({ table, column }) => code(table, column));
}

const placesOf = (facts: readonly FactName[]) => [...new Set(facts.flatMap(neededFor))];

/** Makes the table of what each invariant needs, is not run without, and uses where that can be read. */
export function needsTable(): string {
  const rows = INVARIANTS.map((invariant) => {
    const { id, reads, optional = [] } = invariant;
    const offWith = offWithOf(invariant);
    const needed = placesOf(reads);
    const more = placesOf(offWith.filter((fact) => !reads.includes(fact)));
    const used = placesOf(optional.filter((fact) => !offWith.includes(fact)));
    const cells = [needed, more, used.filter((place) => !needed.includes(place))];
    return `| [${id}](#${id.toLowerCase()}) | ${cells.map((places) => places.join(", ")).join(" | ")} |`;
  });
  return `| invariant | needs | is also left out with | uses where it is read |\n|---|---|---|---|\n${rows.join("\n")}`;
}

/** What the facts look for and go without, as the docs name it. A table that may be missing stands for its columns. */
function goneWithout(fact: SqlFactName): string[] {
  const places = lookedFor(fact, SQLITE).filter(({ isNeeded }) => !isNeeded);
  const tables = new Set(places.flatMap(({ table, column }) => (column === null ? [table] : [])));
  return places
    .filter(({ table, column }) => column === null || !tables.has(table))
    .map(({ table, column }) => code(table, column));
}

/** Makes the table of what may be missing, with the invariants that then go without it. */
export function goneWithoutTable(): string {
  const touched = new Map<string, Set<string>>();
  for (const { id, reads, optional = [] } of INVARIANTS)
    for (const fact of [...reads, ...optional].filter(isOfDatabase))
      for (const place of goneWithout(fact)) touched.set(place, (touched.get(place) ?? new Set()).add(id));
  const byIds = new Map<string, string[]>();
  for (const [place, ids] of touched) {
    const key = [...ids].join(", ");
    byIds.set(key, [...(byIds.get(key) ?? []), place]);
  }
  const rows = [...byIds].map(([ids, places]) => `| ${places.sort().join(", ")} | ${ids} |`);
  return `| missing | go without it |\n|---|---|\n${rows.join("\n")}`;
}
