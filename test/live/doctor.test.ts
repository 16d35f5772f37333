/** `canary doctor` on real servers: healthy ones of two releases, and what an operator gets wrong. */
import { generateKeyPairSync, sign } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, createClient } from "@libsql/client/http";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type LocalRedis, startRedis } from "../../infra/local/redis.ts";
import { redisRestApp } from "../../infra/local/redis-rest.ts";
import { serve } from "../../infra/local/serve.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import type { SqlClient } from "../../infra/platform/file-client.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { examineAll } from "../../shared/doctor/doctor.ts";
import { type Examination, outcomeOf } from "../../shared/doctor/finding.ts";
import { runCanary, runHere } from "../support/cli.ts";
import { startDockerApi } from "../support/docker-api.ts";
import { type Dockerd, startDockerd } from "../support/dockerd.ts";
import { describeLive, startSqld, temporaryFolder } from "../support/live.ts";
import { type LivePlatform, REST_TOKEN, startLivePlatform } from "../support/live-platform.ts";

type Variables = Record<string, string>;

const linesOf = ({ sections }: Examination, name: string): string[] =>
  sections
    .find((section) => section.name === name)!
    .findings.map(({ level, topic, text }) => `${level} ${topic}: ${text}`);
const outcomesOf = ({ invariants }: Examination) =>
  Object.fromEntries(invariants.map(({ id, outcome }) => [id, outcome]));
const line = (pattern: RegExp) => expect.stringMatching(pattern);

const NEW_COLUMNS = [
  ["agent_ownership", "deleted_at"],
  ["agent_schedules", "deleted_at"],
  ["schedule_executions", "lease_expires_at"],
  ["schedule_executions", "chain_depth"],
] as const;

