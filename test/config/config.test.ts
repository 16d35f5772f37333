import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadAccess } from "../../shared/config/api.ts";
import { loadLocal as loadLocalWith } from "../../shared/config/local.ts";
import { loadPlatform } from "../../shared/config/platform.ts";
import { ConfigError, type Environment } from "../../shared/config/reader.ts";
import { redactor } from "../../shared/config/redactor.ts";
import { loadRemote } from "../../shared/config/remote.ts";
import { configureSources } from "../../shared/sources/index.ts";
import { loadConfig, PASSED_ON } from "../../shared/variables.ts";

const loadLocal = (env: Environment) => loadLocalWith(PASSED_ON, env);
const ADMIN_TOKEN = "correct-horse-battery-staple";
const loadAdminToken = (env: Environment) => loadAccess(env).adminToken;
const loadPublicBadge = (env: Environment) => loadAccess({ ADMIN_TOKEN, ...env }).publicBadge;

const REDIS = {
  UPSTASH_REDIS_REST_URL: "https://redis.example.com",
  UPSTASH_REDIS_REST_TOKEN: "redis-token",
};
const PEM = `-----BEGIN CERTIFICATE-----
MIIBcjCCARegAwIBAgIUTTa7E7rjRui7curQ6xnykllj2zQwCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCY2EwIBcNMjYxMTI2MTkyOTQ5WhgPMjEyNjExMDIxOTI5NDla
MA0xCzAJBgNVBAMMAmNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEo8INUzE0
1xccqTBx7BdmRN+yC+0AhWIdxkJqqENc3X8PrWLHHl3immUXuPrtVs0CrFZtvCNb
IY3RXErtvJ2VKaNTMFEwHQYDVR0OBBYEFBd5jRXcMUA6Q/r/AH8i1DiizN+UMB8G
A1UdIwQYMBaAFBd5jRXcMUA6Q/r/AH8i1DiizN+UMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSQAwRgIhAKhDxm9QFol9zqCQC4M8EAPHrmPCZKUGdi8p4EDS
lyePAiEA1O66D/MvmBRmAR+x9G7ee92/Qq2oyNBsuunqiBtzvNs=
-----END CERTIFICATE-----
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "canary-config-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Returns what an operator reads when these variables are refused. */
function problemsOf(load: (env: Environment) => unknown, env: Environment): readonly string[] {
  try {
    load(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("an environment without any variable", () => {
  const noLimits = { minSeverity: null, invariants: [] };
  const nothing = {
    sources: {
      sqlite: { url: null, authToken: null, lockMs: 100 },
      postgres: { url: null, password: null, ca: null },
      queue_counts: { url: null, token: null },
      redis: { url: null, token: null },
      docker: { hosts: null, readersFrom: 10, readerDaemons: 5, ca: null, cert: null, key: null },
    },
    channels: {
      slack: { webhookUrl: null, ...noLimits },
      sns: { topicArn: null, format: "text", ...noLimits },
      webhook: { url: null, secret: null, ...noLimits },
      pagerduty: { routingKey: null, url: "https://events.pagerduty.com/v2/enqueue", ...noLimits },
      eventbridge: { bus: null, ...noLimits },
    },
    alerts: { environment: "local", statusUrl: null, runbooksUrl: null, heartbeatUrl: null },
    policy: {
      onRecovery: true,
      onSpread: true,
      remindAfterHours: 24,
      minSeverity: "minor",
      blindAfterCycles: 3,
    },
    stateTable: null,
    cycle: { confirmAfterMs: 3_000, sourceDeadlineMs: 10_000, expectAgents: 0, dwellSeconds: 0 },
    checks: { off: [], on: [], severities: {} },
    secrets: [],
  };
  const names = [
    "LIBSQL_URL",
    "LIBSQL_AUTH_TOKEN",
    "LIBSQL_LOCK_MS",
    "UPSTASH_REDIS_REST_URL",
    "UPSTASH_REDIS_REST_TOKEN",
    "DOCKER_HOSTS",
    "DOCKER_TLS_CA",
    "DOCKER_TLS_CERT",
    "DOCKER_TLS_KEY",
    "QUEUE_COUNTS_URL",
    "QUEUE_COUNTS_TOKEN",
    "STATE_TABLE",
    "CONFIRM_AFTER_MS",
    "SOURCE_DEADLINE_MS",
    "EXPECT_AGENTS",
    "R01_DWELL_SECONDS",
    "CHECKS_OFF",
    "CHECKS_ON",
    "SEVERITIES",
    "CANARY_ENVIRONMENT",
    "CANARY_STATUS_URL",
    "RUNBOOKS_URL",
    "HEARTBEAT_URL",
    "SLACK_WEBHOOK_URL",
    "SLACK_MIN_SEVERITY",
    "SLACK_INVARIANTS",
    "ALERT_TOPIC_ARN",
    "SNS_FORMAT",
    "WEBHOOK_URL",
    "WEBHOOK_SECRET",
    "PAGERDUTY_ROUTING_KEY",
    "PAGERDUTY_URL",
    "EVENT_BUS",
    "ALERT_ON_RECOVERY",
    "ALERT_ON_SPREAD",
    "ALERT_REMIND_HOURS",
    "ALERT_MIN_SEVERITY",
    "ALERT_BLIND_CYCLES",
  ];

  test("has defaults, and no source", () => {
    expect(loadConfig({})).toEqual(nothing);
  });

  test.each(names)("%s that is empty or blank is one that is not set", (name) => {
    expect(loadConfig({ [name]: "" })).toEqual(nothing);
    expect(loadConfig({ [name]: "  \n" })).toEqual(nothing);
  });
});

describe("sources that are named", () => {
  test.each([
    "libsql://db.example.com",
    "https://db.example.com",
    "http://127.0.0.1:8080",
    "file:/data/trinity.db",
  ])("LIBSQL_URL=%s", (url) => {
    expect(loadConfig({ LIBSQL_URL: url }).sources.sqlite).toEqual({ url, authToken: null, lockMs: 100 });
    expect(loadConfig({ LIBSQL_URL: ` ${url}\n`, LIBSQL_AUTH_TOKEN: "jwt" }).sources.sqlite).toEqual({
      url,
      authToken: "jwt",
      lockMs: 100,
    });
  });

  test("Redis with its token", () => {
    expect(loadConfig(REDIS).sources.redis).toEqual({
      url: "https://redis.example.com",
      token: "redis-token",
    });
  });

  test("several Docker daemons, with blanks and a last comma", () => {
    const { docker } = loadConfig({
      DOCKER_HOSTS: "tcp://a.example.com:2376, unix:///var/run/docker.sock ,tcp://b:2376/,",
    }).sources;
    expect(docker).toEqual({
      hosts: ["tcp://a.example.com:2376", "unix:///var/run/docker.sock", "tcp://b:2376/"],
      ca: null,
      cert: null,
      key: null,
      readersFrom: 10,
      readerDaemons: 5,
    });
  });

  test("a queue accessor over HTTP, with and without a token", () => {
    const url = "https://trinity.example.com/api/queue-counts";
    expect(loadConfig({ QUEUE_COUNTS_URL: url }).sources.queue_counts).toEqual({ url, token: null });
    expect(loadConfig({ QUEUE_COUNTS_URL: url, QUEUE_COUNTS_TOKEN: "t" }).sources.queue_counts).toEqual({
      url,
      token: "t",
    });
  });

  test("the table of the state", () => {
    expect(loadConfig({ STATE_TABLE: "canary-prod" }).stateTable).toBe("canary-prod");
  });
});

describe("none leaves a source out on purpose", () => {
  test.each([
    ["LIBSQL_URL", "sqlite"],
    ["UPSTASH_REDIS_REST_URL", "redis"],
    ["DOCKER_HOSTS", "docker"],
    ["QUEUE_COUNTS_URL", "queue_counts"],
  ] as const)("%s=none", (name, part) => {
    const { sources, cycle } = loadConfig({ [name]: "none" });
    expect(configureSources(sources, cycle)).toContainEqual(
      expect.objectContaining({ name: part, absent: "off" }),
    );
  });

  test("Redis that is left out needs no token", () => {
    expect(problemsOf(loadConfig, { UPSTASH_REDIS_REST_URL: "none" })).toEqual([]);
  });
});

describe("what can't be used is refused, with the variable's name and the fix", () => {
  test.each<[string, Environment, RegExp]>([
    ["LIBSQL_URL", { LIBSQL_URL: "db.example.com" }, /libsql:\/\/.*"none"/],
    ["LIBSQL_URL", { LIBSQL_URL: "postgres://db.example.com/x" }, /libsql:\/\//],
    [
      "UPSTASH_REDIS_REST_URL",
      { ...REDIS, UPSTASH_REDIS_REST_URL: "redis://redis.example.com:6379" },
      /https:\/\/.*"none"/,
    ],
    [
      "UPSTASH_REDIS_REST_TOKEN",
      { UPSTASH_REDIS_REST_URL: "https://redis.example.com" },
      /missing: give the token/,
    ],
    ["UPSTASH_REDIS_REST_TOKEN", { ...REDIS, UPSTASH_REDIS_REST_TOKEN: " " }, /missing: give the token/],
    [
      "DOCKER_HOSTS",
      { DOCKER_HOSTS: "docker.example.com" },
      /"docker.example.com".*tcp:\/\/host:port.*"none"/,
    ],
    ["DOCKER_HOSTS", { DOCKER_HOSTS: "tcp://a:2376,https://b:2376" }, /"https:\/\/b:2376"/],
    ["DOCKER_HOSTS", { DOCKER_HOSTS: "tcp://a" }, /tcp:\/\/host:port/],
    ["DOCKER_HOSTS", { DOCKER_HOSTS: "," }, /names no daemon: give tcp:\/\/host:port/],
    ["DOCKER_HOSTS", { DOCKER_HOSTS: " , ,\n" }, /names no daemon/],
    ["DOCKER_TLS_KEY", { DOCKER_HOSTS: "tcp://a:2376", DOCKER_TLS_CERT: PEM }, /missing/],
    ["DOCKER_TLS_CERT", { DOCKER_HOSTS: "tcp://a:2376", DOCKER_TLS_KEY: PEM }, /missing/],
    ["QUEUE_COUNTS_URL", { QUEUE_COUNTS_URL: "trinity.example.com" }, /https:\/\/.*"none"/],
    ["CONFIRM_AFTER_MS", { CONFIRM_AFTER_MS: "3s" }, /"3s".*from 0 to 60000.*leave it out for 3000/],
    ["CONFIRM_AFTER_MS", { CONFIRM_AFTER_MS: "60001" }, /from 0 to 60000/],
    ["SOURCE_DEADLINE_MS", { SOURCE_DEADLINE_MS: "99" }, /from 100 to 60000.*leave it out for 10000/],
    ["SOURCE_DEADLINE_MS", { SOURCE_DEADLINE_MS: "0" }, /from 100/],
    ["SOURCE_DEADLINE_MS", { SOURCE_DEADLINE_MS: "1e3" }, /whole number/],
    ["SOURCE_DEADLINE_MS", { SOURCE_DEADLINE_MS: "0x400" }, /whole number/],
    ["SOURCE_DEADLINE_MS", { SOURCE_DEADLINE_MS: "500.5" }, /whole number/],
    ["R01_DWELL_SECONDS", { R01_DWELL_SECONDS: "-1" }, /from 0 to 86400/],
    ["R01_DWELL_SECONDS", { R01_DWELL_SECONDS: "Infinity" }, /from 0 to 86400/],
  ])("%s of %j", (name, env, fix) => {
    const problems = problemsOf(loadConfig, env);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name} `));
    expect(problems[0]).toMatch(fix);
  });

  test.each([
    "https://canary:hunter2@db.example.com",
    "https://hunter2@db.example.com",
    "https://:hunter2@db.example.com",
    "https://hunter2:@db.example.com",
    "https://canary:100%25hunter2@db.example.com?sslkey=hunter2",
  ])("an address with a user or a password, which no client would send (%s)", (url) => {
    for (const name of ["LIBSQL_URL", "QUEUE_COUNTS_URL"]) {
      const problems = problemsOf(loadConfig, { [name]: url });
      expect(problems).toEqual([expect.stringMatching(/^LIBSQL_URL|^QUEUE_COUNTS_URL/)]);
      expect(problems[0]).toMatch(/has a user or a password.*token in its own variable/);
      expect(problems[0]).not.toContain("hunter2");
    }
  });

  test("everything that is wrong is named at once", () => {
    const env = {
      LIBSQL_URL: "x",
      UPSTASH_REDIS_REST_URL: "https://r",
      R01_DWELL_SECONDS: "a",
      DOCKER_HOSTS: "b,c",
    };
    expect(problemsOf(loadConfig, env).map((p) => p.split(" ")[0])).toEqual([
      "LIBSQL_URL",
      "UPSTASH_REDIS_REST_TOKEN",
      "DOCKER_HOSTS",
      "DOCKER_HOSTS",
      "R01_DWELL_SECONDS",
    ]);
    expect(() => loadConfig(env)).toThrow(/LIBSQL_URL[\s\S]*R01_DWELL_SECONDS/);
  });

  test("an address that is refused is not repeated: it may hold a password", () => {
    const env = { LIBSQL_URL: "postgres://canary:hunter2@db", QUEUE_COUNTS_URL: "ftp://canary:hunter2@q" };
    expect(problemsOf(loadConfig, env).join()).not.toContain("hunter2");
  });

  test("limits that are just met are taken", () => {
    expect(
      loadConfig({ CONFIRM_AFTER_MS: "0", SOURCE_DEADLINE_MS: "60000", R01_DWELL_SECONDS: "86400" }),
    ).toMatchObject({ cycle: { confirmAfterMs: 0, sourceDeadlineMs: 60_000, dwellSeconds: 86_400 } });
  });
});

