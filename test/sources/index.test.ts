/** Which sources a canary has, by its variables. */
import { describe, expect, test } from "vitest";
import type { Environment } from "../../shared/config/reader.ts";
import { DATABASE_FACTS, REDIS_FACTS } from "../../shared/facts/trust.ts";
import { configureSources } from "../../shared/sources/index.ts";
import { loadConfig } from "../../shared/variables.ts";

const SQL = DATABASE_FACTS.filter((fact) => fact !== "queueCounts");
const DATABASE = { LIBSQL_URL: "https://db.example.com" };
const ACCESSOR = { QUEUE_COUNTS_URL: "https://trinity.example.com/api/queue-counts" };

function sourcesOf(env: Environment) {
  const { sources, cycle } = loadConfig(env);
  return configureSources(sources, cycle).map((source) => [
    source.name,
    "absent" in source ? source.absent : "read",
    source.gives,
  ]);
}

describe("who counts the queues", () => {
  test.each<[string, Environment, unknown[]]>([
    ["SQL, where no accessor is named", DATABASE, [["sqlite", "read", [...SQL, "queueCounts"]]]],
    [
      "the accessor, where one is named",
      { ...DATABASE, ...ACCESSOR },
      [
        ["sqlite", "read", SQL],
        ["queue_counts", "read", ["queueCounts"]],
      ],
    ],
    [
      "nobody, where it is left out",
      { ...DATABASE, QUEUE_COUNTS_URL: "none" },
      [
        ["sqlite", "read", SQL],
        ["queue_counts", "off", ["queueCounts"]],
      ],
    ],
    [
      "no accessor without SQL to compare with",
      ACCESSOR,
      [["sqlite", "not configured", [...SQL, "queueCounts"]]],
    ],
    [
      "no accessor where SQL is left out",
      { ...ACCESSOR, LIBSQL_URL: "none" },
      [["sqlite", "off", [...SQL, "queueCounts"]]],
    ],
    [
      "nobody, where it is left out and SQL is not configured",
      { QUEUE_COUNTS_URL: "none" },
      [
        ["sqlite", "not configured", SQL],
        ["queue_counts", "off", ["queueCounts"]],
      ],
    ],
  ])("%s", (_, env, expected) => {
    expect(sourcesOf(env)).toEqual([
      ...expected,
      ["redis", "not configured", REDIS_FACTS],
      ["docker", "not configured", ["zombies", "containers"]],
    ]);
  });
});

test("an invariant can discredit all that the database gives, and all that Redis gives", () => {
  const given = Object.fromEntries(sourcesOf({}).map(([name, , gives]) => [name, gives]));
  expect(given).toMatchObject({ sqlite: DATABASE_FACTS, redis: REDIS_FACTS });
});

test("every source that is named is read, in the order of the registry", () => {
  const env = {
    ...DATABASE,
    ...ACCESSOR,
    UPSTASH_REDIS_REST_URL: "https://redis.example.com",
    UPSTASH_REDIS_REST_TOKEN: "token",
    DOCKER_HOSTS: "unix:///var/run/docker.sock",
  };
  expect(sourcesOf(env).map(([name, state]) => `${name}: ${state}`)).toEqual([
    "sqlite: read",
    "queue_counts: read",
    "redis: read",
    "docker: read",
  ]);
});
