/** What an operator copies from an alert of a platform on PostgreSQL does what it says, through psql and a shell. */
import { spawnSync } from "node:child_process";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalPostgres, startPostgres } from "../../infra/local/postgres.ts";
import { openPlatformDatabase } from "../../infra/platform/database.ts";
import { createSchema } from "../../infra/platform/schema.ts";
import { NOW, renderCommand, sql } from "../../shared/invariants/commands.ts";
import { guidanceOf } from "../../shared/invariants/guidance.ts";
import { INVARIANTS } from "../../shared/invariants/index.ts";
import { describeLive } from "../support/live.ts";

/** Names that a shell, a database or a terminal would trip over. */
const NAMES = [
  `it's "ruby" $(touch pwned)`,
  "back\\slash\\",
  "\\' OR 1 = 1 --",
  ":'HOME' :x %s",
  "a\nb\ttab",
  "\u001b[31mred",
  "zoë 🦀 \u202egnp.exe",
  "",
];

describeLive(["postgres", "psql"], "what is copied from an alert of a platform on PostgreSQL", () => {
  let server: LocalPostgres;
  beforeAll(async () => {
    server = await startPostgres({ engine: "postgres" });
  }, 120_000);
  afterAll(() => server?.close(), 60_000);

  /** Runs the lines for the database as an operator would. */
  function pasted(lines: readonly string[], url: string) {
    const script = lines.filter((line) => line.startsWith("psql ")).join("\n");
    const env = { PATH: process.env.PATH, TRINITY_DATABASE: url };
    return spawnSync("/bin/sh", ["-e"], { input: script, env, encoding: "utf8", timeout: 300_000 });
  }

  test.each(["seed", "today"] as const)(
    "every command is understood by the release %s",
    async (release) => {
      const { url } = await server.addDatabase(release);
      const database = await openPlatformDatabase(url);
      await createSchema(database, release);
      database.close();
      const lines = INVARIANTS.flatMap((invariant) => {
        const { verify, fix } = guidanceOf(invariant, null, "postgres");
        // A choice is an operator's to make: its mark is taken away.
        return [...verify, ...fix].map((line) => line.replace(/^# psql /, "psql "));
      });
      const { status, stdout, stderr } = pasted([...new Set(lines)], url);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain("UPDATE 0");
    },
    300_000,
  );

  test.each(["on", "off"])(
    "a value is the same value, with standard_conforming_strings %s",
    async (setting) => {
      const client = postgres(server.url, { max: 1, onnotice() {} });
      await client.unsafe(`DROP TABLE IF EXISTS names; CREATE TABLE names (name TEXT, at TEXT)`);
      await client.unsafe(`ALTER DATABASE trinity SET standard_conforming_strings = ${setting}`);
      const added = NAMES.map((name) =>
        renderCommand(sql`INSERT INTO names VALUES (${name}, ${NOW})`, "postgres"),
      );
      expect(pasted(added, server.url)).toMatchObject({ status: 0, stderr: "" });
      const rows = await client<{ name: string; at: string }[]>`SELECT name, at FROM names`;
      await client.end();
      expect(rows.map(({ name }) => name)).toEqual(NAMES);
      // The platform's own shape: UTC, with microseconds.
      for (const { at } of rows) {
        expect(at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
        expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(600_000);
      }
    },
    300_000,
  );

  test("what only looks can't write, and a mistake is an error", () => {
    const writes = renderCommand(sql`SELECT setval('here', ${1})`, "postgres");
    pasted([`psql -X -d "$TRINITY_DATABASE" -c 'CREATE SEQUENCE here'`], server.url);
    expect(pasted([writes], server.url)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("read-only transaction"),
    });
    expect(pasted([renderCommand(sql`SELECT 1 FROM no_such_table`, "postgres")], server.url)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no_such_table"),
    });
  });
});
