/** What the doctor says of a PostgreSQL that no test of this machine has: an old one, a standby, one with TLS. */
import { expect, test } from "vitest";
import { examinePostgres } from "../../shared/doctor/postgres.ts";
import { CREATABLE, HIDDEN, ROLE, WRITE_RIGHTS } from "../../shared/doctor/postgres-rights.ts";
import { POSTGRES } from "../../shared/sources/postgres/dialect.ts";
import type { Database, SqlRow } from "../../shared/sources/sql/database.ts";

/** A server without a table that gives these rows, cell by cell as bytes. */
async function linesOf(
  url: string,
  rows: Partial<Record<"server" | "role" | "hidden" | "writes" | "creatable", string[]>>,
) {
  const answerTo = (statement: string): SqlRow[] => {
    const cells =
      statement === ROLE
        ? rows.role
        : statement === HIDDEN
          ? rows.hidden
          : statement === WRITE_RIGHTS
            ? rows.writes
            : statement === CREATABLE
              ? rows.creatable
              : statement.includes("pg_is_in_recovery")
                ? (rows.server ?? ["16.4", "16", "0"])
                : undefined;
    return cells ? [cells.map((text) => Buffer.from(text))] : [];
  };
  const batch: Database["batch"] = async (statements) => statements.map(answerTo);
  const found = await examinePostgres(
    {
      database: { sql: POSTGRES, batch, separately: batch },
      readings: {},
      invariants: [],
      wanted: new Set(),
      now: Date.now,
      signal: new AbortController().signal,
    },
    { url, password: null, ca: null },
  );
  return found.map(({ level, topic, text }) => `${level} ${topic}: ${text}`);
}

const NOBODY = ["canary", "0", "0", "0", "0"];

test("whose certificate it is gets verified, unless sslmode=disable is written; the user is shown, and no password", async () => {
  const url = "postgres://canary:hunter2@db.example.com:6432/trinity";
  const lines = await linesOf(url, { role: NOBODY });
  expect(lines).toContain("ok address: postgres://canary@db.example.com:6432/trinity");
  expect(lines).toContain("ok TLS: the server's certificate and its name are verified");
  expect(lines).toContain("ok server: PostgreSQL 16.4");
  expect(lines.join()).not.toContain("hunter2");
  const plain = await linesOf(`${url}?sslmode=disable`, { role: NOBODY });
  expect(plain).toContainEqual(expect.stringMatching(/^note TLS: none \(sslmode=disable\).*in the clear/));
});

test("a server that is too old, and one that follows another", async () => {
  const lines = await linesOf("postgres://canary@db/trinity", { server: ["12.3", "12", "1"], role: NOBODY });
  expect(lines).toContain("warning server: PostgreSQL 12.3: 13 is the oldest that the canary is made for");
  expect(lines).toContainEqual(expect.stringMatching(/^note replica: .*rows come late/));
});

test("a line to type is right for a role and a schema with odd names", async () => {
  const lines = await linesOf("postgres://x@db/trinity", {
    role: ['Canary "of" Ops', "0", "0", "0", "0"],
    hidden: ["trinity", "0"],
  });
  const role = '"Canary ""of"" Ops"';
  expect(lines).toContain(
    `warning rights: ${role} does not see the tables of the schema trinity: GRANT USAGE ON SCHEMA trinity TO ${role}; ALTER ROLE ${role} SET search_path = trinity`,
  );
  expect(lines).toContainEqual(expect.stringMatching(/^warning release: no database of Trinity/));
});

test("up to 14 everyone may create tables: a note, which grants the platform its right before it takes everyone's", async () => {
  const creatable = ["public", "postgres", "1", "0", "trinity"];
  const rightsOf = async (rows: Parameters<typeof linesOf>[1]) =>
    (await linesOf("postgres://canary@db/trinity", { server: ["13.9", "13", "0"], role: NOBODY, ...rows }))
      .filter((line) => line.includes(" rights: "))
      .map((line) => line.replace(" rights", ""));
  const [isFine, everyones, ...more] = await rightsOf({ creatable });
  expect([isFine, more]).toEqual(["ok: canary may not write", []]);
  expect(everyones).toMatch(
    /^note: everyone may create tables in public.* owner \(postgres\).*: GRANT CREATE ON SCHEMA public TO trinity; REVOKE CREATE ON SCHEMA public FROM PUBLIC$/,
  );
  // Whose the tables are is not known: what would take the platform's right is not said.
  expect((await rightsOf({ creatable: creatable.slice(0, 4) })).join()).not.toContain("REVOKE");
});

test("the platform's own role is told to make way for one that may only read, and loses no right by a line of ours", async () => {
  const creatable = ["public", "postgres", "1", "1", "trinity"];
  for (const [role, writes] of [
    [
      ["trinity", "0", "0", "0", "0", "0"],
      ["INSERT", "agent_tags"],
    ],
    [["trinity", "0", "0", "0", "0", "1"], undefined],
  ]) {
    const lines = await linesOf("postgres://trinity@db/trinity", {
      role: role!,
      creatable,
      ...(writes && { writes }),
    });
    expect(lines).toContain(
      "warning rights: trinity may create tables in public: use a role that may only read (docs/operations.md#postgresql)",
    );
    expect(lines.join()).not.toMatch(/REVOKE|GRANT/);
  }
});
