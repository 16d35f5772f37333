/** The platform's queue accessor over HTTP, and the same counts in SQL before and after its answer. */
// The small zod: this is the only schema of a cycle, and the large one is a third of the bundle.
import * as z from "zod/mini";
import { address, NONE } from "../../config/source-variables.ts";
import { token } from "../../config/variable.ts";
import { SourceError } from "../../errors.ts";
import type { Source, SourceSpec } from "../source.ts";
import type { Database } from "../sqlite/database.ts";
import { countQueues } from "../sqlite/facts/queue-counts.ts";

const QUEUE_COUNTS = {
  url: address(
    "QUEUE_COUNTS_URL",
    'where the platform\'s queue accessor answers `{"counts": {"<agent>": <n>}}`. Not set: the accessor\'s own SQL is run',
    { schemes: ["https:", "http:"], example: "https://trinity.example.com/api/queue-counts" },
  ),
  token: token("QUEUE_COUNTS_TOKEN", "sent to it as a bearer token"),
};

const Counts = z.object({ counts: z.record(z.string(), z.unknown()) });

const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;

async function ask(url: string, token: string | null, signal: AbortSignal) {
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

/** Counts in SQL before and after the accessor answers: on a busy queue the two are of different moments. */
const accessorReader =
  (url: string, token: string | null, database: Database): Source["read"] =>
  async ({ signal, now }) => {
    const fromMs = now();
    const before = await countQueues(database, signal);
    const { counts, unreadable } = await ask(url, token, signal);
    const after = await countQueues(database, signal);
    const time = { fromMs, toMs: now() };
    const value = { counts, absentIsZero: false, around: [before, after] as const };
    return {
      readings: { queueCounts: { read: true, value, time } },
      unavailable: unreadable.map((agent) => `queue_counts[${agent}]: not a count`),
    };
  };

export const queueCounts = {
  name: "queue_counts",
  gives: ["queueCounts"],
  variables: QUEUE_COUNTS,
  configure({ url, token }, { database }) {
    if (url === NONE) return "off";
    // The accessor is compared with SQL: without a database it proves nothing.
    return url === null || database === null ? "not configured" : accessorReader(url, token, database);
  },
} as const satisfies SourceSpec<typeof QUEUE_COUNTS>;
