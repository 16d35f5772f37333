/** An error in infra/environments.ts is named, with its fix, before anything is deployed. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import {
  ENVIRONMENTS,
  type EnvironmentInput,
  findEnvironment,
  hasReaders,
  longDaemonsOf,
  parseEnvironment,
  variablesOf,
} from "../../infra/environments.ts";
import { ConfigError } from "../../shared/config/reader.ts";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));
const STAGING = ENVIRONMENTS.staging!;
const POSTGRES = "postgres://canary@db.example.com/trinity";

function problemsOf(work: () => unknown): readonly string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test("the environments of the project can be used, and none holds a secret", () => {
  for (const name of ["dev", "staging", "prod"]) expect(findEnvironment(name).everyMinutes).toBe(5);
  expect(JSON.stringify(ENVIRONMENTS)).not.toMatch(/token|password|BEGIN|hooks\.slack/i);
});

test("what an entry leaves out has a default", () => {
  expect(parseEnvironment("small", { ...STAGING })).toMatchObject({
    memoryMb: 512,
    cycleTimeoutSeconds: 90,
    sourceDeadlineMs: 10_000,
    confirmAfterMs: 3_000,
    expectAgents: 0,
    // On the command line and with npm start it is 0.
    zombieDwellSeconds: 600,
    logDays: 30,
    alerts: {
      onRecovery: true,
      onSpread: true,
      remindAfterHours: 24,
      minSeverity: "minor",
      blindAfterCycles: 3,
    },
  });
});

test("how many agents are expected becomes a variable of the function that runs cycles", () => {
  const settings = parseEnvironment("small", { ...STAGING, expectAgents: 12 });
  expect(variablesOf("small", settings, "cycle")).toMatchObject({ EXPECT_AGENTS: "12" });
  expect(variablesOf("small", settings, "api")).not.toHaveProperty("EXPECT_AGENTS");
});

test("the database is a PostgreSQL or an SQLite, and becomes variables of the function that runs cycles", () => {
  const { libsqlUrl: _, ...others } = STAGING;
  const ca = "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
  for (const databaseCa of [ca, "/var/runtime/ca-cert.pem"]) {
    const settings = parseEnvironment("small", { ...others, databaseUrl: POSTGRES, databaseCa });
    const variables = variablesOf("small", settings, "cycle");
    expect(variables).toMatchObject({ DATABASE_URL: POSTGRES, DATABASE_CA: databaseCa });
    expect(variables).not.toHaveProperty("LIBSQL_URL");
    expect(Object.keys(variablesOf("small", settings, "api")).join()).not.toMatch(/DATABASE|LIBSQL/);
  }
  expect(variablesOf("small", parseEnvironment("small", STAGING))).not.toHaveProperty("DATABASE_URL");
  const { network } = ENVIRONMENTS.prod!;
  const inClear = {
    ...others,
    network,
    databaseUrl: "postgresql://canary@10.0.0.7:6432/trinity?sslmode=disable",
  };
  expect(variablesOf("small", parseEnvironment("small", inClear)).DATABASE_URL).toBe(inClear.databaseUrl);
});

test("which invariants run, and how severe they are, become variables of both functions", () => {
  const checks = { off: ["R-01", "B-01"], on: ["S-01"], severities: { "S-01": "major", "B-02": "minor" } };
  const settings = parseEnvironment("small", { ...STAGING, checks });
  for (const reader of ["cycle", "api"] as const)
    expect(variablesOf("small", settings, reader)).toMatchObject({
      CHECKS_OFF: "R-01,B-01",
      CHECKS_ON: "S-01",
      SEVERITIES: "S-01=major,B-02=minor",
    });
  expect(Object.keys(variablesOf("small", parseEnvironment("small", STAGING))).join()).not.toMatch(
    /CHECKS|SEVERITIES/,
  );
});

test("an invariant that is not there is an error of the types", () => {
  const typed: EnvironmentInput = { ...STAGING, checks: { off: ["R-01"], severities: { "S-01": "minor" } } };
  // @ts-expect-error: no invariant has this id
  const unknown: EnvironmentInput = { ...STAGING, checks: { off: ["R-99"] } };
  // @ts-expect-error: no invariant has this id
  const severe: EnvironmentInput = { ...STAGING, checks: { severities: { "R-99": "minor" } } };
  expect(parseEnvironment("small", typed).checks).toEqual({ on: [], ...typed.checks });
  for (const input of [unknown, severe]) expect(() => parseEnvironment("small", input)).toThrow(/R-99/);
});

const daemons = (count: number) =>
  Array.from({ length: count }, (_, i) => `tcp://docker-${1000 + i}.eu-west-1.trinity.example.com:2376`);

test("daemons are a variable while they fit, and else come from a secret; readers read ten and more", () => {
  const few = parseEnvironment("small", { ...STAGING, dockerHosts: daemons(9) });
  expect(variablesOf("small", few)).toMatchObject({ DOCKER_HOSTS: daemons(9).join(",") });
  expect([longDaemonsOf("small", few), hasReaders(few)]).toEqual([null, false]);
  const many = parseEnvironment("small", { ...STAGING, dockerHosts: daemons(100) });
  expect(variablesOf("small", many)).not.toHaveProperty("DOCKER_HOSTS");
  expect([longDaemonsOf("small", many), hasReaders(many)]).toEqual([
    { DOCKER_HOSTS: daemons(100).join(",") },
    true,
  ]);
  for (const dockerHosts of ["none" as const, daemons(9)])
    expect(hasReaders(parseEnvironment("small", { ...STAGING, dockerHosts }))).toBe(false);
  const asked = { ...STAGING, dockerReadersFrom: 1 };
  expect(hasReaders(parseEnvironment("small", asked))).toBe(true);
});

test("an environment that is not there, or not named", () => {
  expect(problemsOf(() => findEnvironment("qa"))).toEqual([
    'there is no environment "qa": give one of dev, staging, prod, or add an entry to infra/environments.ts',
  ]);
  expect(problemsOf(() => findEnvironment("toString"))).toHaveLength(1);
  expect(problemsOf(() => findEnvironment(undefined))).toEqual([
    "no environment is named: add -c env=NAME, one of dev, staging, prod",
  ]);
  expect(problemsOf(() => parseEnvironment("Prod EU", STAGING))[0]).toMatch(
    /^"Prod EU" can't name an environment/,
  );
});

describe("a field that can't be used is named, with the fix", () => {
  test.for<[string, object, RegExp]>([
    ["a misspelt field", { memoryMB: 512 }, /^staging\.memoryMB is not a setting of an environment/],
    ["a misspelt policy", { alerts: { remindHours: 3 } }, /^staging\.alerts\.remindHours is not a setting/],
    ["fewer agents than none", { expectAgents: -1 }, /^staging\.expectAgents: .*agents .*from 0 to 100000/],
    [
      "an invariant that is not there",
      { checks: { off: ["R-01", "X-99"] } },
      /^staging\.checks\.off\.1 names "X-99", which no invariant has: there are H-01, .*R-01/,
    ],
    [
      "a severity of an invariant that is not there",
      { checks: { severities: { "X-99": "minor" } } },
      /^staging\.checks\.severities\.X-99: no invariant has this id: there are H-01/,
    ],
    [
      "a severity that is none",
      { checks: { severities: { "S-01": "high" } } },
      /^staging\.checks\.severities\.S-01: give one of critical, major, minor/,
    ],
    [
      "an id that is no list",
      { checks: { off: "R-01" } },
      /^staging\.checks\.off: give a list of ids, like \["R-01"\]/,
    ],
    [
      "an invariant that is to be off and on",
      { checks: { off: ["R-01", "S-01"], on: ["S-01"] } },
      /^staging\.checks\.on names S-01, which checks\.off names too: name each in one of the two/,
    ],
    ["a misspelt list", { checks: { of: ["R-01"] } }, /^staging\.checks\.of is not a setting/],
    ["a field that is missing", { redisUrl: undefined }, /^staging\.redisUrl is missing: give https:\/\//],
    [
      "a token in an address",
      { libsqlUrl: "libsql://db.example.com?authToken=x" },
      /^staging\.libsqlUrl: give .* without a token/,
    ],
    [
      "no database",
      { libsqlUrl: undefined },
      /^staging\.databaseUrl is missing, and so is libsqlUrl: give the one of the platform's database/,
    ],
    [
      "two databases",
      { databaseUrl: "postgres://canary@db.example.com/trinity" },
      /^staging\.databaseUrl can't be with libsqlUrl.*remove the one that it no longer writes$/,
    ],
    [
      "a password in the address of a PostgreSQL",
      { libsqlUrl: undefined, databaseUrl: "postgres://canary:hunter2@db.example.com/trinity" },
      /^staging\.databaseUrl has a password in it: leave it out, and put it into the secret as DATABASE_PASSWORD$/,
    ],
    [
      "a PostgreSQL whose certificate nobody checks",
      { libsqlUrl: undefined, databaseUrl: "postgres://canary@db.example.com/trinity?sslmode=require" },
      /^staging\.databaseUrl has an sslmode that does not check .*verify-full, or give sslmode=disable for a private/,
    ],
    [
      "a parameter of a PostgreSQL that is not taken",
      {
        libsqlUrl: undefined,
        databaseUrl: "postgres://canary@db.example.com/trinity?sslmode=verify-full&sslrootcert=/ca.pem",
      },
      /^staging\.databaseUrl has a parameter that is not taken: sslmode is the only one/,
    ],
    [
      "a MySQL",
      { libsqlUrl: undefined, databaseUrl: "mysql://canary@db.example.com/trinity" },
      /^staging\.databaseUrl is for a PostgreSQL: give one like postgres:\/\/user@host:port\/database$/,
    ],
    [
      "a PostgreSQL without a user",
      { libsqlUrl: undefined, databaseUrl: "postgres://db.example.com/trinity" },
      /^staging\.databaseUrl lacks a user, a host or a database.*: give one like postgres:/,
    ],
    [
      "a password of a PostgreSQL that would go in the clear",
      { libsqlUrl: undefined, databaseUrl: "postgres://canary@10.0.0.7/trinity?sslmode=disable" },
      /^staging\.databaseUrl would send its password in the clear: leave sslmode out, or give the network/,
    ],
    [
      "a CA for another database",
      { databaseCa: "/var/runtime/ca-cert.pem" },
      /^staging\.databaseCa is for a databaseUrl with TLS/,
    ],
    [
      "a CA that is a path of this machine",
      { libsqlUrl: undefined, databaseUrl: POSTGRES, databaseCa: "~/ca.pem" },
      /^staging\.databaseCa: give the PEM of a CA, or a path that the function has/,
    ],
    [
      "a CA that does not fit into a function's variables",
      {
        libsqlUrl: undefined,
        databaseUrl: POSTGRES,
        databaseCa: `-----BEGIN CERTIFICATE-----\n${"A".repeat(4000)}\n-----END CERTIFICATE-----`,
      },
      /^staging\.databaseCa: .*takes 4096: put it into the secret, as DATABASE_CA$/,
    ],
    [
      "a password in an address",
      { redisUrl: "https://u:p@redis.example.com" },
      /^staging\.redisUrl: give .* without a user, a password or a query/,
    ],
    [
      "a daemon without a scheme",
      { dockerHosts: ["10.0.0.5:2376"] },
      /^staging\.dockerHosts\.0: give tcp:\/\/host:port/,
    ],
    [
      "a daemon without a port",
      { dockerHosts: ["tcp://10.0.0.5"] },
      /^staging\.dockerHosts\.0: give tcp:\/\/host:port/,
    ],
    ["no daemon", { dockerHosts: [] }, /^staging\.dockerHosts: give at least one daemon, or "none"/],
    [
      "a schedule that is too slow",
      { everyMinutes: 15 },
      /^staging\.everyMinutes: give minutes .* from 1 to 5/,
    ],
    ["a number in quotes", { memoryMb: "512" }, /^staging\.memoryMb: give .* a whole number/],
    ["a retention that CloudWatch lacks", { logDays: 5 }, /^staging\.logDays: give one of 1, 3, 7/],
    [
      "an unknown auth",
      { functionUrl: { auth: "none" } },
      /^staging\.functionUrl\.auth: give \{auth: "bearer"\}/,
    ],
    [
      "iam without callers",
      { functionUrl: { auth: "iam" } },
      /^staging\.functionUrl\.callers is missing: give a list/,
    ],
    [
      "a badge for everybody behind signatures",
      { publicBadge: true, functionUrl: { auth: "iam", callers: [] } },
      /^staging\.publicBadge can't be with functionUrl\.auth iam.*take bearer/,
    ],
    ["a badge that is neither", { publicBadge: "on" }, /^staging\.publicBadge: give true or false/],
    [
      "a caller that is no ARN",
      { functionUrl: { auth: "iam", callers: ["bob"] } },
      /^staging\.functionUrl\.callers\.0: give the ARN/,
    ],
    ["an unknown removal", { removal: "maybe" }, /^staging\.removal: give one of keep, delete/],
    [
      "a severity",
      { alerts: { minSeverity: "low" } },
      /^staging\.alerts\.minSeverity: give one of critical, major, minor/,
    ],
    [
      "an address",
      { runbooksUrl: "https://<your-host>/x" },
      /^staging\.runbooksUrl is not an address: give the https:\/\/ address of a copy of docs\/runbooks/,
    ],
    ["an e-mail address", { alarmEmail: "ops" }, /^staging\.alarmEmail: give an e-mail address/],
    ["a region", { region: "Ireland" }, /^staging\.region: give a region such as/],
    ["an account that is a number", { account: 123456789012 }, /^staging\.account: give .* as a string/],
    [
      "a VPC without subnets",
      { network: { vpcId: "vpc-0123456789abcdef0", subnetIds: [] } },
      /^staging\.network\.subnetIds: give at least one/,
    ],
    [
      "a time limit below three reads",
      { cycleTimeoutSeconds: 20 },
      /^staging\.cycleTimeoutSeconds is 20, but a cycle .* may take 73: give at least that/,
    ],
    [
      "an API that can't wait for such a cycle",
      { apiTimeoutSeconds: 73 },
      /^staging\.apiTimeoutSeconds is 73, but a cycle .* may take 83: give at least that/,
    ],
    ["too little memory for Node", { memoryMb: 128 }, /^staging\.memoryMb: give .* from 256 to 10240/],
    [
      "more daemons than a secret holds",
      { dockerHosts: daemons(1_500) },
      /^staging\.dockerHosts: 1500 daemons make \d{5} bytes, and a secret.* takes 65536: share them out/,
    ],
    ["readers from none on", { dockerReadersFrom: 0 }, /^staging\.dockerReadersFrom: .* from 1 to 10000/],
    ["a reader of no daemon", { dockerReaderDaemons: 0 }, /^staging\.dockerReaderDaemons: .* from 1 to 100/],
    [
      "a token that would go in the clear",
      { redisUrl: "http://203.0.113.9:8079" },
      /^staging\.redisUrl would send its token in the clear: give https:\/\//,
    ],
    [
      "nothing to check",
      { libsqlUrl: "none" },
      /^staging\.libsqlUrl: give libsql:.* every invariant reads it$/,
    ],
    [
      "a way out of the mounted folder",
      { libsqlUrl: "file:/mnt/trinity/../../etc/passwd" },
      /^staging\.libsqlUrl: give /,
    ],
    [
      "a file without its file system",
      { libsqlUrl: "file:/mnt/trinity/a.db" },
      /^staging\.fileSystem is needed for file:\/mnt\/trinity\/a\.db/,
    ],
  ])("%s", ([, fields, message]) => {
    expect(problemsOf(() => parseEnvironment("staging", { ...STAGING, ...fields }))).toEqual([
      expect.stringMatching(message),
    ]);
  });

  test("all of them at once", () => {
    const problems = problemsOf(() => parseEnvironment("staging", { libsqlUrl: "x", removal: "x" }));
    expect(problems.map((problem) => /^staging\.(\w+)/.exec(problem)?.[1])).toEqual([
      "libsqlUrl",
      "redisUrl",
      "dockerHosts",
      "queueCountsUrl",
      "functionUrl",
      "removal",
    ]);
  });

  test("a password in an address is not shown", () => {
    const problems = problemsOf(() =>
      parseEnvironment("staging", { ...STAGING, redisUrl: "https://u:hunter2@r" }),
    );
    expect(problems.join()).not.toContain("hunter2");
  });
});

test("cdk says no more than that one line, and fails", async () => {
  const answer = await new Promise<{ code: number; err: string }>((resolve) => {
    const env = { ...process.env, CDK_CONTEXT_JSON: '{"env":"qa"}' };
    const child = execFile(process.execPath, ["infra/app.ts"], { cwd: PROJECT, env }, (_, __, err) =>
      resolve({ code: child.exitCode ?? -1, err }),
    );
  });
  expect(answer.code).toBe(1);
  expect(answer.err.trim()).toMatch(/^there is no environment "qa": [^\n]*$/);
});