describe("DOCKER_TLS_*: a PEM, or the path of one", () => {
  const withTls = (tls: Environment) => loadConfig({ DOCKER_HOSTS: "tcp://a:2376", ...tls }).sources.docker;

  test("the text itself", () => {
    expect(withTls({ DOCKER_TLS_CA: PEM })).toMatchObject({ ca: PEM.trim() });
  });

  test("the text in one line, with \\n for its line ends, as CI systems keep it", () => {
    expect(withTls({ DOCKER_TLS_CA: PEM.replaceAll("\n", "\\n") })).toMatchObject({ ca: PEM });
  });

  test("a file", () => {
    const path = join(folder, "ca.pem");
    writeFileSync(path, PEM);
    expect(withTls({ DOCKER_TLS_CA: path, DOCKER_TLS_CERT: path, DOCKER_TLS_KEY: path })).toMatchObject({
      ca: PEM,
      cert: PEM,
      key: PEM,
    });
  });

  test.each(["DOCKER_TLS_CA", "DOCKER_TLS_CERT", "DOCKER_TLS_KEY"])(
    "%s names a file that is not there",
    (name) => {
      const env = { DOCKER_HOSTS: "tcp://a:2376", [name]: join(folder, "nowhere.pem") };
      expect(problemsOf(loadConfig, env)[0]).toMatch(
        new RegExp(`^${name} is neither a PEM nor a file.*-----BEGIN`),
      );
    },
  );

  test("a file that holds something else", () => {
    const path = join(folder, "notes.txt");
    writeFileSync(path, "the certificate is with Anna");
    const problems = problemsOf(loadConfig, { DOCKER_HOSTS: "tcp://a:2376", DOCKER_TLS_CA: path });
    expect(problems).toEqual([expect.stringMatching(/^DOCKER_TLS_CA .*-----BEGIN/)]);
    expect(problems[0]).not.toContain("Anna");
  });
});

