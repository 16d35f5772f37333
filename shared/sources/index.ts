/** The sources, in the order in which `sources_unavailable` lists them. */
import type { ValuesOf } from "../config/reader.ts";
import { NONE } from "../config/source-variables.ts";
import type { FactName } from "../facts/facts.ts";
import type { ConfiguredSource } from "./collect.ts";
import { docker } from "./docker/docker.ts";
import { queueCounts } from "./queue-counts/queue-counts.ts";
import { redis } from "./redis/redis.ts";
import type { SourceContext, SourceSpec } from "./source.ts";
import { openNamed, sqlite } from "./sqlite/sqlite.ts";

export const SOURCES = [sqlite, queueCounts, redis, docker] as const satisfies readonly SourceSpec[];

export type SourceValues = ValuesOf<(typeof SOURCES)[number]>;

/** Says which backend the variables name; null where they name none. */
export const databaseBackend = ({ sqlite: { url } }: SourceValues): "sqlite" | "postgres" | null =>
  url === null || url === NONE ? null : "sqlite";

/** Configures each source for the facts that it, and no other, is to give. */
export function configureSources(values: SourceValues, cycle: SourceContext["cycle"]): ConfiguredSource[] {
  const context = { cycle, database: openNamed(values.sqlite) };
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
