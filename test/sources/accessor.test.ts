/** What the platform's queue accessor may answer over HTTP, and what is made of it. */
import { afterEach, expect, test } from "vitest";
import type { QueueCounts, Reading } from "../../shared/facts/facts.ts";
import { queueCounts } from "../../shared/sources/queue-counts/queue-counts.ts";
import type { Source, SourceContext } from "../../shared/sources/source.ts";
import { SQLITE } from "../../shared/sources/sqlite/dialect.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted-server.ts";

let server: ScriptedServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

/** Finds no queue in SQL. */
const noRows = async (statements: readonly string[]) => statements.map(() => [[""]]);

async function read(answer: string) {
  server = await startScriptedServer((_, response) => response.end(answer));
  const context = {
    database: { sql: SQLITE, batch: noRows, separately: noRows },
  } as unknown as SourceContext;
  const source = queueCounts.configure({ url: server.url, token: null }, context) as Source["read"];
  const { readings, unavailable } = await source({
    signal: new AbortController().signal,
    now: () => 1_000,
    wanted: new Set(["queueCounts"]),
    since: { ended: null },
  });
  const reading = readings.queueCounts as Reading<QueueCounts>;
  if (!reading.read) throw new Error(reading.reason);
  return { counts: Object.fromEntries(reading.value.counts), unavailable };
}
const counted = (entries: [string, unknown][]) => JSON.stringify({ counts: Object.fromEntries(entries) });

test("counts are whole numbers from 0 on; what is none has a line, and its agent no count", async () => {
  const answer =
    '{"counts": {"ruby": 2, "a": -1, "b": 1e400, "c": 0.5, "d": "3", "e": 9007199254740992, "f": 0}}';
  const { counts, unavailable } = await read(answer);
  expect(counts).toEqual({ ruby: 2, f: 0 });
  expect(unavailable).toEqual(
    ["a", "b", "c", "d", "e"].map((agent) => `queue_counts[${agent}]: not a count`),
  );
});

test("names that are too long are left out, with one line", async () => {
  const { counts, unavailable } = await read(
    counted([
      ["n".repeat(1_001), 1],
      ["m".repeat(1_000), 2],
      ["o".repeat(100_000), 3],
    ]),
  );
  expect(Object.values(counts)).toEqual([2]);
  expect(unavailable).toEqual(["queue_counts: 2 names are longer than 1000 characters"]);
});

test("very many that are no counts are a few lines, and how many more", async () => {
  const { unavailable } = await read(counted(Array.from({ length: 5_000 }, (_, n) => [`agent-${n}`, "x"])));
  expect(unavailable).toHaveLength(100);
  expect(unavailable.at(-1)).toBe("queue_counts: 4901 more parts could not be read");
});

test("a fleet of 10,000 agents is read, a hundred times as many names are not", async () => {
  const counts = (n: number) => counted(Array.from({ length: n }, (_, i) => [`agent-${i}`, 1]));
  expect(Object.keys((await read(counts(10_000))).counts)).toHaveLength(10_000);
  await server?.close();
  await expect(read(counts(1_000_000))).rejects.toThrow("the answer is larger than 8 MB");
  await server?.close();
  await expect(read(counts(100_001))).rejects.toThrow("the accessor gave more than 100000 counts");
});