describe.each(["DATABASE_CA", "DOCKER_TLS_CA"])("%s: the certificates of CAs, and nothing else", (name) => {
  const problemsWith = (ca: string) => problemsOf(loadConfig, { [name]: ca });

  test("one, or several with their descriptions between them", () => {
    expect(problemsWith(PEM)).toEqual([]);
    expect(problemsWith(`# Amazon RDS eu-west-1\n${PEM}\n# Amazon RDS eu-west-2\n${PEM}`)).toEqual([]);
  });

  const key = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----";
  const cut = PEM.replace(/.{64}\n/, "");
  test.each([
    ["a key", key, /^\w+ holds a private key: give the certificate of the CA alone/],
    ["a certificate with its key", PEM + key, /^\w+ holds a private key/],
    ["a key of the older kind", key.replaceAll("PRIVATE", "EC PRIVATE"), /^\w+ holds a private key/],
    ["a key that is cut", key.slice(0, 40), /^\w+ holds a private key/],
    [
      "a certificate that is cut",
      cut,
      /^\w+ holds something that is no certificate: give each from -----BEGIN/,
    ],
    ["one that is cut behind one that is not", PEM + cut, /^\w+ holds something that is no certificate/],
    [
      "one without its end behind one",
      `${PEM}-----BEGIN CERTIFICATE-----\nMII`,
      /holds something that is no/,
    ],
    ["one without its end", PEM.slice(0, 100), /^\w+ holds something that is no certificate/],
    ["a request", PEM.replaceAll("CERTIFICATE", "CERTIFICATE REQUEST"), /^\w+ holds something that is no/],
  ])("%s is refused by name, and not shown", (_, ca, problem) => {
    expect(problemsWith(ca)).toEqual([expect.stringMatching(problem)]);
    expect(problemsWith(ca)[0]).toContain(name);
    expect(problemsWith(ca).join()).not.toMatch(/hunter2|MII/);
  });
});