/** Brings the tables to the columns and tables that tell one release from the other. */
async function makeRelease(database: Pick<SqlClient, "execute">, release: "seed" | "today"): Promise<void> {
  for (const [table, column] of NEW_COLUMNS) {
    const { rows } = await database.execute(
      `SELECT 1 FROM pragma_table_info('${table}') WHERE name = '${column}'`,
    );
    if (release === "today" && rows.length === 0)
      await database.execute(`ALTER TABLE ${table} ADD COLUMN ${column} TEXT`);
    if (release === "seed" && rows.length > 0)
      await database.execute(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  }
  if (release === "seed") await database.execute("DROP TABLE agent_reports");
}

/** Serves a Redis under the REST protocol through another connection: another user, or another database number. */
async function serveRedis(client: Redis, token = REST_TOKEN) {
  const through: LocalRedis = {
    engine: "another connection",
    client,
    command: ([name, ...args]) => client.callBuffer(name!, ...args),
    async transaction(commands) {
      const multi = client.multi();
      for (const [name, ...args] of commands) multi.callBuffer(name!, ...args);
      return (await multi.exec()) as [Error | null, unknown][];
    },
    close: async () => client.disconnect(),
  };
  const server = await serve(redisRestApp(through, token), 0);
  return {
    url: server.url,
    async close() {
      await server.close();
      client.disconnect();
    },
  };
}

describeLive(["redis-server", "sqld"], "canary doctor on a platform", () => {
  let platform: LivePlatform;
  beforeAll(async () => {
    platform = await startLivePlatform();
    await makeRelease(platform.database, "today");
  });
  afterAll(() => platform?.close());
  beforeEach(async () => {
    await platform.reset();
    await platform.addAgent("ruby");
    await platform.addExecution({ id: "run-1", agent: "ruby", ageSeconds: 20 });
    await platform.addSlot("ruby", "run-1", { ageSeconds: 20 });
  });
  const local = (more: Variables = {}): Variables => ({ ...platform.env, DOCKER_HOSTS: "none", ...more });
  /** A database of its own, on sqld. */
  async function withDatabase(
    use: (database: Client, env: Variables) => Promise<void>,
    release: "seed" | "today" = "today",
  ) {
    const sqld = await startSqld();
    const database = createClient({ url: sqld.url });
    try {
      await createSchema(database);
      await makeRelease(database, release);
      await database.execute("INSERT INTO agent_ownership (agent_name) VALUES ('ruby')");
      await use(database, local({ LIBSQL_URL: sqld.url }));
    } finally {
      database.close();
      await sqld.close();
    }
  }

  test("a healthy installation of today: everything is judged, and 0", async () => {
    const { code, out, err } = await runCanary(local(), ["doctor"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toMatch(/✓ release +today \(November 2026\)/);
    expect(out).toMatch(/✓ indexes +schedule_executions is read by .*idx_executions_status/);
    expect(out).toMatch(/✓ newest run +began \d+ s ago/);
    expect(out).toMatch(/✓ heartbeat +the last sweep finished \d+ s ago/);
    expect(out).toMatch(/✓ EXPIRETIME +allowed/);
    expect(out.match(/✓ clock +agrees with this machine's within/g)).toHaveLength(2);
    expect(out).toMatch(/✓ S-01 {2}judged .* {2}1 checked$/m);
    expect(out).toMatch(/– R-01 {2}not run .* {2}docker: off$/m);
    expect(out).not.toMatch(/unknown| scan /);
    expect(out).not.toContain("\u001b");
  });

  test("--json is the same as an object, with no secret in it, and what is red now is named", async () => {
    await platform.addExecution({ id: "lost", agent: "ruby", ageSeconds: 300, session: null });
    const { code, out, err } = await runHere(
      local({ SLACK_WEBHOOK_URL: "https://hooks.slack.com/services/T/B/secret-part" }),
      ["doctor", "--json"],
    );
    expect({ code, err }).toEqual({ code: 1, err: "" });
    const examination = JSON.parse(out) as Examination;
    expect(examination.invariants.find(({ id }) => id === "E-05")).toMatchObject({
      outcome: "judged",
      red_subjects: ["ruby"],
    });
    expect(linesOf(examination, "state and alerts")).toContainEqual("ok alerts: by slack; nothing was sent");
    expect(out).not.toContain(REST_TOKEN);
    expect(out).not.toContain("secret-part");
  });

  test("a healthy installation of the first release: what it lacks is named, and nothing is unknown", () =>
    withDatabase(async (_, env) => {
      const examination = await examineAll(env);
      const lines = linesOf(examination, "sqlite");
      expect(lines).toContainEqual(line(/^ok release: seed \(May 2026\)/));
      expect(lines).toContainEqual("note missing: table agent_reports (go without it: L-03)");
      expect(lines).toContainEqual(
        line(/^note missing: column schedule_executions\.lease_expires_at \(go without it: .*S-01/),
      );
      expect(Object.values(outcomesOf(examination))).not.toContain("unknown");
    }, "seed"));

  test("a column that an invariant can't do without", () =>
    withDatabase(async (database, env) => {
      await database.execute("ALTER TABLE schedule_executions DROP COLUMN claude_session_id");
      const examination = await examineAll(env);
      expect(linesOf(examination, "sqlite")).toContainEqual(
        line(
          /^warning missing: column schedule_executions\.claude_session_id \(not judged: E-05; go without it: .*S-01/,
        ),
      );
      expect(examination.invariants.find(({ id }) => id === "E-05")!.outcome).not.toBe("judged");
      expect(outcomesOf(examination)["S-01"]).toBe("judged");
    }));

  test("an index was dropped: how it is made again", () =>
    withDatabase(async (database, env) => {
      await database.execute("DROP INDEX idx_executions_status");
      const lines = linesOf(await examineAll(env), "sqlite");
      expect(lines).toContainEqual(
        "warning index missing: each cycle visits every row: CREATE INDEX idx_executions_status ON schedule_executions(status)",
      );
      expect(lines).toContainEqual(
        line(/^warning scan: visits every row of schedule_executions for .*executions/),
      );
    }));

  test("another database: it says that it is not Trinity's, and 2", async () => {
    const sqld = await startSqld();
    try {
      const examination = await examineAll(local({ LIBSQL_URL: sqld.url }));
      expect(linesOf(examination, "sqlite")).toContainEqual(
        line(/^warning release: no database of Trinity: it has no table agent_ownership/),
      );
      expect(outcomesOf(examination)).toMatchObject({ "S-01": "unknown", "L-03": "unknown" });
      expect(outcomeOf(examination)).toBe("unknown");
    } finally {
      await sqld.close();
    }
  });

  /** Examines with a short deadline, and with a longer one where this machine is too slow to read the database in it. */
  async function examinedInTime(deadlineMs = 700): Promise<Examination> {
    const examination = await examineAll(local({ SOURCE_DEADLINE_MS: String(deadlineMs) }));
    const isLate = linesOf(examination, "sqlite").some((text) => text.includes("no answer within"));
    return isLate && deadlineMs < 60_000 ? examinedInTime(4 * deadlineMs) : examination;
  }

  test("Redis is down, or never answers: that is one line, and the others go on", async () => {
    for (const [fault, why] of [
      ["resets", /^unread unread: redis: ECONNRESET 127\.0\.0\.1:\d+: UPSTASH_REDIS_REST_URL$/],
      ["hangs", /^unread unread: redis: no answer within \d+ ms 127\.0\.0\.1:\d+: UPSTASH_REDIS_REST_URL$/],
      ["http 401", /^unread unread: redis: the token was refused, check UPSTASH_REDIS_REST_TOKEN$/],
    ] as const) {
      platform.rest.fault = fault;
      const examination = await examinedInTime();
      expect(linesOf(examination, "redis").filter((text) => text.startsWith("unread"))).toEqual([line(why)]);
      expect(linesOf(examination, "sqlite")).toContainEqual(line(/^ok release/));
      expect(outcomesOf(examination)).toMatchObject({ "S-01": "unknown", "E-05": "judged" });
      expect(outcomeOf(examination)).toBe("unknown");
    }
  });

  test("the wrong database number: no key of the platform, and where keys are", async () => {
    const other = await serveRedis(platform.redis.duplicate({ db: 1 }));
    try {
      const examination = await examineAll(local({ UPSTASH_REDIS_REST_URL: other.url }));
      const lines = linesOf(examination, "redis");
      expect(lines).toContainEqual(
        line(/^warning keys: no key of the platform .*another database number.* has keys in db0 \(3 keys\)$/),
      );
      expect(lines).toContainEqual(line(/^warning heartbeat: canary:drain_tick_at was never written/));
      expect(outcomesOf(examination)["S-02"]).toBe("unknown");
      // The run of this platform has no slot there.
      expect(outcomeOf(examination)).toBe("red");
    } finally {
      await other.close();
    }
  });

  test("a user of Redis that may only read is told from one that may write, and nothing is written to find out", async () => {
    await platform.redis.call(
      ...("ACL SETUSER reader on >pw resetkeys ~agent:slots:* ~agent:slot:* ~canary:drain_tick_at -@all +get +scan +zrange +zscore +ttl +hget +multi +exec +ping +info".split(
        " ",
      ) as [string]),
    );
    const changes = async () => /rdb_changes_since_last_save:(\d+)/.exec(await platform.redis.info())![1];
    const reader = await serveRedis(platform.redis.duplicate({ username: "reader", password: "pw" }));
    try {
      const before = await changes();
      const lines = linesOf(await examineAll(local({ UPSTASH_REDIS_REST_URL: reader.url })), "redis");
      expect(lines).toContainEqual("ok rights: the token may not write");
      expect(lines).toContainEqual(line(/^warning pull workers: agent:pull_poll:\* may not be read/));
      expect(lines).toContainEqual(line(/^note EXPIRETIME: refused/));
      expect(lines).toContainEqual(
        "note EVAL_RO: refused: each agent and each slot is read by commands of its own (MULTI)",
      );
      expect(lines).toContainEqual("note clock: Redis does not tell its time (TIME)");
      const open = linesOf(await examineAll(local()), "redis");
      expect(open).toContainEqual(line(/^warning rights: the token may write \(DEL, ZREM\)/));
      expect(open).toContainEqual(line(/^ok EVAL_RO: allowed/));
      expect(open).toContainEqual(
        line(/^note bill: \d+ commands a cycle, .* Nothing at a Redis of your own/),
      );
      expect(await changes()).toBe(before);
    } finally {
      await reader.close();
    }
  });

  test("the user of Redis that docs/operations.md gives the canary has all that it needs, and no more", async () => {
    const docs = readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8");
    const [user] = /^ACL SETUSER .*$/m.exec(docs)!;
    const [name, ...rules] = user.split(" ");
    await platform.redis.call(name!, ...rules);
    await platform.redis.set("agent:pull_poll:ruby", String(Date.now() / 1000));
    const canary = await serveRedis(platform.redis.duplicate({ username: "canary", password: "PASSWORD" }));
    try {
      const lines = linesOf(await examineAll(local({ UPSTASH_REDIS_REST_URL: canary.url })), "redis");
      expect(lines.filter((text) => /^(warning|unread)/.test(text))).toEqual([]);
      expect(lines).toContainEqual("ok rights: the token may not write");
      expect(lines).toContainEqual(line(/^ok clock/));
      expect(lines).toContainEqual("note pull agents: 1: ruby");
    } finally {
      await canary.close();
    }
  });

  test("a token of sqld that may only read is told from one that may write, and an early end is said", async () => {
    const folder = await temporaryFolder();
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const keyFile = join(folder.path, "public.pem");
    writeFileSync(keyFile, publicKey.export({ type: "spki", format: "pem" }));
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    const tokenOf = (claims: object) => {
      const text = `${part({ alg: "EdDSA", typ: "JWT" })}.${part(claims)}`;
      return `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}`;
    };
    const sqld = await startSqld(["--auth-jwt-key-file", keyFile]);
    const exp = Math.floor(Date.now() / 1000) + 86_400;
    try {
      const writer = createClient({ url: sqld.url, authToken: tokenOf({ a: "rw" }) });
      await createSchema(writer);
      await writer.execute("INSERT INTO agent_ownership (agent_name) VALUES ('ruby')");
      const examine = async (token: string) => {
        const examination = await examineAll(local({ LIBSQL_URL: sqld.url, LIBSQL_AUTH_TOKEN: token }));
        expect(JSON.stringify(examination)).not.toContain(token);
        return linesOf(examination, "sqlite");
      };
      expect(await examine(tokenOf({ a: "ro" }))).toContainEqual("ok rights: the token may not write");
      const full = await examine(tokenOf({ a: "rw", exp }));
      expect(full).toContainEqual(line(/^warning rights: the token may write, which the canary never does/));
      expect(full).toContainEqual(
        line(/^warning expiry: the token ends on 20\d\d-\d\d-\d\d: renew it before$/),
      );
      expect(await examine(`${tokenOf({ a: "ro" })}x`)).toContainEqual(
        line(/^unread unread: sqlite: .*check LIBSQL_AUTH_TOKEN$/),
      );
      writer.close();
    } finally {
      await sqld.close();
      await folder.remove();
    }
  });

  test("a database file is read and left as it was; that this process may write it is said", async () => {
    const folder = await temporaryFolder();
    const path = join(folder.path, "trinity.db");
    try {
      const database = await openPlatformDatabase(`file:${path}`);
      await createSchema(database);
      await database.execute("PRAGMA journal_mode = DELETE");
      database.close();
      const before = [readFileSync(path), readdirSync(folder.path)];
      const lines = linesOf(await examineAll(local({ LIBSQL_URL: `file:${path}` })), "sqlite");
      expect(lines).toContainEqual(line(/^warning rights: this process may write the file and its folder/));
      expect(lines).toContainEqual(line(/^ok indexes: /));
      expect([readFileSync(path), readdirSync(folder.path)]).toEqual(before);
    } finally {
      await folder.remove();
    }
  });

  test("a daemon that does not answer: that is one line, and R-01 is unknown", async () => {
    const examination = await examineAll(local({ DOCKER_HOSTS: "tcp://127.0.0.1:1" }));
    expect(linesOf(examination, "docker").filter((text) => text.startsWith("unread"))).toEqual([
      "unread unread: docker: ECONNREFUSED 127.0.0.1:1: DOCKER_HOSTS",
    ]);
    expect(outcomesOf(examination)["R-01"]).toBe("unknown");
    expect(outcomesOf(examination)["S-01"]).toBe("judged");
  });

  test("one of two daemons does not answer: its line names it, and the other is examined", async () => {
    const daemon = await startDockerApi(["agent-ruby"]);
    try {
      const hosts = `${daemon.host},tcp://127.0.0.1:1`;
      const examination = await examineAll(local({ DOCKER_HOSTS: hosts }));
      expect(linesOf(examination, "docker").filter((text) => text.startsWith("unread"))).toEqual([
        "unread unread: docker[tcp://127.0.0.1:1]: ECONNREFUSED 127.0.0.1:1: DOCKER_HOSTS",
      ]);
      expect(linesOf(examination, `docker ${daemon.host}`)).toContainEqual(
        line(/^ok rights: only what the canary needs/),
      );
    } finally {
      await daemon.close();
    }
  });

  test("containers are compared with the roster, on two daemons", async () => {
    await platform.addAgent("opal");
    const first = await startDockerApi(["agent-ruby", "agent-gone"]);
    const second = await startDockerApi([]);
    try {
      const hosts = `${first.host},${second.host}`;
      const examination = await examineAll(local({ DOCKER_HOSTS: hosts }));
      const lines = linesOf(examination, "docker");
      expect(lines).toContainEqual("ok containers: 1 of 2 agents on the roster have a running container");
      expect(lines).toContainEqual("note containers: none runs of opal");
      expect(lines).toContainEqual(line(/^note containers: of no agent on the roster, and not judged: gone/));
      for (const { host } of [first, second])
        expect(linesOf(examination, `docker ${host}`)).toContainEqual(line(/^ok clock: agrees/));
      expect(first.requests.filter((request) => !/^(GET|POST) \/(containers|exec)\//.test(request))).toEqual([
        "GET /info",
        "GET /images/json",
      ]);
    } finally {
      await first.close();
      await second.close();
    }
  });
});

test("with nothing configured every source says which variable names it, and 2", async () => {
  const { code, out } = await runHere({}, ["doctor"]);
  expect(code).toBe(2);
  for (const name of ["LIBSQL_URL", "UPSTASH_REDIS_REST_URL", "DOCKER_HOSTS"])
    expect(out).toMatch(new RegExp(`\\? source +not configured: set ${name}`));
});

test("a variable that can't be used is 254; the canary of CANARY_URL is not asked", async () => {
  expect(await runHere({ LIBSQL_URL: "mysql://x" }, ["doctor"])).toMatchObject({
    code: 254,
    err: expect.stringContaining("LIBSQL_URL is not a valid address"),
  });
  const { code, out } = await runHere({ CANARY_URL: "http://127.0.0.1:1" }, ["doctor"]);
  expect(code).toBe(2);
  expect(out).toMatch(/– CANARY_URL +not asked: this is what this machine sees/);
});

describe("the engine of a machine without redis-server", () => {
  test("what it does not know is said, and it is examined all the same", async () => {
    vi.stubEnv("PATH", "");
    const engine = await startRedis().finally(() => vi.unstubAllEnvs());
    expect(engine.engine).toContain("embedded");
    await engine.client.set("canary:drain_tick_at", String(Date.now() / 1000));
    const before = await engine.client.keys("*");
    const server = await serve(redisRestApp(engine, REST_TOKEN), 0);
    try {
      const env = { UPSTASH_REDIS_REST_URL: server.url, UPSTASH_REDIS_REST_TOKEN: REST_TOKEN };
      const lines = linesOf(await examineAll({ ...env, DOCKER_HOSTS: "none", LIBSQL_URL: "none" }), "redis");
      expect(lines).toContainEqual(line(/^ok heartbeat/));
      expect(lines).toContainEqual(line(/^note EVAL_RO: unknown to this server/));
      expect(lines.filter((text) => text.startsWith("unread"))).toEqual([]);
      expect(await engine.client.keys("*")).toEqual(before);
    } finally {
      await server.close();
      await engine.close();
    }
  });
});

describeLive(["dockerd"], "canary doctor on a real daemon over TLS", () => {
  let dockerd: Dockerd;
  beforeAll(async () => {
    dockerd = await startDockerd([]);
  });
  afterAll(() => dockerd?.close());

  test("a certificate that opens more than the canary needs is a warning, with its end and the daemon's clock", async () => {
    const examination = await examineAll({ ...dockerd.env, LIBSQL_URL: "none" });
    const lines = linesOf(examination, `docker ${dockerd.env.DOCKER_HOSTS}`);
    expect(lines).toContainEqual(line(/^warning rights: it answers \/info and \/images\/json too: no proxy/));
    expect(lines).toContainEqual(line(/^ok clock: agrees with this machine's/));
    expect(linesOf(examination, "docker")).toContainEqual(
      line(/^ok expiry: the client certificate ends on 20\d\d-\d\d-\d\d$/),
    );
    expect(JSON.stringify(examination)).not.toContain("BEGIN");
  });
});
