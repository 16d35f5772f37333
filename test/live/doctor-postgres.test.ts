/** `canary doctor` on a PostgreSQL: the role of the docs is enough and no more, and what an operator gets wrong is named. */
import { readFileSync } from "node:fs";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalPostgres, startPostgres } from "../../infra/local/postgres.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { examineAll } from "../../shared/doctor/doctor.ts";
import { POSTGRES } from "../../shared/sources/postgres/dialect.ts";
import { lookedFor } from "../../shared/sources/sql/looked-for.ts";
import { SQL_FACTS } from "../../shared/sources/sql/reader.ts";
import { describeLive } from "../support/live.ts";

/** The lines of docs/operations.md that make the role. */
const ROLE = /<!-- role -->\s*```sql\n(.*?)\n```/s
  .exec(readFileSync(new URL("../../docs/operations.md", import.meta.url), "utf8"))![1]!
  .split("\n");
const GRANTED = /^GRANT SELECT ON (.*) TO/.exec(ROLE.at(-1)!)![1]!.split(", ");

test("the docs grant the tables that are read, and no other", () => {
  expect(ROLE).toHaveLength(4);
  const read = SQL_FACTS.flatMap((fact) => lookedFor(fact, POSTGRES).map(({ table }) => table));
  expect(GRANTED).toEqual([...new Set(read)].sort());
});

