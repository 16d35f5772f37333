/**
 * `npm run file-locks [SECONDS] [ROWS]`: what reads of a database file cost the platform that writes it. A writer in
 * rollback-journal mode commits every 10 ms: alone, beside back-to-back reads of every fact of another file (which need
 * as much of the machine, and no lock of its own), and beside the same of its file.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { withDeadline } from "../../shared/deadline.ts";
import { describeError } from "../../shared/errors.ts";
import type { FactName, Since } from "../../shared/facts/facts.ts";
import { SQL_FACTS, sqlReader } from "../../shared/sources/sql/reader.ts";
import { openDatabase } from "../../shared/sources/sqlite/database.ts";
import { locksOn } from "../local/file-locks.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { openDatabaseFile } from "../platform/file-client.ts";
import { createSchema } from "../platform/schema.ts";

/** The time is cut into blocks: what else the machine does then hits each part. */
const BLOCKS = 5;
const LATE_MS = 250;
const DEADLINE_MS = 10_000;

async function fill(path: string, rows: number): Promise<void> {
  const database = openDatabaseFile(`file:${path}`);
  await createSchema(database);
  await database.batch(
    [
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)
INSERT INTO agent_ownership (agent_name, max_parallel_tasks) SELECT 'agent-' || i, 3 FROM n`,
      `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
INSERT INTO schedule_executions
(id, schedule_id, agent_name, status, started_at, completed_at, duration_ms, message, triggered_by, claude_session_id)
SELECT 'run-' || i, 's', 'agent-' || (i % 100), iif(i > ${rows} - 200, 'running', 'success'), '2026-11-23T10:00:00.123456Z',
iif(i > ${rows} - 200, NULL, '2026-11-23T10:01:00.123456Z'), 60000, hex(randomblob(200)), 'manual', 'session' FROM n`,
    ],
    "write",
  );
  database.close();
}

const at = (sorted: readonly number[], share: number) =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0).toFixed(1);
function describeCommits(what: string, commitsMs: readonly number[]): string {
  const sorted = [...commitsMs].sort((a, b) => a - b);
  const late = sorted.filter((ms) => ms > LATE_MS).length;
  return `${what}: ${sorted.length} commits, median ${at(sorted, 0.5)} ms, 99 % ${at(sorted, 0.99)} ms, longest ${at(sorted, 1)} ms, over ${LATE_MS} ms: ${late}`;
}

/** What came of the reads of one file. */
function readerOf(path: string) {
  const read = sqlReader("sqlite", openDatabase(`file:${path}`));
  const wanted: ReadonlySet<FactName> = new Set(SQL_FACTS);
  const tookMs: number[] = [];
  const failures: Record<string, number> = {};
  let since: Since = { ended: null };
  const failed = (why: string) => {
    failures[why] = (failures[why] ?? 0) + 1;
  };
  return {
    tookMs,
    failures,
    async once() {
      const startedAt = performance.now();
      try {
        const { readings } = await withDeadline(DEADLINE_MS, (signal) =>
          read({ signal, wanted, since, now: Date.now }),
        );
        if (readings.ended?.read) since = { ended: readings.ended.value.cursor };
        for (const reading of Object.values(readings)) if (!reading.read) failed(reading.reason);
      } catch (error) {
        failed(describeError(error));
      }
      tookMs.push(performance.now() - startedAt);
    },
  };
}

/** @param seconds that the file is read for; it is left alone, and another one is read, for a fifth of that each */
async function measure(seconds: number, rows: number): Promise<void> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "trinity.db");
  const otherPath = join(folder.path, "other.db");
  await fill(path, rows);
  await copyFile(path, otherPath);
  const writer = fork(fileURLToPath(new URL("./file-writer.ts", import.meta.url)), [path]);
  const take = async (): Promise<number[]> => {
    writer.send("take");
    return (await once(writer, "message"))[0];
  };
  const [reader, otherReader] = [readerOf(path), readerOf(otherPath)];
  const commits = { alone: [] as number[], besideOther: [] as number[], beside: [] as number[] };
  let locksLeft = 0;
  for (let block = 0; block < BLOCKS; block += 1) {
    const blockMs = (seconds * 1000) / BLOCKS;
    await take();
    await setTimeout(blockMs / 5);
    commits.alone.push(...(await take()));
    for (const until = performance.now() + blockMs / 5; performance.now() < until; ) await otherReader.once();
    commits.besideOther.push(...(await take()));
    for (const until = performance.now() + blockMs; performance.now() < until; ) {
      await reader.once();
      locksLeft += locksOn(path).filter(({ pid }) => pid !== writer.pid).length;
    }
    commits.beside.push(...(await take()));
  }
  writer.disconnect();
  await once(writer, "exit");
  await folder.remove();
  console.log(describeCommits("alone", commits.alone));
  console.log(describeCommits("beside reads of another file", commits.besideOther));
  console.log(describeCommits("beside reads of its file", commits.beside));
  const sorted = reader.tookMs.sort((a, b) => a - b);
  console.log(
    `${sorted.length} reads of ${rows} rows: median ${at(sorted, 0.5)} ms, longest ${at(sorted, 1)} ms; locks left: ${locksLeft}; failed: ${JSON.stringify(reader.failures)}`,
  );
  if (locksLeft > 0 || Object.keys(reader.failures).length > 0) process.exitCode = 1;
}

const [, script, seconds = "300", rows = "200000"] = process.argv;
if (script === fileURLToPath(import.meta.url)) await measure(Number(seconds), Number(rows));