describe("secrets", () => {
  test("every one of them is known, and taken out of a line", () => {
    const { secrets } = loadConfig({
      LIBSQL_URL: "https://db.example.com?authToken=p%40ss-word",
      LIBSQL_AUTH_TOKEN: "sql-token",
      ...REDIS,
      QUEUE_COUNTS_URL: "https://trinity.example.com?key=queue-password",
      QUEUE_COUNTS_TOKEN: "queue-token",
      DOCKER_HOSTS: "tcp://a:2376",
      DOCKER_TLS_CERT: PEM,
      DOCKER_TLS_KEY: "-----BEGIN KEY-----\nprivate\n-----END KEY-----",
    });
    const line =
      "p@ss-word sql-token redis-token queue-password queue-token -----BEGIN KEY-----\nprivate\n-----END KEY-----";
    expect(redactor(secrets)(line)).toBe("*** *** *** *** *** ***");
  });

  test("so is what stands in an address's query", () => {
    const { secrets } = loadConfig({
      LIBSQL_URL: "libsql://db.example.com?authToken=ey.j%2Bw.t&tls=1",
      QUEUE_COUNTS_URL: "https://trinity.example.com/counts?key=queue-key",
    });
    expect(secrets).toEqual(expect.arrayContaining(["ey.j+w.t", "queue-key"]));
    expect(redactor(secrets)("refused ey.j+w.t for queue-key, tls=1")).toBe("refused *** for ***, tls=1");
  });

  test("one secret is the beginning of another, in whatever order they came: neither leaves a rest", () => {
    const secrets = ["token", "token-of-redis", "token-of"];
    for (const order of [secrets, [...secrets].reverse()])
      expect(redactor(order)("token-of-redis token-of token")).toBe("*** *** ***");
  });

  test("wherever a secret stands in a line, and however often", () => {
    expect(redactor(["s3cr3t"])("as3cr3tb s3cr3t")).toBe("a***b ***");
  });

  test("a secret with characters of a pattern is text like any other", () => {
    expect(redactor(["a.c*($&"])("abc a.c*($& $&")).toBe("abc *** $&");
  });

  test("the token of a source that is left out is a secret all the same", () => {
    expect(loadConfig({ LIBSQL_URL: "none", LIBSQL_AUTH_TOKEN: "sql-token" }).secrets).toEqual(["sql-token"]);
  });

  test("a line without any is left as it is, and so is every line where there are none", () => {
    expect(redactor(["s3cr3t", "ab"])("redis: ECONNREFUSED abba")).toBe("redis: ECONNREFUSED abba");
    expect(redactor([])("anything")).toBe("anything");
  });
});

