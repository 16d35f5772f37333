/** A reader of a database file leaves no lock behind, and keeps a platform in rollback-journal mode from committing only briefly. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { locksOn } from "../../../infra/local/file-locks.ts";
import { openDatabase } from "../../../shared/sources/sqlite/database.ts";
import {
  ENDLESS,
  outputOf,
  startReading,
  startWriter,
  writeFile as write,
} from "../../support/database-files.ts";
import { temporaryFolder } from "../../support/live.ts";

const ANSWER = "SELECT answer FROM t";
const FILLED = "CREATE TABLE t (answer); INSERT INTO t VALUES (42)";
const never = new AbortController().signal;
/** Only a hang may reach it: the machine may be loaded. */
const SOON = { timeout: 60_000, interval: 20 };
const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

describe.skipIf(!existsSync("/proc/locks"))("the lock on a database file", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let path: string;
  const started: ChildProcess[] = [];
  beforeEach(async () => {
    folder = await temporaryFolder();
    path = join(folder.path, "trinity.db");
    write(path, FILLED);
  });
  afterEach(async () => {
    for (const process of started.splice(0)) process.kill("SIGKILL");
    await folder.remove();
  });
  const patient = () => openDatabase(`file:${path}`, undefined, { lockMs: 60_000 });
  /** Waits for a reader's lock. Returns its process. */
  const lockedBy = () => vi.waitFor(() => locksOn(path)[0]!.pid, SOON);
  const unlocked = () => vi.waitFor(() => expect(locksOn(path)).toEqual([]), SOON);

  test("is held while a statement runs, and gone when its read is over", async () => {
    const stop = new AbortController();
    const endless = patient().batch([ENDLESS], stop.signal);
    expect(locksOn(path)).toEqual([]);
    await lockedBy();
    expect(locksOn(path).map(({ kind }) => kind)).toEqual(["READ"]);
    stop.abort(new Error("enough"));
    await expect(endless).rejects.toThrow("enough");
    expect(locksOn(path)).toEqual([]);
    const database = patient();
    for (let i = 0; i < 20; i += 1) {
      await database.batch([ANSWER], never);
      expect(locksOn(path)).toEqual([]);
    }
  });

  test("of a writer that holds it for too long is waited for for a while, and nothing is left of the wait", async () => {
    const writer = await startWriter(
      path,
      `d.exec("BEGIN EXCLUSIVE"); console.log("held"); process.stdin.on("data", () => {});`,
    );
    started.push(writer);
    await expect(patient().batch([ANSWER], never)).rejects.toThrow(
      /^the database is locked: a writer held it/,
    );
    expect(locksOn(path).filter(({ pid }) => pid !== writer.pid)).toEqual([]);
  });

  test("is gone after each deadline, and this process lives on", async () => {
    const database = patient();
    for (let i = 0; i < 5; i += 1) {
      const deadline = new AbortController();
      const read = database.batch([ENDLESS], deadline.signal);
      await lockedBy();
      deadline.abort(new Error("no answer in time"));
      await expect(read).rejects.toThrow("no answer in time");
      await unlocked();
      expect(await database.batch([ANSWER], never)).toEqual([[[42n]]]);
    }
  });

  test("a deadline of one read does not spoil the next ones, which wait for their turn", async () => {
    const database = patient();
    const stop = new AbortController();
    const endless = database.batch([ENDLESS], stop.signal);
    const next = [database.batch([ANSWER], never), database.separately([ANSWER], never)];
    await lockedBy();
    stop.abort(new Error("cut"));
    await expect(endless).rejects.toThrow("cut");
    expect(await Promise.all(next)).toEqual([[[[42n]]], [[[42n]]]]);
  });

  test("is gone after the canary was killed in the middle of a statement, and so is the process that held it", async () => {
    const canary = startReading(path, ENDLESS);
    started.push(canary);
    const reader = await lockedBy();
    expect(reader).not.toBe(canary.pid);
    canary.kill("SIGKILL");
    await unlocked();
    await vi.waitFor(() => expect(isAlive(reader)).toBe(false), SOON);
  });

  test("the process that reads ends with the canary, and does not keep it alive", async () => {
    expect(await outputOf(startReading(path, ANSWER))).toBe("42\n");
  });

  test("the process that reads knows none of the canary's variables", async () => {
    const stop = new AbortController();
    const endless = patient().batch([ENDLESS], stop.signal);
    const environment = readFileSync(`/proc/${await lockedBy()}/environ`, "utf8");
    expect(environment.split("\0").filter((v) => v && !/^(NODE_CHANNEL_|LD_LIBRARY_PATH)/.test(v))).toEqual(
      [],
    );
    stop.abort(new Error("enough"));
    await expect(endless).rejects.toThrow("enough");
  });

  describe("that keeps a writer waiting", () => {
    const COMMIT = `process.stdin.once("data", () => { d.exec("UPDATE t SET answer = 43"); console.log("committed"); process.exit(); }); console.log("ready");`;

    test("is given up after LIBSQL_LOCK_MS, the writer commits, and the reason says what to do", async () => {
      const writer = await startWriter(path, COMMIT);
      started.push(writer);
      const impatient = openDatabase(`file:${path}`, undefined, { lockMs: 100, pauseMs: 1 });
      // Without the bound, the writer's wait would have no end: neither has the statement, or its deadline.
      const endless = impatient.batch([ENDLESS], never);
      const refused = expect(endless).rejects.toThrow(
        /^each of 3 reads would have kept the platform from committing for over 100 ms and was ended: see with canary doctor which index is missing.*larger LIBSQL_LOCK_MS$/,
      );
      await lockedBy();
      writer.stdin!.write("now\n");
      await once(writer, "exit");
      expect(writer.exitCode).toBe(0);
      await refused;
      expect(locksOn(path)).toEqual([]);
      expect(await patient().batch([ANSWER], never)).toEqual([[[43n]]]);
    });

    test("in WAL mode keeps nobody waiting, and is held for as long as the read takes", async () => {
      write(path, "PRAGMA journal_mode = WAL");
      const writer = await startWriter(path, COMMIT);
      started.push(writer);
      // Some hundred thousand steps take longer than the bound on any machine.
      const long = `${ENDLESS.replace("FROM n)", "FROM n WHERE i < 3000000)")}`;
      expect(await openDatabase(`file:${path}`, undefined, { lockMs: 10 }).batch([long], never)).toEqual([
        [[3_000_000n]],
      ]);
    });
  });

  test("beside a writer that commits all the time, no read fails and none leaves a lock", async () => {
    const writer = await startWriter(
      path,
      `let commits = 0;
process.stdin.on("data", () => { console.log(commits); process.exit(); });
setInterval(() => { d.exec("UPDATE t SET answer = answer"); commits += 1; }, 10);
console.log("ready");`,
    );
    started.push(writer);
    const database = patient();
    for (let i = 0; i < 100; i += 1) {
      expect(await database.batch([ANSWER, ANSWER], never)).toEqual([[[42n]], [[42n]]]);
      expect(locksOn(path).filter(({ pid }) => pid !== writer.pid)).toEqual([]);
    }
    writer.stdin!.write("how many?\n");
    const [commits] = await once(writer.stdout!, "data");
    expect(Number(commits)).toBeGreaterThan(0);
    await once(writer, "exit");
    expect(writer.exitCode).toBe(0);
  });
});