describeLive(["postgres"], "canary doctor on a PostgreSQL", () => {
  let server: LocalPostgres;
  let owner: postgres.Sql;
  const PASSWORD = "hunter2-of-the-role";
  let address: (role: string) => string;
  beforeAll(async () => {
    server = await startPostgres({ engine: "postgres" });
    const database = await openPlatformDatabase(server.url);
    await createSchema(database, "today");
    await database.execute("INSERT INTO agent_ownership (agent_name) VALUES ('ruby')");
    database.close();
    owner = postgres(server.url, { max: 1, onnotice() {} });
    // As a database is where nobody has taken or granted anything.
    await owner.unsafe("ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM canary");
    await owner.unsafe("DROP OWNED BY canary; DROP ROLE IF EXISTS canary");
    for (const line of ROLE) await owner.unsafe(line.replace("…", PASSWORD));
    address = (role) => {
      const url = new URL(server.url);
      url.username = role;
      url.password = "";
      return url.href;
    };
  }, 120_000);
  afterAll(async () => {
    await owner?.end();
    await server?.close();
  }, 60_000);

  /** What the doctor says of the database, as that role. */
  async function doctor(role = "canary", password = PASSWORD) {
    const examination = await examineAll({
      DATABASE_URL: address(role),
      DATABASE_PASSWORD: password,
      UPSTASH_REDIS_REST_URL: "none",
      DOCKER_HOSTS: "none",
      SOURCE_DEADLINE_MS: "60000",
    });
    expect(JSON.stringify(examination)).not.toContain(PASSWORD);
    const { findings } = examination.sections.find(({ name }) => name === "postgres")!;
    return {
      examination,
      lines: findings.map(({ level, topic, text }) => `${level} ${topic}: ${text}`),
    };
  }
  /** Those that are neither as they should be nor of a server without TLS. */
  const problemsOf = ({ lines }: Awaited<ReturnType<typeof doctor>>) =>
    lines.filter((line) => !/^(ok|note (TLS|newest run|migration))\b/.test(line));
  const has = (text: string) => expect.stringContaining(text);
  /** Types what the doctor says after the last colon. */
  const type = (line: string) => owner.unsafe(line.slice(line.lastIndexOf(": ") + 2));

  test("the role of the docs is enough for everything, and may do nothing else", async () => {
    const found = await doctor();
    expect(found.lines).toEqual([
      expect.stringMatching(/^ok address: postgres:\/\/canary@127\.0\.0\.1:\d+\/trinity$/),
      has(`ok server: PostgreSQL ${server.version}`),
      has("note TLS: none (sslmode=disable): password and answers go in the clear"),
      has("ok release: today (November 2026), by its tables"),
      expect.stringMatching(/^ok indexes: schedule_executions is read by .*idx_executions_status/),
      "ok rights: canary may not write",
      has("ok clock: agrees with this machine's"),
      "note newest run: there is none",
    ]);
    const { sections, invariants } = found.examination;
    expect(sections.map(({ name }) => name)).not.toContain("sqlite");
    expect(invariants.filter(({ outcome }) => outcome === "unknown")).toEqual([]);
    expect(invariants.filter(({ outcome }) => outcome === "judged").map(({ id }) => id)).toContain("E-03");
  }, 300_000);

  test("what may not be read is named, with the line that grants it", async () => {
    await owner.unsafe("REVOKE SELECT ON agent_tags, schedule_executions FROM canary");
    await owner.unsafe("GRANT SELECT (id, agent_name) ON schedule_executions TO canary");
    const found = await doctor();
    const [tags, columns] = problemsOf(found).filter((line) => line.startsWith("warning rights"));
    expect(tags).toBe("warning rights: canary may not read agent_tags: GRANT SELECT ON agent_tags TO canary");
    expect(columns).toMatch(
      /^warning rights: canary may not read .*status.* of schedule_executions: GRANT SELECT \(.*status.*\) ON schedule_executions TO canary$/,
    );
    await type(tags!);
    await owner.unsafe("GRANT SELECT ON schedule_executions TO canary");
    expect(problemsOf(await doctor())).toEqual([]);
  }, 300_000);

  test("a role that may write or create is noted, with what it could do", async () => {
    await owner.unsafe("GRANT CREATE ON SCHEMA public TO canary; ALTER ROLE canary CREATEROLE");
    const [roles, revoke, ...others] = problemsOf(await doctor());
    expect(others).toEqual([]);
    expect(roles).toContain("canary may create roles: use a role that may only read (docs/operations.md#pos");
    expect(revoke).toBe(
      "warning rights: canary may create tables in public: REVOKE CREATE ON SCHEMA public FROM canary",
    );
    await owner.unsafe("ALTER ROLE canary NOCREATEROLE");
    await owner.unsafe(
      "GRANT UPDATE (status) ON schedule_executions TO canary; GRANT INSERT, TRUNCATE ON agent_tags TO PUBLIC",
    );
    expect(problemsOf(await doctor())).toEqual([
      has(
        "canary may write, which the canary never does (INSERT, TRUNCATE on agent_tags, UPDATE on schedule_executions)",
      ),
      has(
        "canary may create tables in public: use a role that may only read (docs/operations.md#postgresql)",
      ),
    ]);
    await owner.unsafe(
      "REVOKE UPDATE (status) ON schedule_executions FROM canary; REVOKE ALL ON agent_tags FROM PUBLIC",
    );
    await type(revoke!);
    expect(problemsOf(await doctor())).toEqual([]);
    const { username, password } = new URL(server.url);
    expect(problemsOf(await doctor(username, password))).toEqual([has(`${username} is a superuser`)]);
  }, 300_000);

  test("what everyone may create is taken from everyone but the platform", async () => {
    await owner.unsafe(
      `CREATE ROLE platform LOGIN PASSWORD '${PASSWORD}'; GRANT CREATE ON SCHEMA public TO PUBLIC`,
    );
    await owner.unsafe("ALTER TABLE schedule_executions OWNER TO platform");
    const asPlatform = problemsOf(await doctor("platform")).filter((line) => line.includes("may create"));
    expect(asPlatform).toEqual([has("platform may create tables in public: use a role that may only read")]);
    const [everyones, ...others] = problemsOf(await doctor());
    expect(others).toEqual([]);
    expect(everyones).toMatch(/^note rights: everyone may create tables in public/);
    await type(everyones!);
    expect(problemsOf(await doctor())).toEqual([]);
    const [may] = await owner`SELECT has_schema_privilege('platform', 'public', 'CREATE') AS platform,
      has_schema_privilege('canary', 'public', 'CREATE') AS canary`;
    expect(may).toEqual({ platform: true, canary: false });
  }, 300_000);

  test("a schema that the role does not see is no database of Trinity, and the doctor says why", async () => {
    await owner.unsafe("REVOKE USAGE ON SCHEMA public FROM canary");
    const problems = problemsOf(await doctor());
    const hidden = problems.find((line) => line.includes("does not see"))!;
    expect(hidden).toBe(
      "warning rights: canary does not see the tables of the schema public: GRANT USAGE ON SCHEMA public TO canary",
    );
    await type(hidden);
    expect(problemsOf(await doctor())).toEqual([]);
  }, 300_000);

  test("a missing index is named with the line that makes it, and so is what visits every row", async () => {
    await owner.unsafe("DROP INDEX idx_executions_status, idx_executions_queued");
    const problems = problemsOf(await doctor());
    expect(problems).toEqual([
      "warning index missing: each cycle visits every row: CREATE INDEX CONCURRENTLY idx_executions_status ON schedule_executions(status)",
      expect.stringMatching(/^warning scan: visits every row of schedule_executions for .*executions/),
    ]);
    await type(problems[0]!);
    expect(problemsOf(await doctor())).toEqual([]);
  }, 300_000);

  test("where the role may read which migration was the last, that is there too", async () => {
    await owner.unsafe(
      "GRANT SELECT ON alembic_version TO canary; INSERT INTO alembic_version VALUES ('0123abcd')",
    );
    expect((await doctor()).lines).toContain("note migration: alembic_version is 0123abcd");
  }, 300_000);
});

test("where no database is named, both variables are", async () => {
  const { sections } = await examineAll({ UPSTASH_REDIS_REST_URL: "none", DOCKER_HOSTS: "none" });
  expect(sections[0]).toMatchObject({
    findings: [{ level: "unread", text: "not configured: set LIBSQL_URL or DATABASE_URL" }],
  });
});
