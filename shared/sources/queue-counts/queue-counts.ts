/** The platform's queue accessor over HTTP, with the same counted in SQL before and after it answered. */
// The small zod: it is the only schema of a cycle, and the large one is a third of the bundle.
import * as z from "zod/mini";
import { SourceError } from "../../errors.ts";
import type { ReadContext, Source, SourceResult } from "../source.ts";
import type { Database } from "../sqlite/database.ts";
import { countQueues } from "../sqlite/sqlite.ts";

const Counts = z.object({ counts: z.record(z.string(), z.unknown()) });

/**
 * @param url answers `{"counts": {"<agent>": <n>}}`
 * @param token sent as a bearer token, where there is one
 * @param database where the queues are counted to compare with; on a busy queue the two are taken at different moments
 */
export function queueCountsSource(url: string, token: string | undefined, database: Database): Source {
  async function ask(signal: AbortSignal): Promise<{ counts: Map<string, number>; unreadable: string[] }> {
    const response = await fetch(url, {
      signal,
      headers: { accept: "application/json", ...(token && { authorization: `Bearer ${token}` }) },
    });
    if (!response.ok) {
      await response.body?.cancel();
      const mend = response.status === 401 || response.status === 403 ? ", check QUEUE_COUNTS_TOKEN" : "";
      throw new SourceError(`the accessor answered HTTP ${response.status}${mend}`);
    }
    const body = Counts.safeParse(await response.json().catch(() => null));
    if (!body.success) throw new SourceError('the accessor did not answer {"counts": {"<agent>": <n>}}');
    const entries = Object.entries(body.data.counts);
    const isCount = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
    return {
      counts: new Map(entries.filter((entry): entry is [string, number] => isCount(entry[1]))),
      unreadable: entries.filter(([, n]) => !isCount(n)).map(([agent]) => agent),
    };
  }

  async function read({ signal, now }: ReadContext): Promise<SourceResult> {
    const fromMs = now();
    const before = await countQueues(database, signal);
    const { counts, unreadable } = await ask(signal);
    const after = await countQueues(database, signal);
    const time = { fromMs, toMs: now() };
    const value = { counts, complete: false, around: [before, after] as const };
    return {
      readings: { queueCounts: { read: true, value, time } },
      unavailable: unreadable.map((agent) => `queue_counts[${agent}]: not a count`),
    };
  }
  return { name: "queue_counts", gives: ["queueCounts"], read };
}