describe("the tokens of the API and the command line", () => {
  test("ADMIN_TOKEN is what callers must send", () => {
    expect(loadAdminToken({ ADMIN_TOKEN: ` ${ADMIN_TOKEN}\n` })).toBe(ADMIN_TOKEN);
  });

  test.each([{}, { ADMIN_TOKEN: "" }, { ADMIN_TOKEN: "   " }])("without it (%j) there is no API", (env) => {
    expect(problemsOf(loadAdminToken, env)).toEqual([
      expect.stringMatching(/^ADMIN_TOKEN is missing: give /),
    ]);
  });

  test.each([
    "a token of some more words",
    "a-token-with-a-tab-at-the-\tend",
    "a-token-with-a-new-\nline-in-it",
    "a-token-with-a\u00a0blank-that-is-hard-to-see",
  ])("ADMIN_TOKEN of %j: no bearer token can be that, so nobody could ever come in", (token) => {
    const problems = problemsOf(loadAdminToken, { ADMIN_TOKEN: token });
    expect(problems).toEqual([expect.stringMatching(/^ADMIN_TOKEN has a .*: give one/)]);
    expect(problems[0]).not.toContain(token);
  });

  test.each(["a", "hunter2", "x".repeat(23), ` ${"x".repeat(23)} `])(
    "ADMIN_TOKEN of %j can be guessed: neither the API nor npm start takes it, and both say how to make one",
    (token) => {
      for (const load of [loadAdminToken, loadLocal]) {
        const problems = problemsOf(load, { ADMIN_TOKEN: token });
        expect(problems).toEqual([
          "ADMIN_TOKEN has fewer than 24 characters, and could be guessed: make one with `openssl rand -hex 24`",
        ]);
      }
      expect(loadAdminToken({ ADMIN_TOKEN: "x".repeat(24) })).toBe("x".repeat(24));
    },
  );

  test("CANARY_URL and CANARY_TOKEN name a deployed canary; a slash at the end is no matter", () => {
    expect(loadRemote({ CANARY_URL: "https://c.example.com//", CANARY_TOKEN: "t" })).toEqual({
      url: "https://c.example.com",
      auth: { token: "t" },
    });
    expect(loadRemote({ CANARY_TOKEN: "t" })).toBeNull();
    expect(loadRemote({ CANARY_URL: " " })).toBeNull();
  });

  test("CANARY_URL without a token, or that is no address", () => {
    expect(problemsOf(loadRemote, { CANARY_URL: "https://c.example.com" })).toEqual([
      expect.stringMatching(/^CANARY_TOKEN is missing: give /),
    ]);
    expect(problemsOf(loadRemote, { CANARY_URL: "c.example.com" })).toEqual([
      expect.stringMatching(/^CANARY_URL is not an address: give /),
      expect.stringMatching(/^CANARY_TOKEN /),
    ]);
  });

  test("CANARY_AUTH=iam signs for the region that the address names, or the shell's", () => {
    const CANARY_AUTH = "iam";
    const CANARY_URL = "https://abc.lambda-url.eu-west-1.on.aws/";
    expect(loadRemote({ CANARY_AUTH, CANARY_URL, AWS_REGION: "us-east-1" })?.auth).toEqual({
      region: "eu-west-1",
    });
    const own = { CANARY_AUTH, CANARY_URL: "https://canary.example.com" };
    expect(loadRemote({ ...own, AWS_REGION: "us-east-1" })?.auth).toEqual({ region: "us-east-1" });
    expect(problemsOf(loadRemote, own)).toEqual([expect.stringMatching(/^AWS_REGION is missing/)]);
    expect(problemsOf(loadRemote, { CANARY_URL, CANARY_TOKEN: "t", CANARY_AUTH: "none" })).toEqual([
      expect.stringMatching(/^CANARY_AUTH is "none": give bearer or iam/),
    ]);
  });

  test("the API asks for a signature or for the token, and for nothing less", () => {
    expect([{}, { PUBLIC_BADGE: " " }, { PUBLIC_BADGE: "off" }].map(loadPublicBadge)).toEqual([
      false,
      false,
      false,
    ]);
    expect(loadPublicBadge({ PUBLIC_BADGE: "on" })).toBe(true);
    expect(problemsOf(loadPublicBadge, { PUBLIC_BADGE: "yes" })).toEqual([
      'PUBLIC_BADGE is "yes": give on or off, or leave it out for off',
    ]);
    expect(loadAdminToken({ API_AUTH: "iam" })).toBeNull();
    expect(loadAdminToken({ API_AUTH: "bearer", ADMIN_TOKEN })).toBe(ADMIN_TOKEN);
    expect(problemsOf(loadAdminToken, { API_AUTH: "IAM", ADMIN_TOKEN })).toEqual([
      expect.stringMatching(/^API_AUTH is "IAM": give bearer or iam/),
    ]);
  });

  test("PLATFORM_URL and PLATFORM_TOKEN name the platform", () => {
    const env = { PLATFORM_URL: "https://t.example.com/base/", PLATFORM_TOKEN: "t" };
    expect(loadPlatform(env)).toEqual({ url: "https://t.example.com/base", token: "t" });
  });

  test.each([
    "t.example.com",
    "https://",
    "ftp://t.example.com",
    "https://me:hunter2@t.example.com",
    "https://t.example.com/?token=hunter2",
  ])("a platform at %s is refused, without its secrets", (url) => {
    const problems = problemsOf(loadPlatform, {
      PLATFORM_URL: url,
      PLATFORM_TOKEN: "two words",
    });
    expect(problems).toEqual([
      expect.stringMatching(/^PLATFORM_TOKEN has a character that no header can carry/),
      expect.stringMatching(/^PLATFORM_URL is not an address: give /),
    ]);
    expect(problems.join()).not.toContain("hunter2");
  });

  test("the embedded environment takes the shell's Docker variables, or the usual socket", () => {
    expect(loadLocal({})).toEqual({
      dockerHost: "unix:///var/run/docker.sock",
      dockerCertPath: undefined,
      adminToken: undefined,
      readTokens: [],
      publicBadge: false,
      variables: {},
    });
    expect(loadLocal({ DOCKER_HOST: "tcp://d:2376", DOCKER_CERT_PATH: "/certs", ADMIN_TOKEN })).toEqual({
      dockerHost: "tcp://d:2376",
      dockerCertPath: "/certs",
      adminToken: ADMIN_TOKEN,
      readTokens: [],
      publicBadge: false,
      variables: {},
    });
    expect(loadLocal({ PUBLIC_BADGE: "on" }).publicBadge).toBe(true);
    const passedOn = {
      SLACK_WEBHOOK_URL: "https://hooks.slack.com/x",
      ALERT_REMIND_HOURS: "1",
      CHECKS_OFF: "R-01",
      CHECKS_ON: "S-01",
      SEVERITIES: "S-01=major",
    };
    const env = { ...passedOn, PATH: "/bin", ALERT_ON_SPREAD: undefined };
    expect(loadLocal(env).variables).toEqual(passedOn);
  });

  test.each([
    "CANARY_STATUS_URL",
    "RUNBOOKS_URL",
    "HEARTBEAT_URL",
    "WEBHOOK_URL",
    "PAGERDUTY_URL",
    "SLACK_WEBHOOK_URL",
  ])("%s is an address that can be asked", (name) => {
    for (const address of ["https://host:99999/x", "https://<your-host>/x", "host/x", "https:///x"])
      expect(() => loadConfig({ [name]: address })).toThrow(`${name} is not an address: give`);
    expect(() => loadConfig({ [name]: "https://host:8443/x" })).not.toThrow("is not an address");
  });
});
