/** Rows that a real SQLite packs are unpacked unchanged, whatever they hold. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openDatabaseFile, type SqlClient } from "../../../infra/platform/file-client.ts";
import type { Field } from "../../../shared/sources/sql/rows.ts";
import { eachRow, packed } from "../../../shared/sources/sqlite/packing.ts";
import { ANY_CHARACTER } from "../../support/any-text.ts";

describe("packed rows", () => {
  let database: SqlClient;
  beforeAll(async () => {
    database = openDatabaseFile("file::memory:");
    await database.execute("CREATE TABLE t (a TEXT, b)");
  });
  afterAll(() => database.close());

  async function readBack(): Promise<Field[][]> {
    const { rows } = await database.execute(packed(["a", "b"], "SELECT a, b FROM t ORDER BY rowid"));
    const read: Field[][] = [];
    eachRow([Object.values(rows[0]!) as (string | null)[]], ["a", "b"], ({ a, b }) => read.push([a, b]));
    return read;
  }

  test("no rows are no rows", async () => {
    await database.execute("DELETE FROM t");
    expect(await readBack()).toEqual([]);
  });

  test.each([
    ["an empty text is not NULL", "''", ""],
    ["NULL", "NULL", null],
    ["what looks like the packing", "'3:abc:5x'", "3:abc:5x"],
    ["a number", "42", "42"],
    ["beyond ASCII", "'Zoë 🐦'", "Zoë 🐦"],
    ["a line break", "char(10)", "\n"],
    ["text behind a NUL", "'a' || char(0) || 'b'", "a\u0000b"],
    ["no UTF-8", "CAST(x'ff41' AS TEXT)", undefined],
    ["no UTF-8 behind a NUL", "CAST(x'41004141ff' AS TEXT)", undefined],
    ["a blob", "x'4100ff'", undefined],
    ["what is as long as a name may be", "CAST(hex(zeroblob(500)) AS TEXT)", "0".repeat(1_000)],
    ["what is longer than a name", "hex(zeroblob(500)) || '1'", undefined],
    ["what is longer in bytes", `CAST(x'${"c3a4".repeat(501)}' AS TEXT)`, undefined],
  ] as const)("%s", async (_, sql, expected) => {
    await database.batch(
      ["DELETE FROM t", `INSERT INTO t VALUES (${sql}, ${sql})`, "INSERT INTO t VALUES ('next', 'row')"],
      "write",
    );
    expect(await readBack()).toEqual([
      [expected, expected],
      ["next", "row"],
    ]);
  });

  test("any text comes back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.string({ unit: ANY_CHARACTER }), fc.option(fc.string()))),
        async (rows) => {
          const inserts = rows.map(([a, b]) => ({ sql: "INSERT INTO t VALUES (?, ?)", args: [a, b] }));
          await database.batch(["DELETE FROM t", ...inserts], "write");
          expect(await readBack()).toEqual(rows);
        },
      ),
      { numRuns: 50 },
    );
  });

  test.each(["3:ab", "x", "abc"])("an answer that is no packing is refused: %s", (answer) => {
    expect(() => eachRow([[answer]], ["a"], ({ a }) => a)).toThrow("the packed rows");
  });
});
