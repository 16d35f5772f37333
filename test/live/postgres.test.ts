/** A real PostgreSQL that fails as servers, networks and poolers do: what is said of it, and what is left behind. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type LocalPostgres, startPostgres } from "../../infra/local/postgres.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { withDeadline } from "../../shared/deadline.ts";
import { describeError } from "../../shared/errors.ts";
import type { FactName } from "../../shared/facts/facts.ts";
import { parseAddress } from "../../shared/sources/postgres/address.ts";
import { openPostgres } from "../../shared/sources/postgres/database.ts";
import { POSTGRES } from "../../shared/sources/postgres/dialect.ts";
import type { Database } from "../../shared/sources/sql/database.ts";
import { isJson } from "../../shared/sources/sql/facts/json.ts";
import { lookedFor } from "../../shared/sources/sql/looked-for.ts";
import { introspectionOf, SQL_FACTS, sqlReader } from "../../shared/sources/sql/reader.ts";
import { emptySchema } from "../../shared/sources/sql/schema.ts";
import { describeLive, temporaryFolder } from "../support/live.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";

const PATIENCE = { statementMs: 20_000, lockMs: 300 };
const open = (url: string, { password = null as string | null, ca = null as string | null } = {}) =>
  openPostgres(parseAddress(url, password, ca), PATIENCE);

async function read(database: Database, wanted: readonly FactName[] = SQL_FACTS) {
  const context = { now: Date.now, wanted: new Set(wanted), since: { ended: null } };
  return withDeadline(60_000, (signal) => sqlReader("postgres", database)({ ...context, signal }));
}
const failure = (database: Database) => read(database).then(() => "", describeError);

describeLive(["postgres"], "a PostgreSQL", () => {
  let server: LocalPostgres;
  /** As the owner. */
  let owner: postgres.Sql;
  let proxy: PostgresProxy;
  beforeAll(async () => {
    server = await startPostgres({ engine: "postgres" });
    const client = await openPlatformDatabase(server.url);
    await createSchema(client);
    client.close();
    owner = postgres(server.url, { max: 1, fetch_types: false, onnotice() {} });
    await owner`INSERT INTO agent_ownership (agent_name) VALUES ('ruby')`;
    proxy = await startPostgresProxy(server.readerUrl);
  }, 240_000);
  afterAll(async () => {
    await proxy?.close();
    await owner?.end({ timeout: 0 });
    await server?.close();
  });
  /** What the canary's role does there. */
  const sessions = () =>
    owner`SELECT pid, state, backend_xmin FROM pg_stat_activity WHERE usename = 'canary' ORDER BY pid`;
  beforeEach(async () => {
    await owner`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'canary'`;
  });

  test("is read on one connection, which holds back no VACUUM between two reads", async () => {
    const database = open(server.readerUrl);
    await read(database);
    await Promise.all([read(database), read(database)]);
    const [session, ...others] = await sessions();
    expect(session).toMatchObject({ state: "idle", backend_xmin: null });
    expect(others).toEqual([]);
  });

  test("that ended the connection between two cycles costs a new one, no failed cycle", async () => {
    const database = open(server.readerUrl);
    await read(database);
    await owner`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'canary'`;
    expect((await read(database)).unavailable).toEqual([]);
  });

  test("takes a lock of a reader and no other, and a table that is locked is unread by name", async () => {
    const database = open(server.readerUrl);
    await read(database);
    const locking = postgres(server.url, { max: 1, fetch_types: false, onnotice() {} });
    let unlock = () => {};
    const locked = new Promise<void>((resolve) => {
      unlock = resolve;
    });
    let transaction: Promise<unknown> = Promise.resolve();
    await new Promise<void>((isLocked) => {
      transaction = locking.begin(async (sql) => {
        await sql`LOCK TABLE agent_tags IN ACCESS EXCLUSIVE MODE`;
        isLocked();
        await locked;
      });
    });
    const held = async () =>
      (
        await owner`SELECT DISTINCT mode FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE usename = 'canary' AND locktype = 'relation' AND relation IS NOT NULL`
      ).map(({ mode }) => mode);
    let modes: string[] = [];
    let result: Awaited<ReturnType<typeof read>>;
    // A read may be over before anybody has looked at its locks.
    do {
      let isReading = true;
      const reading = read(database).finally(() => {
        isReading = false;
      });
      while (isReading && modes.length === 0) modes = await held();
      result = await reading;
    } while (modes.length === 0);
    unlock();
    await transaction;
    await locking.end();
    const { readings, unavailable } = result;
    expect(modes).toEqual(["AccessShareLock"]);
    expect(unavailable).toEqual([
      "postgres.orphans[agent_tags]: a table was locked: see whether a migration hangs",
    ]);
    expect(readings.roster).toMatchObject({ read: true });
  });

  test("does not go on with what a deadline has cut, and nothing of it is left", async () => {
    const database = open(server.readerUrl);
    const slow = withDeadline(500, (signal) => database.batch(["SELECT pg_sleep(600)"], signal));
    await expect(slow).rejects.toThrow("no answer within 500 ms");
    await expect.poll(async () => (await sessions()).length, { timeout: 60_000 }).toBe(0);
    expect((await read(database)).unavailable).toEqual([]);
  });

  test("keeps no process alive that has read it", async () => {
    const script = `
import { openPostgres } from ${JSON.stringify(new URL("../../shared/sources/postgres/database.ts", import.meta.url).href)};
import { parseAddress } from ${JSON.stringify(new URL("../../shared/sources/postgres/address.ts", import.meta.url).href)};
const database = openPostgres(parseAddress(process.argv[1], null, null), { statementMs: 20000, lockMs: 1000 });
await database.batch(["SELECT 1"], new AbortController().signal);
console.log("read");`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script, server.readerUrl]);
    const said = child.stdout.toArray();
    expect(await once(child, "exit")).toEqual([0, null]);
    expect(Buffer.concat(await said).toString()).toBe("read\n");
  });

  test("says in its errors the host and the variable, and no secret", async () => {
    const at = `127.0.0.1:${new URL(server.readerUrl).port}`;
    expect(await failure(open(server.readerUrl, { password: "s3cret" }))).toBe(
      `wrong password for canary, or no such role, or it has expired, at ${at}: DATABASE_PASSWORD`,
    );
    expect(await failure(open(server.readerUrl.replace("/trinity?", "/other?")))).toBe(
      `there is no database other at ${at}: DATABASE_URL`,
    );
    expect(await failure(open("postgres://canary@127.0.0.1:1/trinity?sslmode=disable"))).toBe(
      "no server listens there (ECONNREFUSED): check host and port, and whether it runs, 127.0.0.1:1: DATABASE_URL",
    );
    expect(await failure(open(server.readerUrl.replace("?sslmode=disable", "")))).toBe(
      `the server has no TLS: turn it on there, or write sslmode=disable on a private network, ${at}: DATABASE_URL`,
    );
    await owner`ALTER ROLE canary CONNECTION LIMIT 0`;
    expect(await failure(open(server.readerUrl))).toBe(
      `no connection is free (too many connections for role "canary") at ${at}: DATABASE_URL`,
    );
    await owner`ALTER ROLE canary CONNECTION LIMIT -1`;
  });

  test("where the role may not read a table, what needs it is unread by name, and nothing else", async () => {
    await owner`REVOKE SELECT ON agent_schedules, agent_tags FROM canary`;
    const { readings, unavailable } = await read(open(server.readerUrl));
    await owner`GRANT SELECT ON agent_schedules, agent_tags TO canary`;
    const why = (table: string) => `no right to read table ${table}: grant SELECT on it`;
    expect(unavailable).toEqual([
      `postgres.executions: ${why("agent_schedules")}, so the timeouts of schedules are not known`,
      `postgres.schedules: ${why("agent_schedules")}`,
      `postgres.orphans[agent_schedules]: ${why("agent_schedules")}`,
      `postgres.orphans[agent_tags]: ${why("agent_tags")}`,
    ]);
    const unread = SQL_FACTS.filter((fact) => !readings[fact]?.read);
    expect(unread).toEqual(["schedules"]);
  });

  test("that hides rows by a policy is unread by name, and not taken for empty", async () => {
    await owner`ALTER TABLE agent_ownership ENABLE ROW LEVEL SECURITY`;
    const { readings } = await read(open(server.readerUrl), ["roster"]);
    await owner`ALTER TABLE agent_ownership DISABLE ROW LEVEL SECURITY`;
    expect(readings.roster).toMatchObject({
      read: false,
      reason: expect.stringMatching(/row-level security policy for table "agent_ownership"/),
    });
  });

  test("whose table is rewritten while the read waits for it is read again, and not taken for empty", async () => {
    await owner`INSERT INTO agent_ownership (agent_name) VALUES ('rewritten')`;
    const migration = postgres(server.url, { max: 1, fetch_types: false, onnotice() {} });
    const namesIn = async (database: Database) => {
      const { readings } = await read(database, ["roster"]);
      return readings.roster?.read && [...readings.roster.value.keys()].includes("rewritten");
    };
    const patient = { ...PATIENCE, lockMs: 60_000 };
    const database = openPostgres(parseAddress(server.readerUrl, null, null), patient);
    expect(await namesIn(database)).toBe(true);
    let reading: Promise<unknown> | undefined;
    await migration.begin(async (sql) => {
      await sql`ALTER TABLE agent_ownership ALTER is_system TYPE bigint`;
      reading = namesIn(database);
      const waits = () => owner`SELECT FROM pg_locks WHERE NOT granted`;
      await expect
        .poll(async () => (await waits()).length, { interval: 5, timeout: 60_000 })
        .toBeGreaterThan(0);
    });
    expect(await reading).toBe(true);
    await migration.end();
    await owner`DELETE FROM agent_ownership WHERE agent_name = 'rewritten'`;
  });

  test.for([
    [
      "a view",
      "CREATE VIEW agent_ownership AS SELECT * FROM agents",
      "TRUNCATE agents; INSERT INTO agents VALUES ('ruby')",
    ],
    [
      "partitioned",
      "CREATE TABLE agent_ownership (agent_name text) PARTITION BY LIST (agent_name); ALTER TABLE agent_ownership ATTACH PARTITION agents DEFAULT",
      "TRUNCATE agents; INSERT INTO agents VALUES ('ruby')",
    ],
  ])(
    "whose table is %s is read again where that which holds its rows is rewritten",
    async ([, made, rewrite]) => {
      const adapted = await server.addDatabase("adapted");
      const [own, migration] = [0, 1].map(() =>
        postgres(adapted.url, { max: 1, fetch_types: false, onnotice() {} }),
      ) as [postgres.Sql, postgres.Sql];
      await own.unsafe(`CREATE TABLE agents (agent_name text); INSERT INTO agents VALUES ('ruby'); ${made}`);
      const database = openPostgres(parseAddress(adapted.readerUrl, null, null), {
        ...PATIENCE,
        lockMs: 60_000,
      });
      await read(database, ["roster"]);
      let reading: ReturnType<typeof read> | undefined;
      await migration.begin(async (sql) => {
        await sql.unsafe(rewrite!);
        reading = read(database, ["roster"]);
        const waits = () => own`SELECT FROM pg_locks WHERE NOT granted`;
        await expect
          .poll(async () => (await waits()).length, { interval: 5, timeout: 60_000 })
          .toBeGreaterThan(0);
      });
      const { roster } = (await reading!).readings;
      expect(roster?.read && [...roster.value.keys()]).toEqual(["ruby"]);
      for (const client of [own, migration]) await client.end();
      await adapted.remove();
    },
  );

  test("that another application shares is read without a look at the tables of that", async () => {
    await owner`CREATE TABLE bookings (id int)`;
    const listed = JSON.stringify(await owner.unsafe(introspectionOf(POSTGRES)));
    expect(listed).toContain("agent_ownership");
    expect(listed).not.toContain("bookings");
    const other = postgres(server.url, { max: 1, fetch_types: false, onnotice() {} });
    const database = openPostgres(parseAddress(proxy.url, null, null), { ...PATIENCE, lockMs: 60_000 });
    await read(database, ["roster"]);
    const before = proxy.connections();
    let reading: Promise<unknown> | undefined;
    await other.begin(async (sql) => {
      await sql`LOCK TABLE agent_ownership IN ACCESS EXCLUSIVE MODE`;
      await sql`ALTER TABLE bookings ALTER id TYPE bigint`;
      reading = read(database, ["roster"]);
      const waits = () => owner`SELECT FROM pg_locks WHERE NOT granted`;
      await expect
        .poll(async () => (await waits()).length, { interval: 5, timeout: 60_000 })
        .toBeGreaterThan(0);
    });
    await reading;
    await other.end();
    await owner`DROP TABLE bookings`;
    // What is read again is read on a new connection.
    expect(proxy.connections()).toBe(before);
  });

  test("that grants the columns that are read, and no others, is read whole", async () => {
    // What every release has is not looked for.
    const columns = new Map([
      ["agent_ownership", new Set(["agent_name"])],
      ["schedule_executions", new Set(["id", "agent_name", "status"])],
    ]);
    for (const fact of SQL_FACTS)
      for (const { table, column } of lookedFor(fact, POSTGRES))
        if (column !== null) columns.set(table, (columns.get(table) ?? new Set()).add(column));
    await owner`REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM canary`;
    for (const [table, names] of columns)
      await owner.unsafe(`GRANT SELECT (${[...names].join(", ")}) ON ${table} TO canary`);
    const { unavailable } = await read(open(server.readerUrl));
    await owner`GRANT SELECT ON ALL TABLES IN SCHEMA public TO canary`;
    expect(unavailable).toEqual([]);
  });

  test("that refuses the role the database, or asks for a password that is not set: what to do", async () => {
    await owner`REVOKE CONNECT ON DATABASE trinity FROM PUBLIC, canary`;
    const refused = await failure(open(server.readerUrl));
    await owner`GRANT CONNECT ON DATABASE trinity TO PUBLIC, canary`;
    expect(refused).toMatch(/^canary may not connect .*: GRANT CONNECT ON DATABASE trinity TO canary, at /);
    expect(await failure(open(server.readerUrl.replace(/:[^:@/]+@/, "@")))).toMatch(
      /^no password is set, and canary needs one at /,
    );
  });

  test("behind a pooler that drops the transaction is read again, once", async () => {
    proxy.cutAfter([2_000]);
    expect((await read(open(proxy.url))).unavailable).toEqual([]);
    proxy.cutAfter([2_000, 2_000]);
    expect(await failure(open(proxy.url))).toBe(
      `the server ended the connection, ${new URL(proxy.url).host}: DATABASE_URL`,
    );
  });

  test("whose connection died while nobody heard of it is connected to anew", async () => {
    const database = open(proxy.url);
    await read(database);
    const before = proxy.connections();
    proxy.blackhole();
    expect((await read(database)).unavailable).toEqual([]);
    expect(proxy.connections()).toBe(before + 1);
  });

  test("that goes down in the middle of a read is said to refuse connections", async () => {
    const own = await startPostgresProxy(server.readerUrl);
    own.cutAfter([2_000]);
    const database = open(own.url);
    const reading = failure(database);
    await expect.poll(own.connections, { interval: 1, timeout: 60_000 }).toBe(1);
    await own.close();
    expect(await reading).toMatch(
      /^(no server listens there|the server ended the connection,) .*: DATABASE_URL$/,
    );
  });

  test("that can't tell JSON by itself is shown how", async () => {
    const texts = [
      '{"a": [1, -2.5e3, true, null, {"b": {}}], "c": "\\u00e9\\n \\"x\\" [] {}"}',
      "[]",
      ' "alone" ',
      "-0.5",
      '{"a": [[[[{"b": [[]]}]]]]}',
      ...[
        "",
        "01",
        "1 2",
        "[1 2]",
        "[1,]",
        "{,}",
        '{"a" 1}',
        "{1: 2}",
        "{'a': 1}",
        "nul",
        "truefalse",
        "[00]",
        '"a',
        '["a" "b"]',
      ],
      ...['"\\x"', '"\t"', "[[]", "+1", ".5", "1.", '{"a":1}}', "[1]x", '0""'],
      ...[
        '\n{ "a" : 1 ,\t"b":"\\u00e9" , "c": true }\n',
        '{"a":-1e5,"b":null}',
        "{ }",
        '{"a":"{}"}',
        '{"a":{}}',
      ],
      ...['{"a":1,}', "{,}", '{"a":01}', '{"a" 1}', '{"a":"\\u12"}', '{"a":1 "b":2}', '{"a":truefalse}'],
      ...['{"a":1}\n{"b":2}', '{"a":1}{}', "{a:1}", '{"a":"\n"}', '{"a":1;"b":2}', '{"a":}', '{"a":1'],
    ];
    const isValid = (text: string) => {
      try {
        JSON.parse(text);
        return true;
      } catch {
        return false;
      }
    };
    const schema = { ...emptySchema(POSTGRES), knowsJson: false };
    const rows = await owner.unsafe(
      `SELECT t.text, ${isJson(schema, "t.text")} AS is_json FROM unnest(ARRAY[${texts.map((_, i) => `$${i + 1}::text`).join()}]) AS t(text)`,
      texts,
    );
    expect(rows.map((row) => [row.text, row.is_json])).toEqual(texts.map((text) => [text, isValid(text)]));
  });

  test("of another encoding, and with columns of other types, spoils no more than the row that is odd", async () => {
    await owner`CREATE DATABASE bytes ENCODING 'SQL_ASCII' TEMPLATE template0`;
    const url = (address: string) => address.replace("/trinity?", "/bytes?");
    const sql = postgres(url(server.url), { max: 1, fetch_types: false, onnotice() {} });
    await sql.unsafe(`CREATE TABLE agent_ownership (agent_name text, max_parallel_tasks numeric, deleted_at timestamptz);
CREATE TABLE schedule_executions (id uuid, agent_name varchar, status varchar, started_at timestamptz, completed_at timestamp, schedule_id int);
INSERT INTO agent_ownership VALUES ('ruby', 2, NULL), (convert_from('\\xff41', 'SQL_ASCII'), 2, NULL), ('Zoë', 2.5, now());
INSERT INTO schedule_executions VALUES ('00000000-0000-0000-0000-000000000001', 'ruby', 'running', '2026-11-23 10:00:00+02', NULL, 1);
GRANT USAGE ON SCHEMA public TO canary; GRANT SELECT ON ALL TABLES IN SCHEMA public TO canary`);
    const { readings, unavailable } = await read(open(url(server.readerUrl)), ["roster", "executions"]);
    await sql.end();
    expect(readings.roster).toMatchObject({
      read: true,
      unlisted: "a roster row's agent_name can't be read",
    });
    expect(readings.roster?.read && [...readings.roster.value]).toMatchObject([
      ["ruby", { maxParallelTasks: 2, isDeleted: false }],
      ["Zoë", { maxParallelTasks: null, isDeleted: true }],
    ]);
    expect(readings.executions?.read && readings.executions.value.live).toMatchObject([
      { id: "00000000-0000-0000-0000-000000000001", startedAtMs: Date.UTC(2026, 10, 23, 8) },
    ]);
    expect(unavailable).toHaveLength(2);
  });
});

