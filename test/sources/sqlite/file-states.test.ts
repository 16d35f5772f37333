/** Whatever state a database file was left in: it is read or it is not, and nothing in its folder changes. */
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDatabase } from "../../../shared/sources/sqlite/database.ts";
import {
  killWriter,
  outputOf,
  startReading,
  startWriter,
  writeFile as write,
} from "../../support/database-files.ts";
import { temporaryFolder } from "../../support/live.ts";

const ANSWER = "SELECT max(answer) FROM t";
const FILLED = "CREATE TABLE t (answer); INSERT INTO t VALUES (42)";
const never = new AbortController().signal;

describe("reading a database file changes nothing in its folder", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;
  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, "trinity.db");
  });
  afterEach(() => folder.remove());

  /** Each file of the folder with its size and a hash of its contents. */
  async function listing(): Promise<string[]> {
    const names = (await readdir(folder.path)).sort();
    return Promise.all(
      names.map(async (name) => {
        const file = join(folder.path, name);
        if (!(await stat(file)).isFile()) return name;
        const bytes = await readFile(file);
        return `${name} ${bytes.length} ${createHash("sha256").update(bytes).digest("hex")}`;
      }),
    );
  }
  /** The answer, or the error's text, of three reads. */
  async function readThrice(): Promise<unknown> {
    const database = openDatabase(`file:${path}`, undefined, { lockMs: 60_000 });
    const before = await listing();
    let outcome: unknown;
    for (let i = 0; i < 3; i += 1)
      outcome = await database.batch([ANSWER], never).then(
        ([rows]) => rows![0]![0],
        (error: Error) => error.message,
      );
    expect(await listing()).toEqual(before);
    return outcome;
  }

  test("in rollback-journal mode, at rest", async () => {
    write(path, FILLED);
    expect(await readThrice()).toBe(42n);
  });

  test("in rollback-journal mode, while a writer has a change that is not committed", async () => {
    write(path, FILLED);
    const writer = await startWriter(
      path,
      `d.exec("BEGIN; UPDATE t SET answer = 0"); console.log("written"); process.stdin.on("data", () => {});`,
    );
    expect(await readdir(folder.path)).toContain("trinity.db-journal");
    expect(await readThrice()).toBe(42n);
    writer.kill("SIGKILL");
  });

  test("the journal of a writer that was killed is not rolled back", async () => {
    killWriter(path, "delete");
    expect(await readdir(folder.path)).toContain("trinity.db-journal");
    expect(await readThrice()).toBe(
      "a writer was cut off, and its journal has to be rolled back, which is a write: let the platform open the database",
    );
    write(path, "SELECT 1 FROM t");
    expect(await readThrice()).toBe(42n);
  });

  test("in WAL mode, at rest", async () => {
    write(path, "PRAGMA journal_mode = WAL", FILLED);
    expect(await readThrice()).toBe(42n);
    expect(await readdir(folder.path)).toEqual(["trinity.db"]);
  });

  test("in WAL mode, beside a writer that has it open", async () => {
    write(path, "PRAGMA journal_mode = WAL", "CREATE TABLE t (answer)");
    const writer = await startWriter(
      path,
      `d.exec("INSERT INTO t VALUES (42)"); console.log("written"); process.stdin.on("data", () => {});`,
    );
    expect(await readThrice()).toBe(42n);
    writer.kill("SIGKILL");
  });

  test("in WAL mode, after its writer was killed", async () => {
    killWriter(path, "wal");
    expect(await readdir(folder.path)).toEqual(["trinity.db", "trinity.db-shm", "trinity.db-wal"]);
    expect(await readThrice()).toBe(42n);
  });

  test("in WAL mode, after its writer was killed and the -shm file was lost", async () => {
    killWriter(path, "wal");
    await rm(`${path}-shm`);
    expect(await readThrice()).toMatch(/WAL mode and its -shm file is missing.*let the platform open it/);
  });

  test("in WAL mode, with an empty -wal file and no -shm file", async () => {
    write(path, "PRAGMA journal_mode = WAL", FILLED);
    await writeFile(`${path}-wal`, "");
    expect(await readThrice()).toBe(42n);
  });

  test("no file, and a folder in its place", async () => {
    expect(await readThrice()).toBe(`there is no file ${path}, check LIBSQL_URL`);
    await mkdir(path);
    expect(await readThrice()).toBe(`there is no file ${path}, check LIBSQL_URL`);
  });

  test("an empty file, also beside a journal", async () => {
    await writeFile(path, "");
    expect(await readThrice()).toBe("SQLite error: no such table: t");
    await writeFile(`${path}-journal`, Buffer.from("d9d505f920a163d7".repeat(200), "hex"));
    expect(await readThrice()).toBe("SQLite error: no such table: t");
  });

  test("a file that is no database", async () => {
    await writeFile(path, "This is text, and longer than the head of a database. ".repeat(20));
    expect(await readThrice()).toBe("file is not a database");
  });

  test("a file that may not be read", async () => {
    write(path, FILLED);
    await chmod(folder.path, 0o755);
    await chmod(path, 0o000);
    const before = await listing().catch(() => []);
    // Nothing is forbidden to root.
    const options = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    expect(await outputOf(startReading(path, ANSWER, options))).toBe(`no permission to read ${path}\n`);
    expect(await listing().catch(() => [])).toEqual(before);
  });
});
