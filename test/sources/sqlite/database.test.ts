/** A database file is opened read-only for each read, and errors are described in words. */
import { execFileSync } from "node:child_process";
import { copyFile, readdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabaseFile } from "../../../infra/platform/file-client.ts";
import { openDatabase } from "../../../shared/sources/sqlite/database.ts";
import { temporaryFolder } from "../../support/live.ts";

const ANSWER = "SELECT answer FROM t";
const never = new AbortController().signal;

describe("a database file", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, "trinity.db");
  });
  afterEach(() => folder.remove());

  async function fill(file: string, answer: number) {
    const writer = openDatabaseFile(`file:${file}`);
    await writer.batch(["CREATE TABLE t (answer)", `INSERT INTO t VALUES (${answer})`], "write");
    writer.close();
  }

  test.for(["file:", "file://"])("is read by its path after %s", async (scheme) => {
    await fill(path, 42);
    const database = openDatabase(`${scheme}${path}`);
    expect(await database.batch([ANSWER, "SELECT 'a', x'00ff', NULL, 1.5"], never)).toEqual([
      [[42n]],
      [["a", new Uint8Array([0, 255]), null, 1.5]],
    ]);
  });

  test("can't be written to, and no other file is made", async () => {
    await fill(path, 42);
    await expect(openDatabase(`file:${path}`).batch(["DELETE FROM t"], never)).rejects.toThrow(
      "attempt to write a readonly database",
    );
    expect(await readdir(folder.path)).toEqual(["trinity.db"]);
  });

  test("is another one after another was put in its place", async () => {
    await fill(path, 42);
    const database = openDatabase(`file:${path}`);
    expect(await database.batch([ANSWER], never)).toEqual([[[42n]]]);
    await fill(join(folder.path, "new.db"), 43);
    await rename(join(folder.path, "new.db"), path);
    expect(await database.batch([ANSWER], never)).toEqual([[[43n]]]);
  });

  test("a statement that fails spoils the batch, and only itself among separate ones", async () => {
    await fill(path, 42);
    const database = openDatabase(`file:${path}`);
    await expect(database.batch([ANSWER, "SELECT b FROM t"], never)).rejects.toThrow("no such column: b");
    const [good, bad] = await database.separately([ANSWER, "SELECT b FROM t"], never);
    expect(good).toEqual([[42n]]);
    expect(bad).toEqual(new Error("SQLite error: no such column: b"));
  });

  test("that is missing, or is none, is named so", async () => {
    const read = (file: string) => openDatabase(`file:${file}`).batch([ANSWER], never);
    await expect(read(path)).rejects.toThrow(`there is no file ${path}, check LIBSQL_URL`);
    await expect(read(folder.path)).rejects.toThrow(`there is no file ${folder.path}, check LIBSQL_URL`);
    await writeFile(path, "This is text, and longer than the head of a database. ".repeat(20));
    await expect(read(path)).rejects.toThrow("file is not a database");
    await copyFile("/dev/null", path);
    await expect(read(path)).rejects.toThrow("no such table: t");
  });

  test("that a writer holds for long is locked, and free again after it", async () => {
    await fill(path, 42);
    const database = openDatabase(`file:${path}`);
    const writer = openDatabaseFile(`file:${path}`);
    await writer.execute("BEGIN EXCLUSIVE");
    await expect(database.batch([ANSWER], never)).rejects.toThrow("database is locked");
    await writer.execute("COMMIT");
    expect(await database.batch([ANSWER], never)).toEqual([[[42n]]]);
    writer.close();
  });

  test("a reader leaves the locks of a writer in its own process alone", async () => {
    const writer = openDatabaseFile(`file:${path}`);
    await writer.execute("PRAGMA journal_mode = WAL");
    await writer.batch(["CREATE TABLE t (answer)", "INSERT INTO t VALUES (0)"], "write");
    const database = openDatabase(`file:${path}`);
    await writer.execute("BEGIN IMMEDIATE");
    expect(await database.batch([ANSWER], never)).toEqual([[[0n]]]);
    // The second writer is another process: the system's locks only work between processes.
    const script = `new (require("node:sqlite").DatabaseSync)(${JSON.stringify(path)}).exec("UPDATE t SET answer = 2")`;
    expect(() => execFileSync(process.execPath, ["-e", script], { stdio: "pipe" })).toThrow(
      "database is locked",
    );
    await writer.execute("UPDATE t SET answer = 1");
    await writer.execute("COMMIT");
    expect(await database.batch([ANSWER], never)).toEqual([[[1n]]]);
    writer.close();
  });
});