describeLive(["postgres"], "the certificate of a PostgreSQL", () => {
  let server: LocalPostgres;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const file = (name: string) => join(folder.path, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder.path, stdio: "ignore" });
  /** Signs the server's certificate for a name. */
  const sign = (name: string, days: number) => {
    writeFileSync(file("names"), `subjectAltName=DNS:${name}`);
    openssl(
      "x509",
      "-req",
      "-in",
      "s.csr",
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-days",
      String(days),
      "-out",
      "s.pem",
      "-extfile",
      "names",
    );
  };
  beforeAll(async () => {
    folder = await temporaryFolder();
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=ca");
    openssl("req", ...key, "-keyout", "s.key", "-out", "s.csr", "-subj", "/CN=s");
    sign("localhost", 30);
    const settings = { ssl: "on", ssl_cert_file: file("s.pem"), ssl_key_file: file("s.key") };
    if (process.getuid?.() === 0) {
      const [uid, gid] = execFileSync("sh", ["-c", "id -u postgres; id -g postgres"], { encoding: "utf8" })
        .split("\n")
        .map(Number);
      for (const name of ["", "s.key", "s.pem"]) chownSync(file(name), uid!, gid!);
    }
    expect(statSync(file("s.key")).mode & 0o77).toBe(0);
    server = await startPostgres({ engine: "postgres", settings });
  }, 240_000);
  afterAll(async () => {
    await server?.close();
    await folder?.remove();
  });

  test("is verified, with its name and its time", async () => {
    const { port } = new URL(server.readerUrl);
    const ca = execFileSync("cat", [file("ca.pem")], { encoding: "utf8" });
    const verified = server.readerUrl.replace("?sslmode=disable", "");
    const named = verified.replace("127.0.0.1", "localhost");
    const tried = (url: string, authority: string | null = ca) =>
      open(url, { ca: authority })
        .batch(["SELECT 1"], AbortSignal.timeout(60_000))
        .then(() => "read", describeError);
    expect(await tried(named)).toBe("read");
    expect(await tried(named, null)).toMatch(
      new RegExp(
        `^the certificate of the server is not signed by a known CA \\(\\w+\\), localhost:${port}: DATABASE_CA$`,
      ),
    );
    expect(await tried(verified)).toBe(
      `the certificate of the server is for another name (ERR_TLS_CERT_ALTNAME_INVALID), 127.0.0.1:${port}: DATABASE_URL`,
    );
    sign("localhost", -1);
    const owner = postgres(server.url, { max: 1, fetch_types: false, onnotice() {} });
    await owner`SELECT pg_reload_conf()`;
    await owner.end();
    await expect
      .poll(() => tried(named), { timeout: 60_000 })
      .toBe(`the certificate of the server has expired (CERT_HAS_EXPIRED), localhost:${port}: DATABASE_URL`);
  });
});
