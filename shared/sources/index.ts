/** The sources, in the order in which `sources_unavailable` lists them. */
import type { ValuesOf } from "../config/reader.ts";
import { NONE } from "../config/source-variables.ts";
import type { FactName } from "../facts/facts.ts";
import type { ConfiguredSource } from "./collect.ts";
import { docker } from "./docker/docker.ts";
import { openNamed as openPostgres, postgres } from "./postgres/postgres.ts";
import { queueCounts } from "./queue-counts/queue-counts.ts";
import { redis } from "./redis/redis.ts";
import type { SourceContext, SourceSpec } from "./source.ts";
import type { Database } from "./sql/database.ts";
import type { Backend } from "./sql/dialect.ts";
import { openNamed as openSqlite, sqlite } from "./sqlite/sqlite.ts";

export const SOURCES = [
  sqlite,
  postgres,
  queueCounts,
  redis,
  docker,
] as const satisfies readonly SourceSpec[];

const [SQLITE_URL, POSTGRES_URL] = [sqlite.variables.url.name, postgres.variables.url.name];

export type SourceValues = ValuesOf<(typeof SOURCES)[number]>;

const isNamed = (url: string | null): boolean => url !== null && url !== NONE;

/** Returns the backend of the platform's database; null where none is named. */
export function databaseBackend({ sqlite, postgres }: SourceValues): Backend | null {
  if (isNamed(sqlite.url)) return "sqlite";
  return isNamed(postgres.url) ? "postgres" : null;
}

/** Reports what is wrong with values of sources that are each fine, but not together. */
export function checkSources({ sqlite, postgres }: SourceValues, problem: (line: string) => void): void {
  if (isNamed(sqlite.url) && isNamed(postgres.url))
    problem(
      `${SQLITE_URL} and ${POSTGRES_URL} are both set, and the platform has one database: leave out the one that it no longer writes`,
    );
}

/** Opens the platform's database. Returns null where none is named. */
export const openDatabase = (values: SourceValues, cycle: SourceContext["cycle"]): Database | null =>
  openSqlite(values.sqlite) ?? openPostgres(values.postgres, cycle);

/**
 * Configures each source for the facts that it, and no other, is to give.
 * @param callReader has others read Docker daemons where they are many; left out, this process reads them
 */
export function configureSources(
  values: SourceValues,
  cycle: SourceContext["cycle"],
  callReader?: SourceContext["callReader"],
): ConfiguredSource[] {
  const context = { cycle, database: openDatabase(values, cycle), callReader };
  const configured = (SOURCES as readonly SourceSpec[]).map(({ name, gives, place, configure }) => {
    const own = values[name as keyof SourceValues];
    return { name, gives, place: place?.(own) ?? null, read: configure(own, context) };
  });
  const giverOf = (fact: FactName) => {
    const givers = configured.filter(({ gives }) => gives.includes(fact));
    return givers.findLast(({ read }) => read !== "not configured") ?? givers[0];
  };
  return configured.flatMap((source): ConfiguredSource[] => {
    const { name, place, read } = source;
    const gives = source.gives.filter((fact) => giverOf(fact) === source);
    if (gives.length === 0) return [];
    return [typeof read === "string" ? { name, gives, absent: read } : { name, gives, place, read }];
  });
}
