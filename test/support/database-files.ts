/** Processes that write a database file, or read it as the canary does. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const DATABASE = fileURLToPath(new URL("../../shared/sources/sqlite/database.ts", import.meta.url));
const QUIET = "--disable-warning=ExperimentalWarning";

/** A statement without an end, on a database with one table. */
export const ENDLESS =
  "WITH RECURSIVE n (i) AS (SELECT count(*) FROM sqlite_master UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/** Runs the statements on the file in a process of its own, which closes it. */
export function writeFile(path: string, ...statements: string[]): void {
  const script = `const d = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
for (const text of JSON.parse(process.argv[2])) d.exec(text);
d.close();`;
  const { status, stderr } = spawnSync(
    process.execPath,
    [QUIET, "-e", script, path, JSON.stringify(statements)],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(stderr);
}

/** A table with the answer 42. A writer was killed while it changed that to 0, with some of it written already. */
export function killWriter(path: string, journalMode: "delete" | "wal"): void {
  const script = `const d = new (require("node:sqlite").DatabaseSync)(process.argv[1]);
d.exec("PRAGMA journal_mode = ${journalMode}; PRAGMA cache_size = 5; CREATE TABLE t (answer, filler)");
d.exec("INSERT INTO t VALUES (42, zeroblob(100000)); BEGIN; UPDATE t SET answer = 0");
for (let i = 0; i < 100; i += 1) d.exec("INSERT INTO t VALUES (0, randomblob(9000))");
process.kill(process.pid, "SIGKILL");`;
  const { signal, stderr } = spawnSync(process.execPath, [QUIET, "-e", script, path], { encoding: "utf8" });
  if (signal !== "SIGKILL") throw new Error(stderr);
}

/** Runs JavaScript in another process, with \`d\` open on the file. Resolves when it has printed a line. */
export async function startWriter(path: string, script: string): Promise<ChildProcess> {
  const open = `const d = new (require("node:sqlite").DatabaseSync)(process.argv[1], { timeout: 60_000 });`;
  const writer = spawn(process.execPath, [QUIET, "-e", `${open}\n${script}`, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(writer.stdout, "data");
  return writer;
}

/** Starts a process that reads one statement as the canary does, prints the answer or the error, and ends. */
export const startReading = (path: string, statement: string, options: { uid?: number } = {}): ChildProcess =>
  spawn(
    process.execPath,
    [
      QUIET,
      "-e",
      `import(process.argv[1]).then(async ({ openDatabase }) => {
  const database = openDatabase("file:" + process.argv[2], undefined, { lockMs: 60_000 });
  const answer = await database.batch([process.argv[3]], new AbortController().signal).catch((e) => e.message);
  console.log(String(answer));
});`,
      DATABASE,
      path,
      statement,
    ],
    { stdio: ["ignore", "pipe", "inherit"], ...options },
  );

/** Everything that the process prints until its end. */
export async function outputOf(process: ChildProcess): Promise<string> {
  let output = "";
  process.stdout!.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  await once(process, "close");
  return output;
}
