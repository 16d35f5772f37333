/**
 * `npm run file-locks [SECONDS] [ROWS]`: what reads of a database file cost the platform that writes it. A writer in
 * rollback-journal mode commits every 10 ms, now alone, now beside back-to-back reads of every fact.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { withDeadline } from "../../shared/deadline.ts";
import { describeError } from "../../shared/errors.ts";
import type { FactName, Since } from "../../shared/facts/facts.ts";
import { openDatabase } from "../../shared/sources/sqlite/database.ts";
import { sqlite, sqliteReader } from "../../shared/sources/sqlite/sqlite.ts";
import { locksOn } from "../local/file-locks.ts";
import { temporaryFolder } from "../local/temporary-folder.ts";
import { openDatabaseFile } from "../platform/file-client.ts";
import { createSchema } from "../platform/schema.ts";

/** The time beside reads is cut into blocks, each after a fifth as long without them: what else the machine does hits both. */
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

export async function measure(seconds: number, rows: number): Promise<void> {
  const folder = await temporaryFolder();
  const path = join(folder.path, "trinity.db");
  await fill(path, rows);
  const writer = fork(fileURLToPath(new URL("./file-writer.ts", import.meta.url)), [path]);
  const take = async (): Promise<number[]> => {
    writer.send("take");
    return (await once(writer, "message"))[0];
  };
  const read = sqliteReader(openDatabase(`file:${path}`));
  const wanted: ReadonlySet<FactName> = new Set(sqlite.gives);
  const alone: number[] = [];
  const beside: number[] = [];
  const readsMs: number[] = [];
  const failures = new Map<string, number>();
  let locksLeft = 0;
  let since: Since = { ended: null };
  for (let block = 0; block < BLOCKS; block += 1) {
    await take();
    await setTimeout((seconds * 1000) / BLOCKS / 5);
    alone.push(...(await take()));
    const until = performance.now() + (seconds * 1000) / BLOCKS;
    while (performance.now() < until) {
      const startedAt = performance.now();
      try {
        const { readings } = await withDeadline(DEADLINE_MS, (signal) =>
          read({ signal, wanted, since, now: Date.now }),
        );
        if (readings.ended?.read) since = { ended: readings.ended.value.cursor };
        for (const reading of Object.values(readings))
          if (!reading.read) failures.set(reading.reason, (failures.get(reading.reason) ?? 0) + 1);
      } catch (error) {
        failures.set(describeError(error), (failures.get(describeError(error)) ?? 0) + 1);
      }
      readsMs.push(performance.now() - startedAt);
      locksLeft += locksOn(path).filter(({ pid }) => pid !== writer.pid).length;
    }
    beside.push(...(await take()));
  }
  writer.disconnect();
  await once(writer, "exit");
  await folder.remove();
  const sorted = readsMs.sort((a, b) => a - b);
  console.log(describeCommits("alone", alone));
  console.log(describeCommits("beside reads", beside));
  console.log(
    `${sorted.length} reads of ${rows} rows: median ${at(sorted, 0.5)} ms, longest ${at(sorted, 1)} ms; locks left: ${locksLeft}; failed: ${JSON.stringify(Object.fromEntries(failures))}`,
  );
}

const [, script, seconds = "300", rows = "200000"] = process.argv;
if (script === fileURLToPath(import.meta.url)) await measure(Number(seconds), Number(rows));
