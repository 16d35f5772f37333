/** The platform's queue accessor over HTTP, with the same counted in SQL before and after it answered. */
// The small zod: it is the only schema of a cycle, and the large one is a third of the bundle.
import * as z from "zod/mini";
import { NONE } from "../../config/source-variables.ts";
import { SourceError } from "../../errors.ts";
import type { Source } from "../source.ts";
import { sourceSpec } from "../spec.ts";
import type { Database } from "../sqlite/database.ts";
import { countQueues } from "../sqlite/facts/queue-counts.ts";
import { QUEUE_COUNTS } from "./variables.ts";

const Counts = z.object({ counts: z.record(z.string(), z.unknown()) });

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

async function ask(
  url: string,
  token: string | null,
  signal: AbortSignal,
): Promise<{ counts: Map<string, number>; unreadable: string[] }> {
  const response = await fetch(url, {
    signal,
    headers: { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }) },
  });
  if (!response.ok) {
    await response.body?.cancel();
    const isRefused = response.status === 401 || response.status === 403;
    const fix = isRefused ? `, check ${QUEUE_COUNTS.token.name}` : "";
    throw new SourceError(`the accessor answered HTTP ${response.status}${fix}`);
  }
  const body = Counts.safeParse(await response.json().catch(() => null));
  if (!body.success) throw new SourceError('the accessor did not answer {"counts": {"<agent>": <n>}}');
  const entries = Object.entries(body.data.counts);
  return {
    counts: new Map(entries.filter((entry): entry is [string, number] => isCount(entry[1]))),
    unreadable: entries.filter(([, n]) => !isCount(n)).map(([agent]) => agent),
  };
}

/** Makes the reader of the accessor; on a busy queue its answer and what is counted in SQL are of different moments. */
const accessorReader =
  (url: string, token: string | null, database: Database): Source["read"] =>
  async ({ signal, now }) => {
    const fromMs = now();
    const before = await countQueues(database, signal);
    const { counts, unreadable } = await ask(url, token, signal);
    const after = await countQueues(database, signal);
    const time = { fromMs, toMs: now() };
    const value = { counts, complete: false, around: [before, after] as const };
    return {
      readings: { queueCounts: { read: true, value, time } },
      unavailable: unreadable.map((agent) => `queue_counts[${agent}]: not a count`),
    };
  };

export const queueCounts = sourceSpec({
  name: "queue_counts",
  gives: ["queueCounts"],
  variables: QUEUE_COUNTS,
  configure({ url, token }, { database }) {
    if (url === NONE) return "off";
    // The accessor is compared with SQL: without a database it proves nothing.
    return url === null || database === null ? "not configured" : accessorReader(url, token, database);
  },
});
