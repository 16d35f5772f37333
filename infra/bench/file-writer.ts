/** A platform that commits to its database file every 10 ms, in a process of its own, and measures how long each takes. */
import { DatabaseSync } from "node:sqlite";

const PERIOD_MS = 10;
/** As long as SQLite's usual clients wait for a lock. */
const BUSY_TIMEOUT_MS = 5_000;

const database = new DatabaseSync(process.argv[2]!, { timeout: BUSY_TIMEOUT_MS });
let commitsMs: number[] = [];

setInterval(() => {
  const startedAt = performance.now();
  database.exec("UPDATE schedule_executions SET duration_ms = duration_ms + 1 WHERE id = 'run-0'");
  commitsMs.push(performance.now() - startedAt);
}, PERIOD_MS);

// Each message is answered with the durations since the one before.
process.on("message", () => {
  process.send?.(commitsMs);
  commitsMs = [];
});
process.on("disconnect", () => process.exit());
