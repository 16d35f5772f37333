/** Which sources a canary has, by its variables. */
import { describe, expect, test } from "vitest";
import type { Environment } from "../../shared/config/reader.ts";
import { DATABASE_FACTS, REDIS_FACTS } from "../../shared/facts/trust.ts";
import { configureSources, databaseBackend } from "../../shared/sources/index.ts";
import { parseAddress } from "../../shared/sources/postgres/address.ts";
import { loadConfig, SECRET_NAMES } from "../../shared/variables.ts";

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

describe("which database is read", () => {
  const POSTGRES = { DATABASE_URL: "postgres://canary@db.example.com/trinity" };
  const of = (env: Environment) => {
    const { sources } = loadConfig(env);
    const [database] = sourcesOf(env);
    return [...database!.slice(0, 2), databaseBackend(sources)];
  };

  test.each<[string, Environment, unknown[]]>([
    ["SQLite, where LIBSQL_URL names one", DATABASE, ["sqlite", "read", "sqlite"]],
    ["PostgreSQL, where DATABASE_URL names one", POSTGRES, ["postgres", "read", "postgres"]],
    [
      "PostgreSQL beside a SQLite that is left out",
      { ...POSTGRES, LIBSQL_URL: "none" },
      ["postgres", "read", "postgres"],
    ],
    [
      "SQLite beside a PostgreSQL that is left out",
      { ...DATABASE, DATABASE_URL: "none" },
      ["sqlite", "read", "sqlite"],
    ],
    ["none, where none is named", {}, ["sqlite", "not configured", null]],
    ["none, where PostgreSQL is left out", { DATABASE_URL: "none" }, ["postgres", "off", null]],
  ])("%s", (_, env, expected) => {
    expect(of(env)).toEqual(expected);
  });

  test("both is an error that names both", () => {
    expect(() => loadConfig({ ...DATABASE, ...POSTGRES })).toThrow(
      "LIBSQL_URL and DATABASE_URL are both set, and the platform has one database: leave out the one that it no longer writes",
    );
  });

  test.each([
    ["mysql://db.example.com/trinity", "is not the address of a PostgreSQL"],
    ["postgres://db.example.com/trinity", "names no user"],
    ["postgres://canary@db.example.com/", "names no database"],
    [
      "postgres://canary:hunter2@db.example.com/trinity?sslmode=require",
      "has an sslmode that does not check whose server it is",
    ],
    ["postgres://canary:hunter2@db.example.com/trinity?options=-csearch_path", 'has the parameter "options"'],
  ])("an address that can't be used is refused with the fix, and not repeated: %s", (url, problem) => {
    const text = (() => {
      try {
        loadConfig({ DATABASE_URL: url });
      } catch (error) {
        return String(error);
      }
      return "";
    })();
    expect(text).toContain(`DATABASE_URL ${problem}`);
    expect(text).not.toContain("hunter2");
  });

  const given = (url: string) => {
    try {
      return loadConfig({ DATABASE_URL: url }).sources.postgres.url;
    } catch (error) {
      return String(error);
    }
  };
  const PIECES = ["@", "/", "#", "?", ":", "%", "1", "hunter2"];

  test("no piece of a password is taken for the host or shown, whatever it holds; the fix is", () => {
    const pairs = PIECES.flatMap((a) => PIECES.map((b) => `hunter${a}unescaped${b}2`));
    for (const password of pairs) {
      const taken = given(`postgres://canary:${password}@db.example.com:5432/trinity`);
      if (taken?.startsWith("postgres:")) {
        expect(parseAddress(taken, null, null)).toMatchObject({
          place: "db.example.com:5432",
          user: "canary",
        });
        continue;
      }
      expect(taken).toMatch(
        /DATABASE_URL has an @ or a # behind the host.*DATABASE_PASSWORD.*%40, %23, %2F and %3F$/,
      );
      expect(taken).not.toMatch(/hunter|unescaped/);
    }
  });

  test("a password with its characters escaped, or with an @ alone, is taken", () => {
    const passwordIn = (url: string) => parseAddress(given(url)!, null, null).password;
    expect(passwordIn("postgres://canary:a%40b%2Fc%23d%3Fe@db.example.com/trinity")).toBe("a@b/c#d?e");
    expect(passwordIn("postgres://canary:a@b@db.example.com/trinity?sslmode=disable")).toBe("a@b");
  });

  test("a password is a secret, in its variable and in the address", () => {
    const url = "postgres://canary:hunter%212@db.example.com/trinity";
    expect(loadConfig({ DATABASE_URL: url, DATABASE_PASSWORD: "s3cret" }).secrets).toEqual(
      expect.arrayContaining(["hunter%212", "hunter!2", "s3cret"]),
    );
    expect(SECRET_NAMES).toEqual(expect.arrayContaining(["DATABASE_PASSWORD", "DATABASE_CA"]));
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
